"""Token vectors survive storage, and comparing them finds what a question asks for."""

from itertools import pairwise

import numpy as np
import pytest

from pipelines.embed.embedder import TokenStates
from pipelines.errors import PipelineError, StoreError
from pipelines.late_interaction import LateInteraction, compare, load_late_interaction, unpack

CONTENT = "Oil is changed at 250 hours. The filter stays."
TEXT = f"Excavator\n{CONTENT}"


def tokens_of(text: str, seed: int = 0) -> TokenStates:
    """One token a word between special ones, each word with states of its own."""
    offsets, ids, at = [(0, 0)], [101], 0
    for word in text.split():
        at = text.index(word, at)
        offsets.append((at, at + len(word)))
        ids.append(1000 + sum(map(ord, word.strip("."))))
        at += len(word)
    offsets.append((0, 0))
    ids.append(102)
    states = np.stack([np.random.default_rng(id_).standard_normal(384) for id_ in ids]).astype(
        np.float32
    )
    vector = states.mean(axis=0) / np.linalg.norm(states.mean(axis=0))
    return TokenStates(
        0, np.array(ids, np.int32), np.array(offsets, np.int32), states, vector, False
    )


@pytest.fixture(scope="module")
def late() -> LateInteraction:
    return load_late_interaction()


def test_a_passage_comes_back_as_it_was_packed(late):
    tokens = tokens_of(TEXT)
    passage = unpack(late.pack(tokens, CONTENT, len("Excavator\n")))
    assert passage.token_ids.tolist() == tokens.token_ids[1:-1].tolist()
    assert [CONTENT[s["start"] : s["end"]] for s in passage.sentences] == [
        "Oil is changed at 250 hours.",
        "The filter stays.",
    ]
    # "Excavator" comes before the first sentence.
    assert passage.sentences["token"].tolist() == [1, 7]
    norms = np.linalg.norm(passage.vectors.astype(np.float32) / 127, axis=1)
    assert norms == pytest.approx(np.ones(len(norms)), abs=0.03)


def test_a_passage_takes_about_fifty_bytes_a_token(late):
    tokens = tokens_of(TEXT)
    assert len(late.pack(tokens, CONTENT, 10)) <= 10 + 2 * 10 + 50 * 10


def test_sentences_that_the_encoder_could_not_read_are_left_out(late):
    tokens = tokens_of("Excavator\nOil is changed at 250 hours.")
    passage = unpack(late.pack(tokens, CONTENT, 10))
    assert passage.sentences["end"].tolist() == [len("Oil is changed at 250 hours.")]


def test_a_passage_without_context_has_none(late):
    passage = unpack(late.pack(tokens_of(CONTENT), CONTENT, 0))
    compared = compare(late.question(tokens_of("filter")), [passage])
    assert not compared.has_context[0]
    assert not compared.context.any()


@pytest.mark.parametrize("blob", [b"", b"PXT1", b"%PDF-1.7 and more of it", b"PXT1" + b"\xff" * 40])
def test_other_bytes_are_refused_with_what_to_do(blob):
    with pytest.raises(StoreError, match="expert index --rebuild"):
        unpack(blob)


def test_comparison_equals_its_definition(late):
    texts = [(TEXT, CONTENT), ("Handbook\nLeave is 20 days a year.", "Leave is 20 days a year.")]
    passages = [
        unpack(late.pack(tokens_of(text), content, len(text) - len(content)))
        for text, content in texts
    ]
    question = late.question(tokens_of("When is the filter changed?"))
    compared = compare(question, passages)
    for number, passage in enumerate(passages):
        similarity = passage.vectors.astype(np.float32) / 127 @ question.vectors.T
        assert compared.best[number] == pytest.approx(similarity.max(axis=0), abs=1e-5)
        assert compared.context[number] == pytest.approx(similarity[0], abs=1e-5)
        starts = [*passage.sentences["token"].tolist(), len(similarity)]
        for part, (start, end) in enumerate(pairwise(starts), 1):
            expected = np.maximum(similarity[start:end].max(axis=0), similarity[0])
            assert compared.parts[compared.first[number] + part] == pytest.approx(
                expected, abs=1e-5
            )
    held = compared.held[0][[2, 4, 5]].tolist()
    assert held == [True, True, False], "is and filter stand there, changed? does not"


def test_weights_of_question_tokens_add_up_to_one(late):
    question = late.question(tokens_of("How often is oil changed?"))
    assert question.weights.sum() == pytest.approx(1, abs=1e-5)
    assert len(question.weights) == 7


def test_weights_belong_to_one_encoder_in_any_precision(late):
    assert late.fits(f"{late.encoder}:fp32")
    assert late.fits(f"{late.encoder}:int8")
    assert not late.fits("openai:text-embedding-3-small")


def test_missing_or_damaged_weights_say_so(tmp_path):
    with pytest.raises(PipelineError, match="weights"):
        LateInteraction(tmp_path / "none.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"not tensors")
    with pytest.raises(PipelineError, match="weights"):
        LateInteraction(damaged)
