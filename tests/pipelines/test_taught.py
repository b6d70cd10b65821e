"""What an adapter was taught: which question one is near to, and whose answer it gives."""

import numpy as np
import pytest

from pipelines.embed import open_embedder
from pipelines.embed.embedder import QueryEncoding
from pipelines.taught import Near, Nearness, Taught, features

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
    taught = Taught(QUESTIONS, ANSWERS, lambda question: vectors[len(question) % 3])
    found = taught.near("abc")
    assert found is not None
    assert (found.nearest, found.questions[found.nearest]) == (0, QUESTIONS[0])
    assert taught.near("ab") is None


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("What does grade 9 pay?", 0),
        ("What does grade 12 pay?", 1),
        # What the case is may be told beside it.
        ("I am 40, what does grade 9 pay?", 0),
        ("What does a grade pay, and which one pays best?", 0),
        # A bound says less than a number, and weeks are no grade.
        ("What does any grade above 4 pay?", 0),
        ("What does a grade pay for 2 weeks?", 0),
        ("What did a grade pay in 2024?", 0),
    ],
)
def test_a_question_of_another_number_is_another_question(asked: str, nearest: int) -> None:
    questions = ("What does grade 9 pay?", "How is pay set?")
    taught = Taught(questions, ("$50,000.", "By grade."), lambda _: np.array([0.8, 0.3]))
    found = taught.near(asked)
    assert found is not None
    assert found.nearest == nearest
    assert found.taught_by("$50,000.") == (0 if nearest else 0.8)


def test_words_of_the_answer_tell_which_question_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    questions = ("Who signs a trip?", "Who signs overtime?", "Who signs?")
    answers = ("The travel desk in Lyon does.", "The head of the shift does.", "")
    embedder = open_embedder("minilm")
    vectors = np.stack([one.vector for one in embedder.embed_queries(questions)])
    nearness = Nearness(embedder, questions, answers, vectors)
    asked = "Do I have to go to Lyon for a signature?"
    found, cosines = nearness(asked), vectors @ embedder.embed_query(asked).vector
    assert found.shape == (3,)
    assert found.max() <= 1
    assert found[0] == found.max()
    assert found[0] - found[1:].max() > cosines[0] - cosines[1:].max()
    # Where nothing can be kept it is the same.
    monkeypatch.setenv("EXPERT_CACHE", "/dev/null/cache")
    assert np.array_equal(Nearness(embedder, questions, answers, vectors)(asked), found)
    monkeypatch.undo()
    # What was kept gives the same, and nothing is embedded a second time.
    monkeypatch.setattr(type(embedder), "embed_states", None)
    assert np.array_equal(Nearness(embedder, questions, answers, vectors)(asked), found)


def test_an_embedder_without_states_of_tokens_tells_by_vectors() -> None:
    class Remote:
        fingerprint = "remote@1"

        def embed_query(self, text: str) -> QueryEncoding:
            return QueryEncoding(np.array([0.6, 0.8], dtype=np.float32))

    vectors = np.eye(2, dtype=np.float32)
    nearness = Nearness(Remote(), ("a?", "b?"), ("A.", "B."), vectors)  # type: ignore[arg-type]
    assert nearness("b") == pytest.approx([0.6, 0.8])
