import numpy as np

from agent.router.slips import Slips
from agent.router.train import Questions, _held_out, train
from pipelines.embed.embedder import QueryEncoding


def test_of_each_class_some_are_held_out_and_some_learned_from() -> None:
    wanted = np.array([-1] * 400 + [0] * 2 + [1] * 30 + [2])
    held = _held_out(wanted, np.random.default_rng(0))
    counts = [int(held[wanted == label].sum()) for label in (-1, 0, 1, 2)]
    assert counts == [40, 1, 3, 0]


def test_without_a_question_in_scope_to_calibrate_on_classes_stay_as_they_are() -> None:
    vectors = np.eye(8, dtype=np.float32)
    questions = Questions(
        [QueryEncoding(vector) for vector in vectors], np.array([0, 0, 1, 1, -1, -1, -1, -1])
    )
    outside = questions.at(np.arange(4, 8))
    classifier = train(("a", "b"), questions, calibration=outside, epochs=1).classifier
    assert classifier._heads.temperature == 1.0


def test_slips_go_with_the_questions_that_they_are_of() -> None:
    vectors = [QueryEncoding(vector) for vector in np.eye(7, dtype=np.float32)]
    questions = Questions(vectors[:4], np.array([0, 1, -1, 2]))
    slips = Slips(vectors[4:], np.array([3, 0, 1]))
    part = questions.with_slips(slips, np.array([0, 3]))
    assert [int(one.vector.argmax()) for one in part.encodings] == [0, 3, 4, 5]
    assert part.wanted.tolist() == [0, 2, 2, 0]
    assert questions.with_slips(None, np.array([2])).wanted.tolist() == [-1]
