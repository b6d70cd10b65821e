import json
from pathlib import Path

import pytest

from agent.follow_up import Turn, is_follow_up, standalone

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LEAVE = Turn(
    "How many days of annual leave do full-time staff earn?",
    "How many days of annual leave do full-time staff earn?",
    "Full-time staff earn 25 days of annual leave a year.",
    "25 days",
)


@pytest.mark.parametrize(
    ("question", "searched"),
    [
        ("And part-time staff?", "And part-time staff? (days annual leave full-time earn)"),
        ("Who approves it?", "Who approves it? (days annual leave full-time staff earn 25)"),
        ("How long?", "How long? (days annual leave full-time staff earn)"),
        ("What about sick leave?", "What about sick leave? (days annual full-time staff earn)"),
        ("Does that also apply to interns?", None),
        ("Is there one for visitors?", None),
        ("What is the deadline?", None),
        ("Why?", None),
    ],
)
def test_a_question_that_leans_on_the_last_one_gets_its_topic(
    question: str, searched: str | None
) -> None:
    completed = standalone(question, [LEAVE])
    assert completed.startswith(f"{question} (")
    assert searched in (None, completed)
    assert "annual" in completed


@pytest.mark.parametrize(
    "question",
    [
        "How do I report a broken laptop to the help desk?",
        "Is there a dress code?",
        "There's a rat in the kitchen, whom do I call?",
        "What is telework?",
        "Who was Roosevelt?",
        "What does GSA stand for?",
        "I think my laptop got hacked. Should I shut it down right away?",
        "Which structural parts turned out deformed once the crew looked over the plane that burned?",
    ],
)
def test_a_question_that_stands_alone_stays_as_it_is(question: str) -> None:
    assert standalone(question, [LEAVE]) == question


def test_the_first_question_is_never_a_follow_up() -> None:
    assert standalone("And why is it so?", []) == "And why is it so?"


def test_a_topic_is_carried_over_several_turns() -> None:
    second = standalone("Who approves it?", [LEAVE])
    history = [LEAVE, Turn("Who approves it?", second, "Jane Doe does.", "Jane Doe")]
    third = standalone("And when is she away?", history)
    assert "annual leave" in third
    assert "Jane Doe" in third


def test_a_long_answer_is_no_topic() -> None:
    long = Turn("Why is overtime paid?", "Why is overtime paid?", "x", " ".join(["word"] * 20))
    assert "word" not in standalone("And when?", [long])


def test_a_question_with_nothing_to_lean_on_stays_as_it_is() -> None:
    assert standalone("And why?", [Turn("Why?", "Why?")]) == "And why?"


def test_a_topic_stays_short() -> None:
    long = "topic " + " ".join(f"word{number}" for number in range(1000))
    assert len(standalone("And why?", [Turn(long, long)]).split()) <= 14


def test_questions_that_stand_alone_are_seldom_taken_for_follow_ups() -> None:
    questions = [
        json.loads(line)["question"]
        for path in EXAMPLES.glob("*/questions.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    mistaken = [question for question in questions if is_follow_up(question)]
    assert len(questions) > 300
    assert len(mistaken) / len(questions) < 0.05, mistaken
