"""Questions that ask for several things, taken apart."""

import pytest

from agent.asked import asked_apart


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "I am a donor. How long may I stay off, and who has to be told of it?",
            ("I am a donor. How long may I stay off", "I am a donor. who has to be told of it?"),
        ),
        (
            "Which belt fits the conveyor, and what did the last one cost?",
            ("Which belt fits the conveyor", "what did the last one cost?"),
        ),
        (
            "Mum is home with a new knee and a drug. How soon does it work, and how high may she sit?",
            (
                "Mum is home with a new knee and a drug. How soon does it work",
                "Mum is home with a new knee and a drug. how high may she sit?",
            ),
        ),
        (
            "I am new here: how long am I off as a donor, and if I care for kin, how long must I "
            "have served? It is urgent.",
            (
                "I am new here. how long am I off as a donor",
                "I am new here. if I care for kin, how long must I have served? It is urgent.",
            ),
        ),
        ("What is the difference between a quote and what is an order?", ()),
        (
            "What is the difference between a quote and an order, and who signs it?",
            ("What is the difference between a quote and an order", "who signs it?"),
        ),
        # The middle belongs to the first, and what follows a comma or an inner question is told.
        (
            "How often do the lead and the board meet, and for how long?",
            ("How often do the lead and the board meet", "for how long?"),
        ),
        (
            "Please tell me where the fuses are and what one costs.",
            (),
        ),
        (
            "Explain to finance what the bucket was for and what we spent on it.",
            ("Explain to finance what the bucket was for", "what we spent on it."),
        ),
        (
            "Below what is it too low, and when do I call?",
            ("Below what is it too low", "when do I call?"),
        ),
        ("What is the spleen, which surgeons take out?", ()),
        ("Where do we note who works on what and who is free?", ()),
        ("How many belts and how much oil do I need?", ()),
        ("When the pupil slowed down, where did the teacher land?", ()),
        ("There is a job where nothing may go wrong. Which of us gets it?", ()),
        ("I ate with someone who turned ill. After how many weeks would I know?", ()),
        ("In projects in which we work with a client, what comes first?", ()),
        ("Can my pills be why my mouth is dry? How many drugs do that?", ()),
        (
            "How do I clean the pump and valve, and what does it cost?",
            ("How do I clean the pump and valve", "what does it cost?"),
        ),
        ("Which line do I use then, and why is it so?", ("Which line do I use", "why is it so?")),
        ("How long is probation?", ()),
        ("I am a donor and my sister is ill. How long may I be off?", ()),
        ("", ()),
        ("Bread, butter, and some more cheese", ()),
    ],
)
def test_what_is_asked_anew_stands_behind_what_was_said(
    question: str, parts: tuple[str, ...]
) -> None:
    assert tuple(part.question for part in asked_apart(question)) == parts


def test_a_very_long_question_is_looked_at_as_far_as_it_may_be_one() -> None:
    asked = "Who pays the bill, and what is it for? " + "difference between " * 5000
    first, last = asked_apart(asked)
    assert first.question == "Who pays the bill"
    assert last.question.startswith("what is it for? difference between")
    assert asked_apart("x" * 3000 + " Who pays the bill, and what is it for?") == ()
