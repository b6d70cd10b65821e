"""What an adapter was taught: which of its questions one is near to, and whose answer it gives."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from adapters.training.squad import f1, same_words
from pipelines.embed.embedder import Floats
from pipelines.facts import quantities
from pipelines.logistic import Logistic, logistic

CALIBRATION = Path(__file__).parent / "weights" / "adapter.json"
# Words that an answer shares with the one taught, by F1, where a model says it in its own way.
_ALIKE = 0.6


@dataclass(frozen=True, slots=True)
class Calibration:
    """How sure an adapter's answer is, and from when on it is given.

    Fitted by ``benchmarks/calibrate_adapter.py`` on what the examples' adapters were taught, asked
    in other words, and on what they were not.

    :param answer: Over :func:`features`.
    :param threshold: Least probability that is given as an answer.
    """

    answer: Logistic
    threshold: float


@cache
def load_calibration() -> Calibration:
    """Return the shipped calibration."""
    shipped = json.loads(CALIBRATION.read_text(encoding="utf-8"))["calibration"]
    return Calibration(logistic(shipped["answer"]), shipped["threshold"])


@dataclass(frozen=True, slots=True)
class Near:
    """A question beside those that an adapter was taught.

    :param cosines: float32 [n]: how near each of them is.
    :param questions: These questions, and
    :param answers: the answers taught, empty for those that are not kept.
    """

    cosines: Floats
    questions: Sequence[str]
    answers: Sequence[str]

    @property
    def nearest(self) -> int:
        """Place of the nearest one."""
        return int(np.argmax(self.cosines))

    def taught_by(self, answer: str) -> float:
        """Return the cosine of the nearest question that this answer was taught for, 0 for none."""
        return self._nearest_of(self._with(answer))

    def ahead(self, answer: str) -> float:
        """Return by how much that one is nearer than any that another was taught for."""
        mine = set(self._with(answer))
        others = [n for n in range(len(self.cosines)) if n not in mine]
        return self._nearest_of(mine) - self._nearest_of(others)

    def _nearest_of(self, places: Iterable[int]) -> float:
        return max((float(self.cosines[n]) for n in places), default=0.0)

    def _with(self, answer: str) -> list[int]:
        """Return the places of questions that an answer was taught for, in its words or others."""
        kept = [n for n, taught in enumerate(self.answers) if taught]
        same = [n for n in kept if same_words(answer, self.answers[n])]
        if same:
            return same
        alike = [n for n in kept if f1(answer, self.answers[n]) >= _ALIKE]
        values = {quantity.value for quantity in quantities(answer)} if alike else set()
        return [n for n in alike if {q.value for q in quantities(self.answers[n])} == values]


def features(near: Near, answer: str, agrees: bool, probability: float) -> tuple[float, ...]:
    """Return what is known of an adapter's answer.

    That is: how near the question is to the nearest one that the answer was taught for, and by
    how much nearer than to any other; whether the adapter said it to the question as it was put;
    the mean probability of the tokens that it chose then.
    """
    return near.taught_by(answer), near.ahead(answer), float(agrees), probability


class Taught:
    """The questions and answers that an adapter was taught, all of them.

    :param questions: The questions.
    :param answers: Of each its answer; empty where it is long or rests on more than the question.
    :param vectors: float32 [n, d]: the questions' vectors, normalised.
    :param embed: Returns the vector of a question.
    """

    def __init__(
        self,
        questions: Sequence[str],
        answers: Sequence[str],
        vectors: Floats,
        embed: Callable[[str], Floats],
    ) -> None:
        self._questions, self._answers = questions, answers
        self._vectors, self._embed = vectors, embed

    def near(self, question: str) -> Near | None:
        """Return a question beside these; None where the nearest one's answer is not kept."""
        near = Near(self._vectors @ self._embed(question), self._questions, self._answers)
        return near if near.answers[near.nearest] else None
