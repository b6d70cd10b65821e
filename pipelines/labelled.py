"""What a line such as "Phone: …" tells is told of the thing that its section is headed by."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from adapters.training.sameness import content_words
from pipelines.convert.extracted import LABELLED
from pipelines.evidence import Evidence
from pipelines.facts import stems
from pipelines.faq import asks

# Words that headings and questions share without naming the same thing.
_EVERYDAY = stems(
    content_words(
        """about after again also ask back before begin call change come day end even find first
        get give go good happen help hour keep know last late leave long look lot make many month
        more most much need new next other out part pay people person place put say see set
        somebody someone start stop take tell thing time today until up use want week while work
        write year"""
    )
)
_SHORTEST = 3


class NamedThings:
    """What headings over labelled lines name, of all that a question names.

    :param question: The question.
    :param evidence: What was found.
    """

    def __init__(self, question: str, evidence: Sequence[Evidence]) -> None:
        self._asked = _telling(question)
        self._named: defaultdict[str, list[set[str]]] = defaultdict(list)
        for piece in evidence:
            for heading, start, end in _sections(piece):
                named = self._asked & _telling(heading)
                if named and any(map(LABELLED.match, piece.text[start:end].splitlines())):
                    self._named[piece.document].append(named)

    def are_elsewhere(self, piece: Evidence, start: int, end: int) -> bool:
        """Return whether a sentence is a labelled line of another thing than the question names.

        That is, another heading over labelled lines of its document has all words of the question
        that this line has, or that it stands under, and more: the phone number of the library is
        not that of the reading room, though no other is given.

        :param piece: What it stands in.
        :param start: Where it begins in the piece's text.
        :param end: Where it ends.
        """
        named = self._named.get(piece.document)
        line = piece.text[start:end]
        if not named or not LABELLED.match(line):
            return False
        heading = [heading for heading, begins, _ in _sections(piece) if begins <= start][-1]
        own = set().union(*named) & _telling(f"{piece.context} {heading} {line}")
        return any(own < other for other in named)


def _sections(piece: Evidence) -> Iterator[tuple[str, int, int]]:
    """Yield headings with where the text under each begins and ends; what asks names nothing."""
    heading, begins = piece.context, 0
    for start, end in piece.headings:
        yield heading, begins, start
        heading, begins = piece.text[start:end], end
        if asks(heading):
            heading = ""
    yield heading, begins, len(piece.text)


def _telling(text: str) -> set[str]:
    return {s for s in stems(content_words(text)) if len(s) >= _SHORTEST and s not in _EVERYDAY}
