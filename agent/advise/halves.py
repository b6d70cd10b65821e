"""The questions to advise on: enough of them, and in two halves that share no answer."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from adapters.training.checks import LEAST
from adapters.training.examples import Example, Message
from adapters.training.sameness import normalised, question_keys
from agent.errors import AdviceError
from agent.follow_up import standalone
from agent.history import turns
from agent.suite import SuiteQuestion

Names = Callable[[Sequence[str]], Sequence[str]]
NEEDED = 20
"""Questions with an answer without which nothing is said: an adapter learns from half of them."""
FEW = 100
"""With fewer, ways must be some twenty points apart to be told apart."""
# An answer of more words is not to be met word for word.
_MOST_WORDS, _FEWEST_LETTERS = 12, 4
_SAYS_LITTLE = 3


@dataclass(frozen=True, slots=True)
class Halves:
    """Questions in two parts: learned from one, measured on the other, and the reverse.

    :param first: The one half.
    :param second: The other.
    """

    first: tuple[SuiteQuestion, ...]
    second: tuple[SuiteQuestion, ...]

    def folds(self) -> tuple[tuple[tuple[SuiteQuestion, ...], tuple[SuiteQuestion, ...]], ...]:
        """Return what is taught and what is asked, in each of both directions."""
        return (self.first, self.second), (self.second, self.first)


def judgeable(question: SuiteQuestion) -> SuiteQuestion:
    """Return a question that takes the answer in full for right, too, where that is short.

    An adapter says an answer as it was taught, and not as a document does.
    """
    answer = (question.answer or "").strip().rstrip(".")
    # "No" is found in "nothing".
    if not question.has_answer or len(answer) < _FEWEST_LETTERS or question.accepted_all:
        return question
    if not question.accepted and len(answer.split()) > _MOST_WORDS:
        return question
    return question.model_copy(update={"accepted": (*question.accepted, answer)})


def taught_answer(question: SuiteQuestion) -> str | None:
    """Return the answer that an adapter is taught; None where there is none to teach."""
    if not question.has_answer:
        return None
    told = question.answer or ", ".join(question.accepted_all) or next(iter(question.accepted), "")
    return told.strip() or None


def asked_alone(question: SuiteQuestion) -> str:
    """Return a question as it is searched for, completed from its conversation."""
    return standalone(question.question, turns(question.history))


def check_count(questions: Sequence[SuiteQuestion]) -> str | None:
    """Return a warning where questions are few.

    :raises AdviceError: When they are too few to say anything.
    """
    count = sum(taught_answer(one) is not None for one in questions)
    if count < NEEDED:
        raise AdviceError(
            f"{count} question{'' if count == 1 else 's'} with an answer: {NEEDED} are needed, "
            f"since an adapter is taught half of them (training needs {LEAST}) and asked the "
            f"others; {FEW} say more"
        )
    if count < FEW:
        return (
            f"{count} questions with an answer are few: ways less than about "
            f"{apart(count):.0f} points apart will look alike; {FEW} or more say more"
        )
    return None


def apart(count: int) -> float:
    """Return by how many points ways must differ on so many questions not to look alike.

    Twice the standard error of a paired difference where the ways disagree on a third of them.
    """
    return float(100 * 1.96 * (1 / 3 / max(count, 1)) ** 0.5)


def halve(questions: Sequence[SuiteQuestion], seed: int, names: Names = tuple) -> Halves:
    """Return two halves of about as many questions of each kind.

    Questions that ask nearly the same, or that the same words of the same document answer, stay
    in one half: what is asked was then not taught in other words.

    :param seed: Decides which go where; the same seed gives the same halves.
    :param names: Returns the documents that ``gold_files`` mean, which may be written in several
        ways; see :meth:`agent.advise.documents.Documents.names`.
    :raises AdviceError: When too few would be taught in one half.
    """
    groups = _groups(questions, names)
    random.Random(seed).shuffle(groups)  # noqa: S311
    # Large ones first, so that small ones even them out.
    groups.sort(key=len, reverse=True)
    sides: tuple[list[int], list[int]] = ([], [])
    counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for group in groups:
        kind = _stratum(questions[group[0]])
        side = min((0, 1), key=lambda n: (counts[n].get(kind, 0), len(sides[n])))
        sides[side].extend(group)
        for place in group:
            one = _stratum(questions[place])
            counts[side][one] = counts[side].get(one, 0) + 1
    first, second = (tuple(questions[place] for place in sorted(side)) for side in sides)
    for half in (first, second):
        taught = sum(taught_answer(one) is not None for one in half)
        if taught < LEAST:
            raise AdviceError(
                f"the questions cannot be halved: {len(questions) - len(half)} of "
                f"{len(questions)} ask nearly the same or have the same answer; ask for more facts"
            )
    return Halves(first, second)


def _stratum(question: SuiteQuestion) -> str:
    return f"{question.kind}/{question.has_answer}"


def _groups(questions: Sequence[SuiteQuestion], names: Names) -> list[list[int]]:
    """Return the places of questions that belong together."""
    leader = list(range(len(questions)))

    def lead(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    seen: dict[object, int] = {}
    examples = [
        Example((Message("user", asked_alone(one)), Message("assistant", "")), place)
        for place, one in enumerate(questions)
    ]
    for place, (key, one) in enumerate(zip(question_keys(examples), questions, strict=True)):
        for mark in (("question", key), *_answers(one, names)):
            leader[lead(place)] = lead(seen.setdefault(mark, place))
    groups: dict[int, list[int]] = {}
    for place in range(len(questions)):
        groups.setdefault(lead(place), []).append(place)
    return list(groups.values())


def _answers(question: SuiteQuestion, names: Names) -> Iterator[object]:
    """Yield what is alike for questions of the same answer: its words, and where they stand."""
    if not question.has_answer:
        return
    told = (*question.accepted, *question.accepted_all, question.answer or "")
    files = names(question.gold_files) or question.gold_files
    for words in {normalised(text) for text in told if text.strip()}:
        for file in files:
            yield "answer", words, file
        # "Yes." is the answer to many things.
        if not files and len(words.split()) >= _SAYS_LITTLE:
            yield "answer", words
