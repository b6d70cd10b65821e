"""What an answer is, whoever gives it: text with citations, or a reason why there is none."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.evidence import Evidence

NOT_IN_SOURCES = "the documents found do not answer this"
NOTHING_FOUND = "nothing was found in the documents"


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a document that an answer rests on.

    :param document: Path or table, relative to the indexed root.
    :param title: The document's title, or None.
    :param page: Page or slide, from 1, or None.
    :param start: Offset of the quote in the document's extracted text.
    :param end: Offset after its last character.
    :param quote: The text there, exactly.
    :param score: How well it supports the answer, from 0 to 1.
    """

    document: str
    title: str | None
    page: int | None
    start: int
    end: int
    quote: str
    score: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that a language model wrote, held against the evidence.

    :param text: The sentence, without marks.
    :param support: Share of its words that stand in what backs it best, or in the question.
    :param fault: What it says that does not stand there; None where it is backed.
    """

    text: str
    support: float
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or an abstention.

    :param text: The answer; None when there is none.
    :param confidence: Probability that the question is answered rightly, from 0 to 1; of an
        abstention, what the best answer would have had.
    :param citations: What it rests on, in the order in which it is cited.
    :param reason: Why there is no answer; None when there is one.
    :param nearest: Of an abstention, what came nearest to an answer.
    :param answerer: ``quote``, ``phi3`` or ``table``.
    :param highlights: Stretches of the text that are the very answer, as offsets.
    :param dropped_citations: Marks in a reply that pointed at no source.
    :param usage: Tokens read and written by a language model.
    :param claims: Each sentence that it wrote, those too that were left out as not backed.
    :param missing: Parts of the question that it does not answer.
    :param written: How it came to be written, for a trace: ``messages`` as the model got them,
        its ``reply`` as it was, ``model`` and ``adapter``; or the ``table`` of a
        ``document``, the ``query`` as it was read, its ``sql`` with ``parameters``, and of how
        many ``rows`` it was made. Under ``remembered`` what an adapter was taught of it before
        the documents changed; under ``beside`` what documents or adapter said, where the other
        was surer.
    """

    text: str | None
    confidence: float
    citations: tuple[Citation, ...] = ()
    reason: str | None = None
    nearest: Citation | None = None
    answerer: str = "quote"
    highlights: tuple[tuple[int, int], ...] = ()
    dropped_citations: int = 0
    usage: Mapping[str, int] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    missing: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def abstained(self) -> bool:
        """Whether there is no answer."""
        return self.text is None


class Answerer(Protocol):
    """A component that answers a question from evidence."""

    def warm_up(self) -> None:
        """Load what the first question would have to wait for."""
        ...

    def run(
        self,
        query: str,
        evidence: list[Evidence],
        on_text: Callable[[str], None] | None = None,
        before: str | None = None,
    ) -> dict[str, Answer]:
        """Return the answer under ``answer``.

        :param on_text: Told each piece of a language model's reply as it is written.
        :param before: What the answer was before the documents changed; given only where it is
            known.
        """
        ...


def cite(evidence: Evidence, start: int, end: int, score: float) -> Citation:
    """Return the citation of a stretch of evidence.

    :param start: Offset of the stretch in the evidence's text.
    :param end: Offset after its last character.
    """
    return Citation(
        document=evidence.document,
        title=evidence.title,
        page=evidence.page_at(evidence.start + start),
        start=evidence.start + start,
        end=evidence.start + end,
        quote=evidence.text[start:end],
        score=score,
    )


def around(citation: Citation, evidence: Iterable[Evidence]) -> Iterator[Evidence]:
    """Yield the pieces of evidence in which a cited place stands."""
    for piece in evidence:
        if (
            piece.document == citation.document
            and piece.start <= citation.start
            and citation.end <= piece.end
        ):
            yield piece


def nearest(evidence: Sequence[Evidence]) -> Citation | None:
    """Return the citation of the likeliest sentence of what was found first, if anything was."""
    if not evidence:
        return None
    first = evidence[0]
    start, end, _ = max(first.sentences, key=lambda one: one[2], default=(0, len(first.text), 0.0))
    return cite(first, start, end, first.score)
