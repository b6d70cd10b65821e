"""Advise: index, teach, ask, change, ask again; each step once, whatever stopped in between."""

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agent.advise.answers import READING, WAYS, Answers, Wanted
from agent.advise.changed import ChangedFacts, change_facts, kept, put_in_place, to_keep
from agent.advise.documents import Documents
from agent.advise.halves import halve, judgeable, taught_answer
from agent.advise.result import Advice
from agent.advise.room import Room
from agent.advise.teach import is_taught, teach, write_rows
from agent.errors import AdviceError
from agent.printable import one_line
from agent.suite import SuiteQuestion

if TYPE_CHECKING:
    from adapters.training.progress import Progress
    from pipelines.index_report import IndexReport

# Shares of the budget: a first training at most, both first steps, and all but the last one.
_TEACH, _ASK, _ALL_BUT_CHANGE = 0.3, 0.6, 0.85
# What asking about changed documents takes, beside asking a half by every way.
_CHANGE_TAKES = 0.4
# What the adapter that reads takes of all asking: it writes long, as hybrid does.
_READ = 0.7
# Minutes under which training with passages is not begun; rows with passages are long.
_LEAST_READING = 3.0


class Watcher(Protocol):
    """Follows an advice."""

    def say(self, line: str) -> None:
        """Take a line that tells what is done next."""

    def counting(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Give what takes how many are done, and of how many."""

    def training(self) -> AbstractContextManager[Callable[["Progress"], None]]:
        """Give what follows a training."""

    def index(self, room: Room) -> "IndexReport":
        """Bring the index in step with the copied documents."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an advice is asked to do.

    :param documents: The documents.
    :param questions: The questions.
    :param budget: Minutes that training and asking may take.
    :param seed: Decides halves, training and changes.
    """

    documents: Documents
    questions: tuple[SuiteQuestion, ...]
    budget: float
    seed: int = 0


def advise(room: Room, plan: Plan, watch: Watcher) -> Advice:
    """Measure every way on questions that were not taught, and after documents changed.

    :param room: Where; what is done there already is not done again.
    :raises AdviceError: When nothing can be advised.
    """
    return _Run(room, plan, watch).advice()


class _Run:
    def __init__(self, room: Room, plan: Plan, watch: Watcher) -> None:
        self._room, self._plan, self._watch = room, plan, watch
        self._questions = tuple(judgeable(one) for one in plan.questions)
        halves = halve(self._questions, plan.seed, plan.documents.names)
        places = {id(one): place for place, one in enumerate(self._questions)}
        self._folds = [
            ([places[id(one)] for one in taught], [places[id(one)] for one in asked])
            for taught, asked in halves.folds()
        ]
        # Where time ends early, what was asked is to be of all kinds.
        chance = random.Random(plan.seed)  # noqa: S311
        for _, asked in self._folds:
            chance.shuffle(asked)
        self._answers = Answers(room, self._questions)
        self._budget = 60 * plan.budget

    def advice(self) -> Advice:
        """Do what is left to do."""
        state = self._room.state
        # Once documents change, nothing more is asked about them as they were.
        if "to_change" not in state:
            self._index()
            self._fold(1, self._budget * _ASK)
            if self._second_fits():
                self._fold(2, self._budget * _ALL_BUT_CHANGE)
            state["to_ask"] = sum(len(asked) for _, asked in self._folds[: state["folds"]])
            self._reading()
        if "changed" not in state:
            self._change()
        changed = kept(state["changed"])
        self._ask_changed(changed)
        advice = Advice(self._room, self._plan.documents, self._questions, self._answers, changed)
        write_rows(advice.training_data, self._questions, self._plan.documents)
        return advice

    def _index(self) -> None:
        state = self._room.state
        if "indexed" in state:
            return
        self._watch.say(f"Copying and indexing {len(self._plan.documents.files)} documents")
        self._plan.documents.copy(self._room.documents)
        report = self._watch.index(self._room)
        if not report.documents + report.unchanged:
            reasons = "; ".join(f"{one.path}: {one.reason}" for one in report.skipped[:3])
            raise AdviceError(f"none of the documents could be read: {one_line(reasons)}")
        state["indexed"] = {
            "documents": report.documents + report.unchanged,
            "seconds": report.seconds,
            "bytes": self._room.base.index_bytes(),
            "skipped": [[one.path, one.reason] for one in report.skipped],
        }
        self._room.keep()

    def _fold(self, number: int, until: float) -> None:
        taught, asked = self._folds[number - 1]
        self._teach(number, taught, self._budget * _TEACH / 60)
        known = [n for n in taught if taught_answer(self._questions[n]) is not None]
        self._watch.say(
            f"Asking {len(asked)} questions that were not taught, by every way, and {len(known)} "
            "that were, by the adapter alone"
        )
        wanted = [Wanted("new", WAYS, asked), Wanted("taught", ("expert",), known)]
        self._ask(number, wanted, until)

    def _teach(
        self, number: int, places: Sequence[int], minutes: float, *, reading: bool = False
    ) -> None:
        workspace = self._room.fold(number, reading=reading)
        if is_taught(workspace):
            return
        # A run that is resumed with another budget goes on with the training as it was begun.
        fitted = self._room.state.setdefault("minutes", {})
        minutes = fitted.setdefault(workspace.path.name, minutes)
        self._room.keep()
        how = "to answer from passages" if reading else "to answer by itself"
        self._watch.say(f"Training an adapter {how}, on {len(places)} of the questions")
        with self._watch.training() as told:
            teach(
                self._room,
                workspace,
                [self._questions[place] for place in places],
                self._plan.documents,
                minutes=minutes,
                seed=self._plan.seed,
                reading=reading,
                told=told,
            )

    def _second_fits(self) -> bool:
        """Whether there is time to teach and ask the other way round; settled once."""
        state, room = self._room.state, self._room
        if "folds" not in state:
            left = self._budget - room.spent()
            needed = room.spent() + _CHANGE_TAKES * room.spent("ask")
            state["folds"] = 2 if needed <= left else 1
            room.keep()
        if state["folds"] == 1:
            self._watch.say("There is no time to teach and ask the other way round")
        return bool(state["folds"] == 2)

    def _reading(self) -> None:
        """Teach adapters to answer from passages too, where there is time for it."""
        state, room = self._room.state, self._room
        if "reading_minutes" not in state:
            asking = room.spent("ask")
            left = self._budget * _ALL_BUT_CHANGE - room.spent() - (_READ + _CHANGE_TAKES) * asking
            minutes = left / 60 / state["folds"]
            state["reading_minutes"] = minutes if minutes >= _LEAST_READING else 0.0
            room.keep()
        if not state["reading_minutes"]:
            self._watch.say("There is no time to train with passages of the documents too")
            return
        for number, (taught, asked) in enumerate(self._folds[: state["folds"]], 1):
            self._teach(number, taught, state["reading_minutes"], reading=True)
            places = [p for p in asked if p in self._answers.of("new", "hybrid", [number])]
            self._watch.say(f"Asking {len(places)} of the questions by it")
            self._ask(number, [Wanted("new", (READING,), places)], self._budget)

    def _change(self) -> None:
        room, plan = self._room, self._plan
        taught = [n for places, _ in self._folds[: room.state["folds"]] for n in places]
        known = [n for n in taught if taught_answer(self._questions[n]) is not None]
        self._watch.say("Changing facts in a fifth of the documents, and indexing them again")
        if "to_change" not in room.state:
            changed = change_facts(room, plan.documents, self._questions, known, plan.seed)
            room.state["to_change"] = to_keep(changed)
            room.keep()
        changed = kept(room.state["to_change"])
        put_in_place(room, changed)
        report = self._watch.index(room)
        room.state["reindex_s"] = room.state.get("reindex_s", 0.0) + report.seconds
        room.state["changed"] = room.state["to_change"]
        room.keep()

    def _ask_changed(self, changed: ChangedFacts) -> None:
        facts = {fact.place for fact in changed.facts}
        ways = (*WAYS, READING) if self._room.state["reading_minutes"] else WAYS
        for number, (taught, _) in enumerate(self._folds[: self._room.state["folds"]], 1):
            places = [place for place in taught if place in facts]
            if not places:
                continue
            self._watch.say(f"Asking {len(places)} questions whose answers changed, by every way")
            for some in filter(None, (WAYS, ways[len(WAYS) :])):
                self._ask(number, [Wanted("changed", some, places)], self._budget)

    def _ask(self, number: int, wanted: Sequence[Wanted], until: float) -> None:
        workspace = self._room.fold(number, reading=READING in wanted[0].ways)
        with self._watch.counting("Asking") as told:
            self._answers.ask(workspace, number, wanted, until=until, told=told)
