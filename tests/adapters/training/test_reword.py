from dataclasses import replace

from adapters.training.examples import Example, Message
from adapters.training.reword import reworded


def example(question, answer="20 days.", **options):
    return Example((Message("user", question), Message("assistant", answer)), 1, **options)


LEAVE = example("How many days of annual leave does a trainee get in a year?")


def test_the_first_time_examples_stay_as_they_are():
    assert reworded([LEAVE, example("What is a BL code?")], 1, seed=0) == [
        LEAVE,
        example("What is a BL code?"),
    ]


def test_questions_vary_and_answers_do_not():
    made = reworded([LEAVE], 20, seed=0)
    assert len(made) == 20
    assert len({one.question for one in made}) > 15
    assert {one.answer for one in made} == {"20 days."}
    known = set(LEAVE.question.lower().rstrip("?").split())
    for one in made[1:]:
        assert known & set(one.question.lower().rstrip("?").split())


def test_the_same_seed_gives_the_same_words():
    assert reworded([LEAVE], 5, seed=1) == reworded([LEAVE], 5, seed=1)
    assert reworded([LEAVE], 5, seed=1) != reworded([LEAVE], 5, seed=2)


def test_passages_conversations_and_texts_stay_as_they_are():
    turns = (Message("user", "And a clerk?"), Message("assistant", "15 days."))
    kept = [
        replace(LEAVE, context=("Trainees have 20 days.",)),
        replace(LEAVE, messages=(*LEAVE.messages, *turns)),
        example("[1] Probation lasts six months.\nQuestion: How long is probation?"),
        example("word " * 41),
        example("Leave?"),
    ]
    assert reworded(kept, 3, seed=0) == kept * 3
