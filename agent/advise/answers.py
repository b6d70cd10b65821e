"""Ask by each way, and keep what was answered: a stopped run asks only what is left."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from adapters.errors import ExpertError
from agent.advise.room import Room, TrialWorkspace
from agent.errors import AdviceError
from agent.evaluation.metrics import Judged, judge
from agent.evaluation.recounted import Recount
from agent.expert import Expert, Failure, Question, Reply
from agent.history import turns
from agent.suite import SuiteQuestion
from pipelines.answer import Answer, Citation

WAYS = ("retrieval", "expert", "hybrid", "router")
"""The ways, in the order in which they are told of."""
READING = "reading"
"""As ``hybrid``, by an adapter that was trained with passages; measured where there is time."""
ADAPTER = "taught"
# Asked one by one, so that it is known how long one takes; the first one loads the model.
_ALONE = 6
_TOGETHER = 8
LEAST_ASKED = 8
"""Questions that are asked whatever time it takes: of fewer nothing can be said."""


@dataclass(frozen=True, slots=True)
class Key:
    """Which answer of an advice it is.

    :param stage: ``new`` for questions that were not taught, ``taught`` for those that were,
        ``changed`` for those taught whose documents changed since.
    :param fold: Direction of teaching and asking, from 1.
    :param way: Of :data:`WAYS`.
    :param place: Of the question among all.
    """

    stage: str
    fold: int
    way: str
    place: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be asked.

    :param stage: As of :class:`Key`.
    :param ways: By which ways.
    :param places: Which questions.
    """

    stage: str
    ways: Sequence[str]
    places: Sequence[int]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, judged.

    :param judged: What it was.
    :param alone: Whether nothing else was asked meanwhile.
    """

    judged: Judged
    alone: bool


class Answers:
    """The answers of an advice, in a file.

    :param room: Whose.
    :param questions: All its questions.
    """

    def __init__(self, room: Room, questions: Sequence[SuiteQuestion]) -> None:
        self._room, self._questions = room, questions
        self._told = dict(_read(room.answers, questions))

    def of(self, stage: str, way: str, folds: Iterable[int] = (1, 2)) -> dict[int, Told]:
        """Return the answers of a stage by a way, by their questions' places."""
        among = set(folds)
        return {
            key.place: told
            for key, told in self._told.items()
            if (key.stage, key.way) == (stage, way) and key.fold in among
        }

    def places(self, stage: str, ways: Sequence[str], folds: Iterable[int] = (1, 2)) -> list[int]:
        """Return the places of the questions that were asked by all of some ways."""
        each = [set(self.of(stage, way, folds)) for way in ways]
        return sorted(set.intersection(*each)) if each else []

    def seconds_alone(self, way: str) -> float | None:
        """Return the median seconds of a question asked by itself; None where none was."""
        times = [
            told.judged.reply.timings_ms["total"]
            for told in self.of("new", way).values()
            if told.alone and isinstance(told.judged.reply, Reply)
        ]
        # The first one waited for the model.
        return statistics.median(times[1:] or times) / 1000 if times else None

    def ask(
        self,
        workspace: TrialWorkspace,
        fold: int,
        wanted: Sequence[Wanted],
        *,
        until: float = float("inf"),
        told: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        """Ask what was not asked yet.

        :param fold: Direction, whose adapter the workspace has.
        :param wanted: What to ask, in turn.
        :param until: Seconds of training and asking after which no more is begun; a question that
            was begun is asked by every way all the same.
        :param told: Told how many were asked, and of how many.
        """
        each = [Key(w.stage, fold, way, p) for w in wanted for p in w.places for way in w.ways]
        left = [key for key in each if key not in self._told]
        if not left:
            return
        done = len(each) - len(left)
        # How long one takes is asked once, of questions that no adapter knows.
        first = wanted[0].places[:_ALONE] if wanted[0].stage == "new" and fold == 1 else ()
        recount = Recount(workspace)
        with Expert(workspace) as expert, self._room.answers.open("ab") as file:
            for block in _blocks(left, first):
                if self._room.spent() > until and done >= LEAST_ASKED * len(wanted[0].ways):
                    return
                began = time.monotonic()
                for together in block:
                    self._ask(expert, recount, file, together)
                    done += len(together)
                    told(done, len(each))
                self._room.spend("ask", time.monotonic() - began)

    def _ask(self, expert: Expert, recount: Recount, file: BinaryIO, keys: Sequence[Key]) -> None:
        replies = expert.ask_many([_question(self._questions[k.place], k.way) for k in keys])
        costs = expert.workspace.settings.router.costs
        for key, reply in zip(keys, replies, strict=True):
            # Nearness of meaning is not asked for here, and would take the embedder's time.
            question = self._questions[key.place]
            judged = judge(question, reply, costs, lambda one, other: 0.0, recount.backs)
            one = Told(replace(judged, similarity=None), len(keys) == 1)
            file.write(f"{json.dumps(_to_dict(key, one))}\n".encode())
            file.flush()
            self._told[key] = one
        os.fsync(file.fileno())


def _question(question: SuiteQuestion, way: str) -> Question:
    route = {"router": None, READING: "hybrid"}.get(way, way)
    adapter = ADAPTER if route in ("expert", "hybrid") else None
    return Question(question.question, turns(question.history), route, adapter)


def _blocks(left: Sequence[Key], alone: Sequence[int]) -> Iterator[list[list[Key]]]:
    """Yield what is asked before the clock is looked at: first one by one, then together.

    :param alone: Places of the questions to ask one by one, where they are new.
    """
    order = (*WAYS, READING)
    single = [key for key in left if key.stage == "new" and key.place in alone]
    if single:
        # By turns of the ways, since a question's passages are kept until another is asked.
        yield [[key] for key in sorted(single, key=lambda key: order.index(key.way))]
    by_question: dict[tuple[str, int], list[Key]] = {}
    for key in left:
        if key.stage != "new" or key.place not in alone:
            by_question.setdefault((key.stage, key.place), []).append(key)
    questions = list(by_question.values())
    for start in range(0, len(questions), _TOGETHER):
        yield [[key for keys in questions[start : start + _TOGETHER] for key in keys]]


def _to_dict(key: Key, told: Told) -> dict[str, Any]:
    judged = told.judged
    return {
        "key": asdict(key),
        "alone": told.alone,
        "reply": _reply_to_dict(judged.reply),
        "judged": {name: getattr(judged, name) for name in _KEPT},
    }


_KEPT = ("tried", "cost", "right", "exact", "f1", "cited", "grounded")


def _reply_to_dict(reply: Reply | Failure) -> dict[str, Any]:
    if isinstance(reply, Failure):
        return {"error": str(reply.error)}
    answer = reply.answer
    return {
        "route": reply.route,
        "adapter": reply.adapter,
        "ms": reply.timings_ms["total"],
        "text": answer.text,
        "confidence": answer.confidence,
        "reason": answer.reason,
        "answerer": answer.answerer,
        "citations": [asdict(one) for one in answer.citations],
        "usage": dict(answer.usage),
    }


def _reply(question: str, kept: Mapping[str, Any], tried: tuple[str, ...]) -> Reply | Failure:
    if "error" in kept:
        return Failure(question, ExpertError(kept["error"]))
    answer = Answer(
        kept["text"],
        kept["confidence"],
        tuple(Citation(**one) for one in kept["citations"]),
        reason=kept["reason"],
        answerer=kept["answerer"],
        usage=kept["usage"],
    )
    times = {"total": float(kept["ms"])}
    return Reply(
        question, question, answer, kept["route"], kept["adapter"], (), (), times, tried=tried
    )


def _read(path: Path, questions: Sequence[SuiteQuestion]) -> Iterator[tuple[Key, Told]]:
    """Yield what was kept; a last line that was cut off is cut away.

    :raises AdviceError: When another line is damaged.
    """
    if not path.is_file():
        return
    with path.open("r+b") as file:
        whole = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                kept = _kept(json.loads(line), questions)
            except (ValueError, LookupError, TypeError):
                raise AdviceError(
                    f"{path}, line {number} cannot be read: remove that line, or give --fresh"
                ) from None
            yield kept
            whole += len(line)
        file.truncate(whole)


def _kept(told: Mapping[str, Any], questions: Sequence[SuiteQuestion]) -> tuple[Key, Told]:
    """Return what :func:`_to_dict` told."""
    key, judged = Key(**told["key"]), told["judged"]
    question, tried = questions[key.place], tuple(judged["tried"])
    cited = None if judged["cited"] is None else tuple(judged["cited"])
    return key, Told(
        Judged(
            question=question,
            reply=_reply(question.question, told["reply"], tried),
            similarity=None,
            **{**judged, "tried": tried, "cited": cited},
        ),
        told["alone"],
    )
