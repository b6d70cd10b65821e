"""Our forward pass against transformers' Phi3ForCausalLM on the same weights."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.architecture import read_architecture
from adapters.base import build_decoder, load_model
from adapters.decoder import Decoder
from adapters.models import find_model
from adapters.step import Run

from .conftest import SHAPES

Small = Callable[[str], tuple[Any, Path]]
CPU = torch.device("cpu")


def decoder_of(folder: Path) -> Decoder:
    return build_decoder(folder, read_architecture(folder), "fp32", CPU)


def texts(lengths: tuple[int, ...]) -> list[list[int]]:
    drawn = random.Random(3)
    return [[drawn.randrange(3, 250) for _ in range(length)] for length in lengths]


def expected(model: Any, text: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([text])).logits[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_equal_those_of_transformers(shape: str, small_model: Small) -> None:
    model, folder = small_model(shape)
    decoder = decoder_of(folder)
    for text in texts((1, 5, 20, 41, 100)):
        cache = decoder.new_cache(1)
        row = cache.join(len(text))
        found = decoder.forward([Run(row, text, len(text))], cache, every_token=True)
        torch.testing.assert_close(found, expected(model, text), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_any_length_go_together_in_any_pieces(shape: str, small_model: Small) -> None:
    model, folder = small_model(shape)
    decoder, drawn = decoder_of(folder), random.Random(5)
    told = texts((20, 5, 41, 33, 9))
    exact = [expected(model, text) for text in told]
    cache = decoder.new_cache(len(told))
    rows = [cache.join(len(text)) for text in told]
    at = [0] * len(told)
    while any(at[i] < len(told[i]) for i in rows):
        runs = []
        for i in drawn.sample(rows, len(rows)):
            if at[i] < len(told[i]) and drawn.random() < 0.7:
                piece = told[i][at[i] : at[i] + drawn.choice((1, 1, 3, 9))]
                at[i] += len(piece)
                runs.append(Run(i, piece, len(told[i])))
        if runs:
            found = decoder.forward(runs, cache)
            for run, logits in zip(runs, found, strict=True):
                wanted = exact[run.row][at[run.row] - 1]
                torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=2e-5)


def test_a_row_that_leaves_gives_its_place_to_the_last(small_model: Small) -> None:
    model, folder = small_model("shared keys")
    decoder = decoder_of(folder)
    told = texts((12, 30, 21))
    cache = decoder.new_cache(3)
    for text in told:
        row = cache.join(40)
        decoder.forward([Run(row, text[:-1], len(text))], cache)
    assert cache.leave(0) == 2
    assert cache.lengths == [20, 29]
    runs = [Run(0, told[2][-1:], 21), Run(1, told[1][-1:], 30)]
    found = decoder.forward(runs, cache)
    for logits, text in zip(found, (told[2], told[1]), strict=True):
        torch.testing.assert_close(logits, expected(model, text)[-1], rtol=1e-4, atol=2e-5)


def test_half_precision_comes_close(small_model: Small) -> None:
    _, folder = small_model("plain")
    (text,) = texts((30,))
    exact = None
    for precision in ("fp32", "bf16"):
        decoder = build_decoder(folder, read_architecture(folder), precision, CPU)
        cache = decoder.new_cache(1)
        cache.join(len(text))
        logits = decoder.forward([Run(0, text, len(text))], cache)[0]
        assert logits.dtype == torch.float32
        exact = logits if exact is None else exact
    assert torch.nn.functional.cosine_similarity(logits, exact, dim=0) > 0.99


def test_a_model_that_is_loaded_says_how(small_model: Small) -> None:
    _, folder = small_model("plain")
    model = load_model(find_model(str(folder)), precision="fp32", device="cpu")
    assert (model.precision, model.device, model.context_length) == ("fp32", "cpu", 128)
    assert "fp32" in model.said
    assert model.end_tokens == {0, 2}
