"""Lists in evidence, and which questions ask for what a whole list tells."""

import re
from dataclasses import dataclass

from pipelines.evidence import Evidence, Span

# A longer list is no answer to read.
_MOST_ITEMS, _MOST_CHARACTERS = 15, 1_500

# "How do I close up?", "how to clean the tank"; not "how does it feel".
_ASKS_STEPS = re.compile(r"\bhow (?:do|should|can|could|would|must|to)\b", re.IGNORECASE)
# "What do I have to bring?", "what should visitors wear", "what is allowed".
_ASKS_WHAT_TO_DO = re.compile(
    r"\bwhat (?:all |else |exactly )?(?:(?:do|did|should|must|can|can't|could|may|shall|would)"
    r"\s+(?:i|we|you|they)(?:\s+(?:have|need|want|like))?(?:\s+to)?\s+(?:do|bring|need|wear|take|have"
    r"|tell|say|check|pack|prepare|provide|show|send|expect|look|watch|clean|inspect|avoid)\b"
    r"|(?:do|does|did|should|must|can|can't|could|may|shall|would|will|needs? to|has to|have to"
    r"|is|are|am)\b[^?,;]*\b(?:do|doing|done|bring|brought|need|needed|have|include[sd]?|wear"
    r"|take|provide|pack|check|checked|show|send|prepare|expect|cover(?:ed|s)?|offer(?:ed)?"
    r"|contain(?:ed|s)?|happens?|allowed|forbidden|banned|required|ready|supposed)\b"
    r"|needs (?:doing|to be done)\b)|\bwhat(?:'s| is| comes) (?:in|inside|included|part of)\b",
    re.IGNORECASE,
)
# "Which documents do I need?", "what are the rules", "which of the machines".
_ASKS_SEVERAL = re.compile(
    r"\b(?:what|which|what're)\s+(?:(?:are|were)\b(?!\s+(?:the\s+)?(?:opening\s+)?(?:hours|odds))"
    r"|(?:of the |other |kinds? of |sorts? of |types? of )?(?:\w+\s+){0,2}?"
    r"(?!(?:is|was|does|has|this|goes|needs|gets|takes|costs|comes|makes|says|means|works|happens"
    r"|opens|closes|starts|ends|pays)\b)\w{2,}(?<![su])s\b)",
    re.IGNORECASE,
)
_NAMES_LIST = re.compile(
    r"\b(?:list|steps|rules|requirements|procedure|checklist|instructions|routine|everything"
    r"|ways|things|tasks|duties|dos|don'ts|options|ingredients|symptoms|signs|causes|reasons)\b",
    re.IGNORECASE,
)
# One place in a list: "what comes first", "the last thing I do".
_ASKS_ONE = re.compile(
    r"\b(?:first|last|second|third|next|final) (?:thing|step|item|task|rule|job|point)\b"
    r"|\b(?:first|last|next|second|third)\s*\??\s*$"
    r"|\bhow (?:much|many|long|often|far|soon|old|big|high|hot|cold)\b"
    r"|\bwhat\b[^?]*\bcall(?:ed)?\b|\bas (?:my |the |an? )?\w+\s*\??\s*$"
    r"|^\W*(?:who|whom|whose|where|when|why)\b",
    re.IGNORECASE,
)

# What a list is for, and the opposite, which no small model tells apart.
_OPPOSITES = [
    tuple(re.compile(rf"\b(?:{form})", re.IGNORECASE) for form in pair)
    for pair in (
        (r"open", r"clos|shut|lock(?:ing)? up"),
        (r"start|begin", r"stop|end(?:ing|s)?\b|finish"),
        (r"arriv|check(?:ing|s)?[- ]in\b", r"leav|depart|check(?:ing|s)?[- ]out\b"),
        (r"join", r"leav|resign"),
        (r"before\b", r"after\b"),
        (r"(?:switch|turn)(?:ing)? (?:\w+ )*on\b", r"(?:switch|turn)(?:ing)? (?:\w+ )*off\b"),
        (r"install|fit(?:ting)?\b|attach", r"remov|detach|uninstall"),
        (r"morning", r"evening|night"),
        (r"first\b", r"last\b"),
        (r"allow|permit", r"forbid|forbidden|banned|prohibit|not allow"),
    )
]


@dataclass(frozen=True, slots=True)
class ListSpan:
    """A list in a piece of evidence.

    :param start: Where its first item begins in the piece's text.
    :param end: Where its last item ends.
    :param items: Where each begins and ends.
    :param lead: Where the heading, or the sentence with a colon, right above it begins and ends;
        None where there is none.
    :param is_headed: The lead is a heading.
    :param met: How well the lead, or the heading above, meets the question's words, from 0 to 1.
    """

    start: int
    end: int
    items: tuple[Span, ...]
    lead: Span | None
    is_headed: bool
    met: float

    @property
    def told_from(self) -> int:
        """Where what is told of it begins: with the sentence that leads into it."""
        return self.start if self.lead is None or self.is_headed else self.lead[0]

    def has(self, start: int) -> bool:
        """Whether a place is in the list, or in what leads into it."""
        return (self.start if self.lead is None else self.lead[0]) <= start < self.end


def asks_for_list(question: str) -> bool:
    """Return whether a question may ask for all of a list's items, by its form."""
    if _ASKS_ONE.search(question):
        return False
    asks = (_ASKS_STEPS, _ASKS_WHAT_TO_DO, _ASKS_SEVERAL, _NAMES_LIST)
    return any(form.search(question) for form in asks)


def is_opposite(question: str, lead: str) -> bool:
    """Return whether what leads into a list says the opposite of what a question asks for."""
    for pair in _OPPOSITES:
        asked, led = ([bool(form.search(text)) for form in pair] for text in (question, lead))
        if sum(asked) == sum(led) == 1 and asked != led:
            return True
    return False


def lists_of(piece: Evidence) -> list[ListSpan]:
    """Return the lists of a piece of evidence that are short enough to be told."""
    found = (_list(piece, items) for items in piece.lists if 1 < len(items) <= _MOST_ITEMS)
    return [one for one in found if one.end - one.told_from <= _MOST_CHARACTERS]


def _list(piece: Evidence, items: tuple[Span, ...]) -> ListSpan:
    start, end = items[0][0], items[-1][1]
    above = [sentence for sentence in piece.sentences if sentence[1] <= start]
    heads = [any(s <= first < e for s, e in piece.headings) for first, _, _ in above]
    met = max(
        [one[2] for one, is_head in zip(above, heads, strict=True) if is_head][-1:], default=0
    )
    if above and not piece.text[above[-1][1] : start].strip():
        first, last, score = above[-1]
        if heads[-1] or piece.text[first:last].endswith(":"):
            return ListSpan(start, end, items, (first, last), heads[-1], max(met, score))
    return ListSpan(start, end, items, None, is_headed=False, met=met)
