"""What a question compares, and what the amounts found come to."""

import json
from pathlib import Path

import pytest

from agent.compare import Comparison, compared

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        (
            "Which runway is longer, that of Basel or that of Faro?",
            ("How long is the runway of Basel?", "How long is the runway of Faro?"),
        ),
        (
            "Is the runway of Basel longer than that of Faro?",
            ("How long is the runway of Basel?", "How long is the runway of Faro?"),
        ),
        (
            "Which of the two, a refund or an exchange, takes longer?",
            ("How long takes a refund?", "How long takes an exchange?"),
        ),
        (
            "Do I get more days off for a move than for a wedding?",
            (
                "How many days off do I get for a move?",
                "How many days off do I get for a wedding?",
            ),
        ),
        (
            "Which test needs a longer fast, the blood test or the breath test?",
            ("How long a fast needs the blood test?", "How long a fast needs the breath test?"),
        ),
        (
            "Does Basel lie higher than Faro?",
            ("How high does Basel lie?", "How high does Faro lie?"),
        ),
    ],
)
def test_each_thing_is_asked_about_by_itself(question: str, asked: tuple[str, str]) -> None:
    found = compared(question)
    assert found is not None
    assert found.questions == asked


@pytest.mark.parametrize(
    "question",
    [
        "",
        "How long is the runway of Basel?",
        "Which colour is it, red or blue?",
        "Are dogs allowed, or cats?",
        "How much longer than a week is it?",
        "Is the newer jab better than the old one?",
        "May I stay longer, and who decides it?",
        "Does the review of a voucher take longer than 30 days?",
        "Does the review of a voucher take more than a week?",
        "Is probation for new staff longer than three months?",
    ],
)
def test_what_compares_nothing(question: str) -> None:
    assert compared(question) is None


def test_no_question_of_the_examples_is_taken_for_a_comparison() -> None:
    for path in (*EXAMPLES.glob("*/questions.jsonl"), EXAMPLES / "routing.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert compared(json.loads(line)["question"]) is None, line


def runways(question: str = "Which runway is longer, that of Basel or that of Faro?") -> Comparison:
    found = compared(question)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("question", "first", "second", "said"),
    [
        (
            "Which runway is longer, that of Basel or that of Faro?",
            "3900 m",
            "2490 m",
            "Longer: that of Basel (3900 m against 2490 m).",
        ),
        (
            "Which runway is shorter, that of Basel or that of Faro?",
            "3900 m",
            "2490 m",
            "Shorter: that of Faro (2490 m against 3900 m).",
        ),
        ("Is Basel's review slower than Faro's?", "3 days", "1 week", "No: 3 days against 1 week."),
        (
            "Is Basel's review faster than Faro's?",
            "3 days",
            "1 week",
            "Yes: 3 days against 1 week.",
        ),
        ("Is Basel's review faster than Faro's?", "3 days", "3 days", None),
    ],
)
def test_the_amounts_decide(question: str, first: str, second: str, said: str | None) -> None:
    found = runways(question)
    one, other = found.amount(first, first), found.amount(second, second)
    assert one is not None
    assert other is not None
    assert found.concluded(one, other) == said


def test_an_amount_is_taken_where_one_is_stated() -> None:
    find = runways().amount
    sentence = "Length/Width: 3900 m / 60 m"
    for said in ("Length/Width", "3900"):
        assert (found := find(said, sentence)) is not None
        assert found.text == "3900 m"
    assert find("", "It is 3900 m long, as 20 people say.") is not None
    assert find("20 people", "20 people say so.") is None


def test_an_amount_of_something_else_is_not_taken() -> None:
    find = runways().amount
    row = "Elevation: 300 m | Surface: Ice\nRunway length: 3900 m | Approach: Visual"
    assert (found := find("300 m", row)) is not None
    assert found.text == "3900 m"
    assert find("300 m", row.replace("3900 m", "3900 m / 60 m")) is None


def test_a_word_of_both_things_names_no_amount() -> None:
    found = runways("Which runway is longer, that of Basel Airport or that of Faro Airport?")
    row = "Airport elevation: 300 m | Runway length: 3900 m"
    assert (amount := found.amount("300 m", row)) is not None
    assert amount.text == "3900 m"


def test_an_answer_must_be_about_the_thing_asked_for() -> None:
    found = runways()
    assert found.is_about(0, "The runway at Basel is 3900 m long.")
    assert not found.is_about(1, "The runway at Basel is 3900 m long.")
    # What is measured there is something else.
    assert not found.is_about(0, "The tower at Basel is 39 m long.")


def test_of_two_amounts_stated_at_once_that_of_the_name_asked_for_is_taken() -> None:
    field = "Elevation: 25 ft | Runway Length/Width: 3260 ft / 65 ft | Lighting: none"
    for word, amount in (("longer", "3260 ft"), ("wider", "65 ft")):
        comparison = compared(f"Which runway is {word}, that of Basel or that of Faro?")
        assert comparison is not None
        found = comparison.amount("25 ft", field)
        assert found is not None
        assert found.text == amount
