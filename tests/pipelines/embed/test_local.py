"""The exported encoder against sentence-transformers on the same weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines.embed import open_embedder
from pipelines.embed.local import LocalEmbedder
from pipelines.embed.model_files import find_model
from pipelines.errors import EmbedderError

TEXTS = [
    "How many days of annual leave do I get?",
    "EX-17: hydraulic hose replaced after a leak, 420.50 USD",
    "Schöne Grüße – naïve façade 漢字",
    "word " * 200,
    "",
]


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_model("minilm").folder), device="cpu")
    return model.encode(TEXTS, normalize_embeddings=True)


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.9999), ("int8", 0.97)])
def test_vectors_equal_those_of_sentence_transformers(
    precision: str, least: float, reference: np.ndarray
) -> None:
    embedder = LocalEmbedder("minilm", precision=precision)
    encodings = embedder.embed_passages(TEXTS)
    assert encodings.vectors.shape == (len(TEXTS), embedder.dimensions) == (5, 384)
    assert (encodings.vectors * reference).sum(axis=1).min() > least
    assert encodings.truncated == 0
    assert precision in embedder.fingerprint


def test_a_question_and_a_passage_of_the_same_words_agree() -> None:
    embedder = open_embedder("minilm")
    question = embedder.embed_query(TEXTS[0])
    assert question.vector @ embedder.embed_passages(TEXTS[:1]).vectors[0] > 0.999
    assert question.tokens is not None
    words = [TEXTS[0][start:end] for start, end in question.tokens.offsets if end > start]
    assert words[:3] == ["How", "many", "days"]
    assert len(words) == embedder.count_tokens(TEXTS[:1])[0]
    assert question.tokens.states.shape == (len(words) + 2, 384)


def test_passages_come_back_in_order_whatever_their_length() -> None:
    embedder = open_embedder("minilm")
    texts = [f"passage number {n} " * (1 + n % 7) for n in range(50)]
    together = embedder.embed_passages(texts).vectors
    alone = np.array([embedder.embed_query(text).vector for text in texts])
    assert (together * alone).sum(axis=1).min() > 0.95
    assert (together @ alone.T).argmax(axis=1).tolist() == list(range(50))


def test_what_the_model_cannot_read_is_counted() -> None:
    embedder = open_embedder("minilm")
    assert embedder.embed_passages(["word " * 1000, "short"]).truncated == 1


def test_a_folder_that_is_no_model_is_explained(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError) as caught:
        open_embedder(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_weights_in_pickle_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(find_model("minilm").folder, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(EmbedderError, match="safetensors"):
        open_embedder(str(folder))


def test_counting_by_words_counts_what_the_tokenizer_does() -> None:
    encoder = LocalEmbedder("minilm").encoder
    texts = [
        *TEXTS,
        "£178 °F x² don't a_b __init__ 3.14€ 東京タワー 😀",
        "“q”—…",
        "\n\t",
        "a\u200bb",
    ]
    assert encoder.count_tokens(texts) == [
        len(encoding) - 2 for encoding in encoder._tokenizer.encode_batch(texts)
    ]


def test_a_vector_does_not_depend_on_the_texts_beside_it() -> None:
    embedder = LocalEmbedder("minilm", precision="int8")
    alone = embedder.embed_passages(TEXTS[:1]).vectors[0]
    beside = embedder.embed_passages(TEXTS).vectors[0]
    assert np.abs(alone - beside).max() < 5e-3


def test_fast_int8_products_give_the_same_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where the processor has none that are exact, both are the careful ones.
    fast = LocalEmbedder("minilm", precision="int8").embed_passages(TEXTS).vectors
    monkeypatch.setattr("pipelines.embed.encoder._adds_exactly", lambda: False)
    careful = LocalEmbedder("minilm", precision="int8").embed_passages(TEXTS).vectors
    assert np.array_equal(fast, careful)
