"""The words of a PDF: put together again where a line ended in the middle of one."""

import re
from collections.abc import Iterable, Sequence

from pipelines.convert.pdf_page import Segment

_LEADERS = re.compile(r"(?:\.\s?){4,}\s*[\divx]*\s*$|_{4,}\s*\d+$")
# Words that begin compounds, and endings that show that a word was cut after all.
_FIRST_WORDS = frozenset(
    "all cross day deep end face five four full half hard high in large long low mid multi new "  # noqa: SIM905
    "non off on one open part post real self short single six small so state ten third three "
    "time top two user well whole wide work world year".split()
)
# Kerning that PDFium takes for a blank: "4 .3".
_SPLIT_NUMBER = re.compile(r"(?<=\d) (?=\.\d)")
_SUFFIX = re.compile(r"^(?:ness|ment|less|able|ship|ings|ized|ities|ation|tion|sion|ally)")


class Words:
    """The words of a whole document, to put together what line ends cut.

    A hyphen at a line's end is the writer's own when the document has the word with it
    elsewhere, or has both halves as words; otherwise the typesetter put it there.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def learn(self, segments: Iterable[Segment]) -> None:
        """Note the words of a page, not the halves at its line ends."""
        halved = False
        for segment in segments:
            words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", segment.text.lower())
            self._seen.update(words[halved : len(words) - segment.hyphen])
            halved = segment.hyphen

    def join(self, segments: Sequence[Segment]) -> str:
        """Return the text of segments that follow each other."""
        text = ""
        halved = False
        for segment in segments:
            text = self.connect(text, segment.text, halved) if text else segment.text
            halved = segment.hyphen
        return _SPLIT_NUMBER.sub("", text)

    def connect(self, before: str, after: str, halved: bool) -> str:
        """Join two stretches of text, the first of which may end in half a word."""
        if not halved:
            explicit = re.search(r"[^\W\d_]-$", before)
            # A hyphen written as such ends a line where "mid-year" was broken.
            return before + after if explicit and after[:1].islower() else f"{before} {after}"
        first = re.search(r"([^\W\d_]+(?:-[^\W\d_]+)*)$", before)
        second = re.match(r"([^\W\d_]+)", after)
        if first is None or second is None or not after[:1].islower():
            return f"{before}-{after}"
        one, two = first[1].lower(), second[1].lower()
        if one + two in self._seen:
            return before + after
        compound = one in _FIRST_WORDS and len(two) > 3 and not _SUFFIX.match(two)
        known = one in self._seen and two in self._seen
        if f"{one}-{two}" in self._seen or known or compound:
            return f"{before}-{after}"
        return before + after


def is_contents_line(text: str) -> bool:
    """Tell a line of a table of contents: dots up to a page number."""
    return bool(_LEADERS.search(text))
