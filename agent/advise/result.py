"""What an advice found: how right each way is, what it costs, what it tells when facts change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.advise.answers import ADAPTER, LEAST_ASKED, READING, WAYS, Answers
from agent.advise.changed import ChangedFact, ChangedFacts
from agent.advise.documents import Documents
from agent.advise.room import Room
from agent.advise.verdict import Candidate, Verdict, decide
from agent.errors import AdviceError
from agent.evaluation.compare import Evaluation
from agent.evaluation.metrics import Judged, Measured
from agent.router.statistics import interval
from agent.suite import SuiteQuestion

_TRAINED = ("expert", "hybrid", READING, "router")


@dataclass(frozen=True, slots=True)
class Stale:
    """What a way tells of facts that changed, without a new training.

    :param facts: How many.
    :param new: Of them told as they are now, and
    :param old: as they were, and
    :param withheld: not told; the others are told otherwise.
    """

    facts: int
    new: int
    old: int
    withheld: int

    @property
    def other(self) -> int:
        """Told otherwise."""
        return self.facts - self.new - self.old - self.withheld

    def to_dict(self) -> dict[str, float]:
        """Return the shares."""
        names = ("new", "old", "withheld", "other")
        return {"facts": self.facts, **{n: getattr(self, n) / self.facts for n in names}}


@dataclass(frozen=True)
class Advice:
    """All that was found.

    :param room: Where it was.
    :param documents: The documents.
    :param questions: All questions.
    :param answers: What was answered.
    :param changed: What changed in the documents.
    :raises AdviceError: When too few questions were asked by every way.
    """

    room: Room
    documents: Documents
    questions: Sequence[SuiteQuestion]
    answers: Answers
    changed: ChangedFacts

    def __post_init__(self) -> None:
        if len(self.places) < LEAST_ASKED:
            raise AdviceError(
                f"only {len(self.places)} questions were asked by every way in the time given: "
                "give more --budget-minutes, and --fresh"
            )

    @cached_property
    def ways(self) -> tuple[str, ...]:
        """The ways that were measured; the one that reads only where it had the time for all."""
        asked = self.answers.places("new", WAYS)
        return (*WAYS, READING) if asked == self.answers.places("new", (*WAYS, READING)) else WAYS

    @cached_property
    def places(self) -> list[int]:
        """The questions that every way was asked."""
        return self.answers.places("new", WAYS)

    @cached_property
    def evaluation(self) -> Evaluation:
        """What each way made of questions that were not taught."""
        return Evaluation({way: Measured(way, tuple(self._judged(way))) for way in self.ways})

    @cached_property
    def by(self) -> str:
        """What ways are judged by: ``right``, or ``f1`` where no words are accepted."""
        known = (one for one in self.questions if one.has_answer)
        return "right" if any(one.accepted or one.accepted_all for one in known) else "f1"

    @cached_property
    def shares(self) -> dict[str, tuple[float, float, float]]:
        """How right each way is, from 0 to 1, and the ends of the 95 % interval.

        A question with no accepted words counts by its F1, one that nothing answers by whether
        the answer was withheld.
        """
        found = {}
        for way, measured in self.evaluation.ways.items():
            scores = [self._score(one) for one in measured.judged]
            found[way] = (_mean(scores) or 0.0, *interval(scores))
        return found

    @cached_property
    def stale(self) -> dict[str, Stale]:
        """What each way tells of changed facts; empty where none could be changed."""
        found = {}
        ways = self.ways
        common = set(self.answers.places("changed", ways))
        for way in ways:
            told = self.answers.of("changed", way)
            each = [self._told(fact.place, told) for fact in self._facts if fact.place in common]
            if each:
                counts = [each.count(what) for what in ("new", "old", "withheld")]
                found[way] = Stale(len(each), *counts)
        return found

    @cached_property
    def knew(self) -> float | None:
        """Share of the changed facts that the adapter told rightly before they changed."""
        told = self.answers.of("taught", "expert")
        known = [f for f in self._facts if f.place in told]
        if not known:
            return None
        right = [f for f in known if f.change.told(told[f.place].judged.answer or "") == "old"]
        return len(right) / len(known)

    @cached_property
    def taught_right(self) -> float | None:
        """Share of what the adapter was taught that it tells again when asked the same."""
        told = [one.judged for one in self.answers.of("taught", "expert").values()]
        scores = [self._score(one) for one in told]
        return sum(scores) / len(scores) if scores else None

    @cached_property
    def verdict(self) -> Verdict:
        """Which way to use."""
        return decide(
            {
                way: Candidate(
                    [self._score(one) for one in self.evaluation.ways[way].judged],
                    way in _TRAINED,
                    self.stale[way].to_dict()["old"] if way in self.stale else None,
                    self.answers.seconds_alone(way),
                )
                for way in self.ways
            }
        )

    @cached_property
    def costs(self) -> dict[str, Any]:
        """What it takes to keep each way: seconds and bytes, as measured here."""
        state = self.room.state
        trained = state.get("trained", {})
        own = [v for name, v in trained.items() if name.startswith("fold")]
        return {
            "index_s": state["indexed"]["seconds"],
            "index_bytes": state["indexed"]["bytes"],
            "reindex_s": state.get("reindex_s", 0.0),
            "changed_documents": len(self.changed.documents),
            "train_s": _mean([one["took"] for one in own]),
            "train_rows": _mean([one["rows"] for one in own]),
            "adapter_bytes": self.room.fold(1).adapter_bytes(ADAPTER),
            "reading_train_s": _mean(
                [v["took"] for name, v in trained.items() if name.startswith("reading")]
            ),
            "seconds": {way: self.answers.seconds_alone(way) for way in self.ways},
        }

    @cached_property
    def trained_share(self) -> float:
        """Share of the steps wanted that the shortest training had the time for."""
        trained = self.room.state.get("trained", {}).values()
        wanted = [one["steps"] / one["wanted_steps"] for one in trained if one.get("wanted_steps")]
        return min(wanted, default=1.0)

    @property
    def training_data(self) -> Path:
        """All questions and answers, as ``expert train`` reads them."""
        return self.room.folder / "training.jsonl"

    def training_options(self, way: str) -> str:
        """Return how the adapter of a way was trained, as options of ``expert train``."""
        trained = self.room.state.get("trained", {})
        return str(trained.get("reading-1" if way == READING else "fold-1", {}).get("options", ""))

    def worst(self) -> list[int]:
        """Return the questions that went worst by the way to use, those it was surest of first."""
        found = self.evaluation.ways[self.verdict.way].judged
        wrong = [
            (one.answer is not None, self._sure(one), -n)
            for n, one in enumerate(found)
            if self._score(one) < _HALF
        ]
        return [-n for _, _, n in sorted(wrong, reverse=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return the advice as ``expert advise --json`` prints it."""
        evaluation, verdict = self.evaluation.to_dict(), self.verdict
        seconds = self.costs["seconds"]
        ways = {
            way: {
                "share": self.shares[way][0],
                "share_interval": [*self.shares[way][1:]],
                **{k: v for k, v in figures.items() if not k.startswith(("latency", "similarity"))},
                "seconds": seconds[way],
                "when_changed": self.stale[way].to_dict() if way in self.stale else None,
            }
            for way, figures in evaluation["ways"].items()
        }
        return {
            "outcome": verdict.outcome,
            "use": verdict.way if verdict.outcome == "use" else None,
            "begin_with": verdict.way if verdict.outcome == "open" else None,
            "more_questions": verdict.more,
            "measured_by": self.by,
            "questions": len(self.questions),
            "asked": len(self.places),
            "documents": self.room.state["indexed"]["documents"],
            "folds": self.room.state["folds"],
            "ways": ways,
            "against": {
                way: {
                    "difference": found.difference,
                    "interval": [found.low, found.high],
                    "p_better": found.p_better,
                }
                for way, found in verdict.against.items()
            },
            "taught_right": self.taught_right,
            "costs": self.costs,
        }

    @property
    def _facts(self) -> Sequence[ChangedFact]:
        return self.changed.facts

    def _judged(self, way: str) -> list[Judged]:
        told = self.answers.of("new", way)
        return [told[place].judged for place in self.places]

    @staticmethod
    def _score(one: Judged) -> float:
        return float(one.right if one.right is not None else one.f1 or 0.0)

    def _told(self, place: int, told: Mapping[int, Any]) -> str:
        answer = told[place].judged.answer
        if answer is None:
            return "withheld"
        fact = next(fact for fact in self._facts if fact.place == place)
        return fact.change.told(answer) or "other"

    @staticmethod
    def _sure(one: Judged) -> float:
        answer = getattr(one.reply, "answer", None)
        return 0.0 if answer is None else float(answer.confidence)


_HALF = 0.5


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
