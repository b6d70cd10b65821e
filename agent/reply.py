"""A reply: an answer with the way to it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from agent.router.decision import Decision
from pipelines.answer import Answer
from pipelines.evidence import Evidence
from pipelines.search import Found, Hit


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that a question asks for, as it was answered.

    :param question: What it asks.
    :param route: Which route answered: ``retrieval``, ``expert`` or ``hybrid``.
    :param adapter: Name and version of the adapter that wrote, or None.
    :param start: Where its answer begins in the whole answer's text.
    :param end: Where it ends.
    """

    question: str
    route: str
    adapter: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with the way to it.

    :param question: As it was asked.
    :param searched: As it was searched for; differs for a follow-up question, and for one with
        slips that was answered, or more surely, with them mended.
    :param answer: The answer, or the abstention.
    :param route: Which route answered: ``retrieval``, ``expert``, ``hybrid`` or ``abstain``.
    :param adapter: Name and version of the adapter that wrote, or None.
    :param hits: The passages found, best first.
    :param evidence: What of them the answerer was given.
    :param timings_ms: Milliseconds of each step.
    :param decision: How the router chose; None where the caller did.
    :param tried: The routes that were taken, in turn: two where the first had no answer.
    :param trace: Id of its trace; None where none is kept.
    :param changed: Documents that have changed since the adapter that wrote learned from them.
    :param parts: Of a question that asks for several things, who answered which.
    """

    question: str
    searched: str
    answer: Answer
    route: str
    adapter: str | None
    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    timings_ms: Mapping[str, float]
    decision: Decision | None = None
    tried: tuple[str, ...] = ()
    trace: str | None = None
    changed: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def learned(self) -> tuple[Part, ...]:
        """The parts that an adapter answered from memory, which no document backs."""
        return tuple(part for part in self.parts if part.route == "expert")

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as ``expert ask --json`` prints it."""
        return {
            "question": self.question,
            "answer": self.answer.text,
            "abstained": self.answer.abstained,
            "reason": self.answer.reason,
            "route": self.route,
            "tried": list(self.tried),
            "adapter": self.adapter,
            "confidence": round(self.answer.confidence, 4),
            "citations": [
                {
                    "document": citation.document,
                    "title": citation.title,
                    "page": citation.page,
                    "start": citation.start,
                    "end": citation.end,
                    "quote": citation.quote,
                    "score": round(citation.score, 4),
                }
                for citation in self.answer.citations
            ],
            "decision": None if self.decision is None else self.decision.to_dict(),
            "timings_ms": {name: round(value, 2) for name, value in self.timings_ms.items()},
            "usage": dict(self.answer.usage),
            "answerer": self.answer.answerer,
            "dropped_citations": self.answer.dropped_citations,
            "missing": list(self.answer.missing),
            "parts": [asdict(part) for part in self.parts],
            "claims": [
                {"text": claim.text, "support": round(claim.support, 4), "fault": claim.fault}
                for claim in self.answer.claims
            ],
            "searched": self.searched,
            "trace": self.trace,
            "changed_documents": list(self.changed),
        }


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a route.

    :param route: The route that answered; ``agent`` where the model called tools.
    :param took: Milliseconds of its steps.
    :param changed: Documents that have changed since the adapter that wrote learned from them.
    :param parts: Of a question that asks for several things, who answered which.
    :param way: The route taken, where that is not told by the one that answered.
    """

    route: str
    answer: Answer
    adapter: str | None = None
    found: Found = field(default_factory=lambda: Found([], []))
    took: Mapping[str, float] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    way: str | None = None
