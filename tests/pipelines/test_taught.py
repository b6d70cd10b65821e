"""What an adapter was taught: which question one is near to, and whose answer it gives."""

import numpy as np
import pytest

from pipelines.taught import Near, Taught, features

QUESTIONS = ("How long is parental leave?", "How long is jury duty?", "Tell me the whole policy.")
ANSWERS = ("12 weeks of parental leave.", "Up to 10 days of court leave.", "")


def near(*cosines: float) -> Near:
    return Near(np.array(cosines, dtype=np.float32), QUESTIONS, ANSWERS)


def test_an_answer_belongs_to_the_question_that_it_was_taught_for() -> None:
    asked = near(0.8, 0.5, 0.3)
    assert asked.nearest == 0
    assert asked.taught_by("12 weeks of parental leave") == pytest.approx(0.8)
    assert asked.ahead("12 weeks of parental leave") == pytest.approx(0.3)
    assert asked.taught_by("Up to 10 days of court leave.") == pytest.approx(0.5)
    assert asked.ahead("Up to 10 days of court leave.") == pytest.approx(-0.3)
    # Of one that is not kept nothing is known.
    assert asked.taught_by("") == 0.0


def test_a_model_may_say_it_in_its_own_way_but_with_the_same_numbers() -> None:
    asked = near(0.8, 0.5, 0.3)
    assert asked.taught_by("You have 12 weeks of parental leave.") == pytest.approx(0.8)
    assert asked.taught_by("You have 14 weeks of parental leave.") == 0.0
    assert asked.taught_by("Ask the desk.") == 0.0
    assert asked.ahead("Ask the desk.") == pytest.approx(-0.8)


def test_an_answer_that_was_taught_twice_is_not_behind_itself() -> None:
    twice = Near(np.array([0.8, 0.7]), ("a?", "b?"), ("Yes.", "yes"))
    assert twice.ahead("Yes.") == pytest.approx(0.8)


def test_features_are_of_the_answer_that_is_given() -> None:
    found = features(near(0.8, 0.5, 0.3), "12 weeks of parental leave.", False, 0.9)
    assert found == pytest.approx((0.8, 0.3, 0.0, 0.9))


def test_where_the_nearest_answer_is_not_kept_nothing_is_compared() -> None:
    vectors = np.eye(3, dtype=np.float32)
    taught = Taught(QUESTIONS, ANSWERS, vectors, lambda question: vectors[len(question) % 3])
    found = taught.near("abc")
    assert found is not None
    assert (found.nearest, found.questions[found.nearest]) == (0, QUESTIONS[0])
    assert taught.near("ab") is None
