"""What a way of answering is measured by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adapters.training.squad import f1, same_words
from agent.evaluation.grounded import is_backed
from agent.expert import Failure, Reply
from agent.measure import plain, tells
from agent.router.learn import score
from agent.router.statistics import Floats, Places, interval_of
from agent.suite import SuiteQuestion
from pipelines.answer import around
from pipelines.citations import without_marks

_FROM_DOCUMENTS = ("retrieval", "hybrid")
_PERCENTILES = {"latency_p50_ms": 50, "latency_p95_ms": 95}


@dataclass(frozen=True, slots=True)
class Judged:
    """What one way made of one question; what cannot be known of it is None.

    :param question: The question.
    :param reply: What was answered, or why nothing was.
    :param tried: The routes taken, in turn; none after a failure.
    :param cost: What they cost together; None after a failure.
    :param right: Whether the answer holds what is accepted, or is rightly none.
    :param exact: Whether it is one of the answers wanted, word for word.
    :param f1: How far it shares the words of one.
    :param similarity: How near to the answer wanted its meaning is.
    :param cited: Of each place cited, whether what stands around it holds an accepted answer.
    :param grounded: Whether the evidence backs it.
    """

    question: SuiteQuestion
    reply: Reply | Failure
    tried: tuple[str, ...]
    cost: float | None
    right: float | None
    exact: float | None
    f1: float | None
    similarity: float | None
    cited: tuple[bool, ...] | None
    grounded: bool | None

    @property
    def answer(self) -> str | None:
        """The answer without marks of citations."""
        return said(self.reply)

    @property
    def withheld(self) -> bool:
        """Whether no answer was given, and not for a failure."""
        return isinstance(self.reply, Reply) and self.reply.answer.abstained


def said(reply: Reply | Failure) -> str | None:
    """Return what was answered, without marks of citations; None where nothing was."""
    if isinstance(reply, Failure) or reply.answer.text is None:
        return None
    return without_marks(reply.answer.text)[0]


def wanted(question: SuiteQuestion) -> tuple[str, ...]:
    """Return the answers that are right, the one in full first."""
    if not question.has_answer:
        return ()
    answers = ((question.answer,) if question.answer else ()) + question.accepted
    return answers or (", ".join(question.accepted_all),)


def judge(
    question: SuiteQuestion,
    reply: Reply | Failure,
    costs: Mapping[str, float],
    similarity: Callable[[str, str], float],
    recounted: Callable[[Reply], bool],
) -> Judged:
    """Compare a reply with what its question wants.

    :param costs: Of each route.
    :param similarity: Of the meanings of two texts.
    :param recounted: Whether counting again backs what a table answered.
    """
    answer, right_ones = said(reply), wanted(question)
    parts = (*question.accepted, *question.accepted_all)
    tried = reply.tried if isinstance(reply, Reply) else ()
    dearest = max(costs.values(), default=0.0)
    cited = grounded = None
    if isinstance(reply, Reply) and answer is not None:
        # What is counted stands in no one place.
        if question.has_answer and parts and "table" not in _answerers(reply):
            cited = tuple(
                any(_holds_any(piece.text, parts) for piece in around(citation, reply.evidence))
                for citation in reply.answer.citations
            )
        grounded = _is_grounded(reply, answer, recounted)
    right = None
    if not question.has_answer:
        right = float(isinstance(reply, Reply) and answer is None)
    elif parts:
        right = score(question, answer)
    nearest = right_ones[:1] if question.answer else right_ones
    return Judged(
        question=question,
        reply=reply,
        tried=tried,
        cost=sum(costs.get(route, dearest) for route in tried) if tried else None,
        right=right,
        exact=_best(same_words, answer, right_ones),
        f1=_best(f1, answer, right_ones),
        similarity=_best(similarity, answer, nearest),
        cited=cited,
        grounded=grounded,
    )


def _best(
    measure: Callable[[str, str], float], answer: str | None, right_ones: Sequence[str]
) -> float | None:
    """Return how well an answer meets the nearest of the right ones; one withheld meets none."""
    if not right_ones:
        return None
    return 0.0 if answer is None else max(float(measure(answer, one)) for one in right_ones)


def _is_grounded(reply: Reply, answer: str, recounted: Callable[[Reply], bool]) -> bool | None:
    """Say whether what rests on documents is backed by them; None where nothing does."""
    if "table" in _answerers(reply):
        # Of several answers put together the queries are not at hand.
        return recounted(reply) if "query" in reply.answer.written else None
    if reply.learned:
        text = reply.answer.text or ""
        told = [
            without_marks(text[part.start : part.end])[0]
            for part in reply.parts
            if part.route in _FROM_DOCUMENTS
        ]
        return all(is_backed(one, reply.evidence) for one in told) if told else None
    if reply.route not in _FROM_DOCUMENTS:
        return None
    return is_backed(answer, reply.evidence, reply.answer.written.get("conclusion"))


def _answerers(reply: Reply) -> list[str]:
    return reply.answer.answerer.split("+")


def _holds_any(text: str, parts: Sequence[str]) -> bool:
    said = plain(text)
    return any(tells(said, part) for part in parts)


@dataclass(frozen=True)
class Measured:
    """What one way made of a suite.

    :param way: ``router``, or the route that answered every question.
    :param judged: Its questions, in order.
    """

    way: str
    judged: tuple[Judged, ...]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The questions that it could not be asked."""
        return tuple(one.reply for one in self.judged if isinstance(one.reply, Failure))

    @cached_property
    def figures(self) -> dict[str, float]:
        """What it is measured by; what cannot be known is not among it.

        ``questions`` counts all, ``unanswerable`` those of them that are not to be answered and
        ``failed`` those that could not be asked; :attr:`intervals` has the others' intervals.
        """
        counts = {
            "questions": len(self.judged),
            "unanswerable": sum(not one.question.has_answer for one in self.judged),
            "failed": len(self.failures),
        }
        shares = {name: float(of.sum() / by.sum()) for name, (of, by) in self._shares().items()}
        times = self._times()
        timed = _PERCENTILES if len(times) else {}
        return {
            **counts,
            **shares,
            **{name: float(np.percentile(times, share)) for name, share in timed.items()},
        }

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % bootstrap interval of each figure that has one."""
        found = {}
        for name, (of, by) in self._shares().items():
            found[name] = interval_of(_ratio(of, by), len(of))
        times = self._times()
        for name, share in _PERCENTILES.items() if len(times) else ():
            found[name] = interval_of(_percentile(times, share), len(times))
        return found

    def kinds(self) -> dict[str, tuple[float, int]]:
        """Return the share of right answers and the number of questions of each kind."""
        found: dict[str, list[float]] = {}
        for one in self.judged:
            if one.right is not None:
                found.setdefault(one.question.kind, []).append(one.right)
        return {kind: (float(np.mean(each)), len(each)) for kind, each in found.items()}

    def confidences(self) -> tuple[list[float], list[float]]:
        """Return of the answers given how sure they were, and how right."""
        known = [
            (one.reply.answer.confidence, one.right)
            for one in self.judged
            if isinstance(one.reply, Reply) and one.answer is not None and one.right is not None
        ]
        return [sure for sure, _ in known], [right for _, right in known]

    def _shares(self) -> dict[str, tuple[Floats, Floats]]:
        """Return each figure that is a share or mean: what it is the sum of, by what divided.

        Both question by question, so that they are drawn together.
        """
        asked = [one for one in self.judged if one.question.has_answer]
        others = [one for one in self.judged if not one.question.has_answer]
        cited = [one.cited for one in asked if one.cited is not None]
        used = [one.reply.answer.usage for one in self.judged if isinstance(one.reply, Reply)]
        pairs: dict[str, list[tuple[float, float]]] = {
            "citation_precision": [(sum(each), len(each)) for each in cited],
            "citation_recall": [(any(each), 1) for each in cited],
            "withheld": [(one.withheld, 1) for one in others],
            "falsely_withheld": [(one.withheld, 1) for one in asked],
            # Twice what is rightly withheld, by what is withheld and what is to be, together.
            "abstention_f1": [
                *((2 * one.withheld, 1 + one.withheld) for one in others),
                *((0, one.withheld) for one in asked),
            ],
            "prompt_tokens": [(each.get("prompt_tokens", 0), 1) for each in used],
            "completion_tokens": [(each.get("completion_tokens", 0), 1) for each in used],
        }
        for name in ("right", "exact", "f1", "similarity", "grounded", "cost"):
            values = [getattr(one, name) for one in self.judged]
            pairs[name] = [(value, 1) for value in values if value is not None]
        # Those that do not bear on a figure would only widen its interval.
        bearing = {name: [pair for pair in each if pair[1]] for name, each in pairs.items()}
        return {
            name: (np.array([of for of, _ in each], float), np.array([by for _, by in each], float))
            for name, each in bearing.items()
            if each
        }

    def _times(self) -> Floats:
        """Return how long answers took, in milliseconds.

        The first of each route and adapter waits for its model to be loaded, which is done
        once: it is left out, unless there is no other.
        """
        first: list[float] = []
        times: list[float] = []
        seen: set[tuple[Any, Any]] = set()
        for one in self.judged:
            if isinstance(one.reply, Reply):
                key = (one.tried, one.reply.adapter)
                (times if key in seen else first).append(one.reply.timings_ms["total"])
                seen.add(key)
        return np.array(times or first, dtype=np.float64)


def _ratio(of: Floats, by: Floats) -> Callable[[Places], float]:
    return lambda at: float(of[at].sum() / by[at].sum())


def _percentile(values: Floats, share: float) -> Callable[[Places], float]:
    return lambda at: float(np.percentile(values[at], share))
