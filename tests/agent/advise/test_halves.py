"""The halves of the questions: stratified, and no answer on both sides."""

from collections.abc import Sequence

import pytest

from agent.advise.halves import (
    FEW,
    NEEDED,
    check_count,
    halve,
    judgeable,
    taught_answer,
)
from agent.errors import AdviceError
from agent.suite import SuiteQuestion


def asked(text: str, answer: str | None = None, **fields: object) -> SuiteQuestion:
    return SuiteQuestion(question=text, answer=answer, **fields)


def many(count: int, kind: str = "") -> list[SuiteQuestion]:
    return [asked(f"Who is on floor {n}?", f"Number {n} is.", kind=kind) for n in range(count)]


def test_halves_are_of_one_size_and_kind_and_the_same_for_a_seed() -> None:
    questions = [
        *many(30, "lookup"),
        *(asked(f"What does thing {n} cost?", f"{n} euros.", kind="price") for n in range(11)),
        *(asked(f"Who won cup {n}?") for n in range(8)),
    ]
    halves = halve(questions, 3)
    for kind in ("lookup", "price", ""):
        counts = [sum(one.kind == kind for one in half) for half in (halves.first, halves.second)]
        assert abs(counts[0] - counts[1]) <= 1, kind
    assert len(halves.first) + len(halves.second) == len(questions)
    assert halve(questions, 3) == halves != halve(questions, 4)
    assert halves.folds() == ((halves.first, halves.second), (halves.second, halves.first))


@pytest.mark.parametrize(
    "pair",
    [
        # Nearly the same question.
        (asked("How long is the probation?", "a"), asked("how long is probation", "b")),
        # The same answer from the same document.
        (
            asked("How long is probation?", "Six months.", gold_files=("a.md",)),
            asked("When am I permanent?", "six months", gold_files=("a.md", "b.md")),
        ),
        # The same words, of which there are enough.
        (
            asked("Who signs?", "The head of finance."),
            asked("Whom do I ask?", "the head of finance"),
        ),
    ],
)
def test_questions_of_one_answer_stay_together(pair: tuple[SuiteQuestion, SuiteQuestion]) -> None:
    for seed in range(8):
        halves = halve([*many(24), *pair], seed)
        assert len({pair[0] in halves.first, pair[1] in halves.first}) == 1


def test_documents_may_be_named_in_several_ways() -> None:
    pair = (
        asked("How long is probation?", "Six months.", gold_files=("leave.md",)),
        asked("When am I permanent?", "six months", gold_files=("hr/leave.md",)),
    )

    def names(gold_files: Sequence[str]) -> list[str]:
        return ["hr/leave.md" for one in gold_files if one.endswith("leave.md")]

    for seed in range(8):
        halves = halve([*many(24), *pair], seed, names)
        assert len({pair[0] in halves.first, pair[1] in halves.first}) == 1


def test_yes_is_the_answer_to_many_things() -> None:
    questions = [*many(20), *(asked(f"May I use door {n}?", "Yes.") for n in range(10))]
    yes = [one.answer == "Yes." for one in halve(questions, 0).first]
    assert 2 < sum(yes) < 8


def test_what_cannot_be_halved_is_refused() -> None:
    with pytest.raises(AdviceError, match="cannot be halved: 30 of 30 ask nearly the same"):
        halve([asked(f"Who signs {'the ' * n}form?", "Ann.") for n in range(30)], 0)


def test_too_few_are_refused_and_few_are_warned_of() -> None:
    nothing = [asked(f"Who won {n}?") for n in range(200)]
    with pytest.raises(AdviceError, match=f"^19 questions with an answer: {NEEDED} are needed"):
        check_count([*many(19), *nothing])
    warning = check_count(many(NEEDED))
    assert warning is not None
    assert "less than about 25 points apart" in warning
    assert check_count(many(FEW)) is None


def test_a_short_answer_in_full_is_right_too() -> None:
    both = judgeable(asked("How long?", "90 days after.", accepted=("90 days from the start",)))
    assert both.accepted == ("90 days from the start", "90 days after")
    assert judgeable(asked("How long?", "Ninety days.")).accepted == ("Ninety days",)
    for unchanged in (
        asked("How?", "word " * 13),
        asked("May I?", "No."),
        asked("Who won?", "Nobody knows.", accepted=()),
        asked("Both?", "One and two.", accepted_all=("one", "two")),
    ):
        assert judgeable(unchanged) == unchanged


def test_what_is_taught() -> None:
    assert taught_answer(asked("?", "Six months. ", accepted=("six",))) == "Six months."
    assert taught_answer(asked("?", accepted=("six months",))) == "six months"
    assert taught_answer(asked("?", accepted_all=("one", "two"))) == "one, two"
    assert taught_answer(asked("?", "Off topic.", accepted=())) is None
