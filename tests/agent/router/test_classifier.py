from pathlib import Path

import numpy as np
import onnx
import pytest

from agent.errors import RouterError
from agent.router.classifier import Classifier, Scores, plain_features, thresholds
from agent.router.train import Questions, last_layers, train
from agent.router.tuned import TunedLayers
from pipelines.embed import open_embedder
from pipelines.embed.embedder import QueryEncoding
from pipelines.embed.model_files import find_model
from tests.agent.router.conftest import CODES, PAY

OTHERS = (
    "Who painted the Mona Lisa?",
    "How do I bake bread?",
    "Write a poem about autumn.",
    "What is the capital of Peru?",
    "Which film won the most Oscars?",
    "How tall is Mount Everest?",
)
LABELS = ("pay", "press")


@pytest.fixture(scope="module")
def questions() -> Questions:
    texts = [*PAY, *CODES, *OTHERS]
    wanted = [place for place in (0, 1, -1) for _ in range(6)]
    return Questions(open_embedder("minilm").embed_queries(texts), np.array(wanted))


@pytest.fixture(scope="module")
def asked() -> list[QueryEncoding]:
    return open_embedder("minilm").embed_queries(
        ["on which day do we get our salary", "the press shows E17", "who wrote Hamlet"]
    )


def test_it_tells_classes_and_what_belongs_to_none(questions: Questions, asked) -> None:
    classifier = train(LABELS, questions, epochs=30).classifier
    scores = classifier.run(asked)
    assert scores.classes.shape == (3, 2)
    assert scores.classes[:2].argmax(axis=1).tolist() == [0, 1]
    assert np.allclose(scores.classes.sum(axis=1), 1, atol=1e-5)
    assert scores.out_of_scope[2] > scores.out_of_scope[:2].max()
    assert not classifier.tuned


def test_tuned_layers_go_on_from_the_states_of_the_encoder(
    questions: Questions, asked, tmp_path: Path
) -> None:
    body = last_layers(find_model("minilm").folder)
    found = train(LABELS, questions, calibration=questions, body=body, epochs=4)
    found.classifier.save(tmp_path, found.layers)
    loaded = Classifier.load(tmp_path)
    assert loaded.tuned
    for one, other in zip(
        (found.classifier.run(asked).classes, found.classifier.run(asked).out_of_scope),
        (loaded.run(asked).classes, loaded.run(asked).out_of_scope),
        strict=True,
    ):
        assert np.allclose(one, other, atol=1e-6)
    alone = np.concatenate([loaded.run([one]).classes for one in asked])
    assert np.allclose(alone, loaded.run(asked).classes, atol=1e-4)


def test_tuned_layers_multiply_in_int8_and_give_many_what_they_give_one(
    questions: Questions, asked, tmp_path: Path
) -> None:
    body = last_layers(find_model("minilm").folder)
    found = train(LABELS, questions, calibration=questions, body=body, epochs=1)
    (tmp_path / "layers.onnx").write_bytes(found.layers)
    nodes = onnx.load(str(tmp_path / "layers.onnx")).graph.node
    assert [node.op_type for node in nodes].count("MatMulIntegerToFloat") > 4
    layers = TunedLayers(tmp_path / "layers.onnx")
    long = open_embedder("minilm").embed_queries(["press " * 200, "salary day " * 90])
    texts = [one.tokens for one in (*questions.encodings, *long, *asked) if one.tokens] * 12
    together = layers.run(texts)
    alone = np.concatenate([layers.run([text]) for text in texts[:23]])
    assert np.allclose(together[:23], alone, atol=1e-5)
    assert np.allclose(together[-23:], alone, atol=1e-5)


def test_the_same_seed_gives_the_same_classifier(questions: Questions, asked) -> None:
    first, second = (train(LABELS, questions, epochs=3).classifier.run(asked) for _ in range(2))
    assert np.array_equal(first.classes, second.classes)
    assert np.array_equal(first.out_of_scope, second.out_of_scope)


def test_vectors_without_token_states_are_enough_for_plain_heads(asked) -> None:
    bare = [QueryEncoding(one.vector) for one in asked]
    assert plain_features(bare).shape == (3, 384)
    assert plain_features(asked).shape == (3, 768)


def test_the_threshold_serves_the_worse_of_both_shares_best() -> None:
    classes = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.5, 0.5]], np.float32)
    scores = Scores(classes, np.array([0.1, 0.2, 0.6, 0.9], np.float32))
    assert thresholds(scores, [0, 0, -1, -1]) == pytest.approx(0.6)


def test_a_damaged_classifier_is_named(tmp_path: Path) -> None:
    (tmp_path / "classifier.json").write_text("{}")
    with pytest.raises(RouterError, match="is damaged"):
        Classifier.load(tmp_path)
