"""Replies made by hand, and what becomes of them."""

from collections.abc import Callable

import pytest

from adapters.training.squad import f1
from agent.evaluation.metrics import Judged, judge
from agent.expert import Failure, Reply
from agent.router.decision import Decision
from agent.settings import RouterSettings
from agent.suite import SuiteQuestion
from pipelines.answer import Answer, Citation
from pipelines.evidence import Evidence

COSTS = RouterSettings().costs


def evidence(text: str, document: str = "leave.md") -> Evidence:
    """Give a piece of evidence that begins its document."""
    return Evidence(document, "p", "Leave", "Leave", 0, len(text), 3, text, 0.9)


def reply(
    question: str = "How long?",
    text: str | None = None,
    *,
    route: str = "retrieval",
    decided: str | None = None,
    quotes: tuple[str, ...] = (),
    pieces: tuple[Evidence, ...] = (),
    confidence: float = 0.8,
    ms: float = 10.0,
    adapter: str | None = None,
    tried: tuple[str, ...] = (),
) -> Reply:
    """Give a reply; each quote is cited where it stands in the evidence."""
    citations = tuple(
        Citation(piece.document, piece.title, 3, at, at + len(quote), quote, 0.9)
        for quote in quotes
        for piece in pieces
        if (at := piece.text.find(quote)) >= 0
    )
    answer = Answer(text, confidence, citations, reason=None if text else "nothing was found")
    decision = None
    if decided is not None:
        decision = Decision(decided, None, {decided: 0.9}, {}, 0.1, 1.0, 1, ("so",), "default")
    taken = route if text is not None else "abstain"
    times = {"total": ms}
    tried = tried or (decided or route,)
    return Reply(question, question, answer, taken, adapter, (), pieces, times, decision, tried)


@pytest.fixture
def judged() -> Callable[..., Judged]:
    """Judge a reply by hand to a question by hand; meanings are as near as words are."""

    def judged(asked: dict, told: Reply | Failure) -> Judged:
        question = SuiteQuestion.model_validate({"question": "How long?", **asked})
        return judge(question, told, COSTS, f1, lambda reply: True)

    return judged


@pytest.fixture
def make_reply() -> Callable[..., Reply]:
    return reply


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    return evidence
