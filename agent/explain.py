"""What each step of a search did with a question, from candidates to the likeliest answer."""

from dataclasses import asdict, dataclass
from typing import Any

from pipelines.quote import Candidate, QuoteAnswerer
from pipelines.search import Found


@dataclass(frozen=True, slots=True)
class Step:
    """One component of the pipeline.

    :param name: The component.
    :param passages: How many passages it handed on.
    :param places: Of each hit its place in them, from 1, or None.
    """

    name: str
    passages: int
    places: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """A piece of evidence with what the reader makes of it.

    :param hit: Which hit it is of, from 1, or None.
    :param document: Where it stands.
    :param characters: Its length.
    :param answer: The words that answer best.
    :param probability: That they answer the question.
    """

    hit: int | None
    document: str
    characters: int
    answer: str
    probability: float


@dataclass(frozen=True, slots=True)
class Steps:
    """The way of a question through the pipeline.

    :param by_words: Hits that keyword search found.
    :param by_vector: Hits that vector search found.
    :param steps: The components, in order.
    :param evidence: The evidence, best first, as the reader sees it.
    """

    by_words: int
    by_vector: int
    steps: tuple[Step, ...]
    evidence: tuple[Read, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``expert search --explain --json`` prints it."""
        return asdict(self)


def explained(question: str, found: Found) -> Steps:
    """Return what became of a question.

    :raises ReaderError: When the reader cannot be loaded.
    """
    ids = [hit.passage for hit in found.hits]
    steps = tuple(
        Step(
            name,
            len(given),
            tuple(given.index(id_) + 1 if id_ in given else None for id_ in ids),
        )
        for name, given in found.stages
    )
    best: dict[int, Candidate] = {}
    for candidate in QuoteAnswerer().candidates(question, found.evidence):
        best.setdefault(candidate.piece, candidate)
    read = []
    for number, piece in enumerate(found.evidence):
        likeliest = best.get(number)
        span = slice(likeliest.reading.start, likeliest.reading.end) if likeliest else slice(0)
        read.append(
            Read(
                hit=ids.index(piece.passage) + 1 if piece.passage in ids else None,
                document=piece.document,
                characters=len(piece.text),
                answer=piece.text[span],
                probability=round(likeliest.probability, 4) if likeliest else 0.0,
            )
        )
    return Steps(
        by_words=sum(hit.bm25 is not None for hit in found.hits),
        by_vector=sum(hit.vector is not None for hit in found.hits),
        steps=steps,
        evidence=tuple(read),
    )
