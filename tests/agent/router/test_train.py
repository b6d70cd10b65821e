import numpy as np

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
