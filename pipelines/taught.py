"""What an adapter was taught: which of its questions one is near to, and whose answer it gives."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from adapters.cache import entry
from adapters.card import AdapterCard
from adapters.errors import CacheError
from adapters.training.squad import f1, same_words
from pipelines.embed.embedder import Embedder, Floats
from pipelines.facts import Quantity, quantities
from pipelines.late_interaction import (
    LateInteraction,
    PassageTokens,
    compare,
    late_interaction_for,
    unpack,
)
from pipelines.logistic import Logistic, logistic

CALIBRATION = Path(__file__).parent / "weights" / "adapter.json"
# Words that an answer shares with the one taught, by F1, where a model says it in its own way.
_ALIKE = 0.6
# Of how near a taught question is, the rest is its cosine (docs/decisions.md).
_LATE = 0.6
_YEAR = re.compile(r"(?:19|20)\d\d")


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


def keeps_answers(card: AdapterCard) -> bool:
    """Whether an adapter's card keeps what it was taught, so that its memory can be judged."""
    return 0 < len(card.question_answers) == len(card.questions)


@dataclass(frozen=True, slots=True)
class Near:
    """A question beside those that an adapter was taught.

    :param nearness: float32 [n]: how near each of them is, at most 1.
    :param questions: These questions, and
    :param answers: the answers taught, empty for those that are not kept.
    """

    nearness: Floats
    questions: Sequence[str]
    answers: Sequence[str]

    @property
    def nearest(self) -> int:
        """Place of the nearest one."""
        return int(np.argmax(self.nearness))

    def taught_by(self, answer: str) -> float:
        """Return how near the nearest question is that this answer was taught for, 0 for none."""
        return self._nearest_of(self._with(answer))

    def ahead(self, answer: str) -> float:
        """Return by how much that one is nearer than any that another was taught for."""
        mine = set(self._with(answer))
        others = [n for n in range(len(self.nearness)) if n not in mine]
        return self._nearest_of(mine) - self._nearest_of(others)

    def _nearest_of(self, places: Iterable[int]) -> float:
        return max((float(self.nearness[n]) for n in places), default=0.0)

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
    :param nearness: Returns how near each is to a question; see :class:`Nearness`.
    :param lock: Held while it does.
    """

    def __init__(
        self,
        questions: Sequence[str],
        answers: Sequence[str],
        nearness: Callable[[str], Floats],
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self._questions, self._answers, self._nearness = questions, answers, nearness
        self._lock = lock or nullcontext()

    @classmethod
    def of(
        cls,
        card: AdapterCard,
        embedder: Embedder,
        vectors: Floats,
        lock: AbstractContextManager[object] | None = None,
    ) -> "Taught":
        """Return what an adapter was taught, where its card keeps the answers.

        :param embedder: Embeds questions.
        :param vectors: float32 [n, d]: the vectors of those taught, normalised.
        :param lock: Held while questions are compared.
        """
        questions, answers = card.questions, card.question_answers
        return cls(questions, answers, Nearness(embedder, questions, answers, vectors), lock)

    def near(self, question: str) -> Near | None:
        """Return a question beside these; None where the nearest one's answer is not kept."""
        near = Near(self.nearness(question), self._questions, self._answers)
        return near if near.answers[near.nearest] else None

    def nearness(self, question: str) -> Floats:
        """Return float32 [n]: how near each of these is to a question, at most 1.

        None of those is near that asks of another number: of grade 9, where grade 12 is meant.
        """
        with self._lock:
            nearness = self._nearness(question)
        asked = _telling(question)
        if asked:
            others = [n for n, told in self._numbers.items() if _asks_of_another(asked, told)]
            nearness = nearness.copy()
            nearness[others] = np.minimum(nearness[others], 0)
        return nearness

    @cached_property
    def _numbers(self) -> dict[int, list[Quantity]]:
        """What the questions name that name a number, by their places."""
        read = ((n, _telling(question)) for n, question in enumerate(self._questions))
        return {n: found for n, found in read if found}


def _telling(question: str) -> list[Quantity]:
    """Return a question's numbers but bounds and the "one" that counts nothing; years apart."""
    return [
        Quantity(one.value, one.unit or ("year" if _YEAR.fullmatch(one.value) else ""))
        for one in quantities(question)
        if not one.bound and (one.unit or one.value != "1")
    ]


def _asks_of_another(asked: Sequence[Quantity], taught: Sequence[Quantity]) -> bool:
    """Whether each names a number of the same kind that the other does not."""
    ours = {one.unit for one in asked if not any(one.agrees(other) for other in taught)}
    return any(one.unit in ours for one in taught if not any(one.agrees(other) for other in asked))


class Nearness:
    """How near taught questions are: by their vectors, and by the words of question and answer.

    What is asked in other words often shares some with the answer. Where the embedder gives states
    of tokens, each word of the question looks for its best counterpart in both, as it does in
    passages.

    :param embedder: Embeds questions.
    :param questions: The questions taught, and
    :param answers: their answers.
    :param vectors: float32 [n, d]: the questions' vectors, normalised.
    """

    def __init__(
        self,
        embedder: Embedder,
        questions: Sequence[str],
        answers: Sequence[str],
        vectors: Floats,
    ) -> None:
        self._embedder, self._vectors = embedder, vectors
        self._late = late_interaction_for(embedder.fingerprint)
        self._tokens: list[PassageTokens] = []
        if self._late is not None:
            texts = [f"{one} {other}" for one, other in zip(questions, answers, strict=True)]
            self._tokens = _tokens_of(texts, embedder, self._late)

    def __call__(self, question: str) -> Floats:
        """Return float32 [n]: how near each taught question is, at most 1."""
        asked = self._embedder.embed_query(question)
        cosines: Floats = self._vectors @ asked.vector
        if self._late is None or asked.tokens is None or not len(asked.tokens.token_ids):
            return cosines
        tokens = self._late.question(asked.tokens)
        alike = compare(tokens, self._tokens).best @ tokens.weights
        return (1 - _LATE) * cosines + _LATE * alike


def _tokens_of(
    texts: Sequence[str], embedder: Embedder, late: LateInteraction
) -> list[PassageTokens]:
    """Return the tokens of texts to compare questions with, kept in the cache where it can be."""

    def packed() -> list[bytes]:
        found = sorted(embedder.embed_states(texts), key=lambda one: one.index)
        return [late.pack(one, text, 0) for one, text in zip(found, texts, strict=True)]

    def make(folder: Path) -> None:
        blobs = packed()
        np.save(folder / "lengths.npy", [len(blob) for blob in blobs])
        (folder / "tokens.bin").write_bytes(b"".join(blobs))

    told = json.dumps([embedder.fingerprint, *texts]).encode()
    try:
        folder = entry("taught", hashlib.sha256(told).hexdigest()[:16], make)
    except CacheError:
        return [unpack(blob) for blob in packed()]
    whole, ends = (folder / "tokens.bin").read_bytes(), np.cumsum(np.load(folder / "lengths.npy"))
    return [unpack(whole[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
