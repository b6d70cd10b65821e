"""Generation: batches equal single requests, and everything a request can ask for."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.base import LanguageModel, load_model
from adapters.batch import Batch, Request
from adapters.errors import GenerationError, ModelError, NotEnoughRoomError
from adapters.generate import TextGenerator
from adapters.prefixes import Prefixes
from adapters.sampling import Sampling

from .conftest import SHAPES

Small = Callable[[str], tuple[Any, Path]]


def prompts(count: int) -> list[list[int]]:
    drawn = torch.Generator().manual_seed(1)
    return [
        torch.randint(3, 250, (3 + 5 * (i % 5),), generator=drawn).tolist() for i in range(count)
    ]


@pytest.fixture(scope="module")
def model(small_model: Small) -> LanguageModel:
    return load_model(str(small_model("shared keys")[1]), precision="fp32", device="cpu")


@pytest.mark.parametrize("shape", SHAPES)
def test_greedy_tokens_equal_those_of_transformers(shape: str, small_model: Small) -> None:
    theirs, folder = small_model(shape)
    generator = TextGenerator(load_model(str(folder), precision="fp32", device="cpu"))
    requests = [Request(prompt, max_new_tokens=40) for prompt in prompts(5)]
    for request, found in zip(requests, generator.generate(requests), strict=True):
        told = torch.tensor([request.prompt])
        wanted = theirs.generate(
            told,
            attention_mask=torch.ones_like(told),
            max_new_tokens=40,
            do_sample=False,
            eos_token_id=[0, 2],
        )[0, told.shape[1] :].tolist()
        if found.reason == "stop":
            wanted = wanted[:-1]
        assert list(found.tokens) == wanted[: len(found.tokens)]
        assert len(found.tokens) == len(wanted) or found.reason == "repetition"


def test_a_publishers_bias_makes_tokens_likelier_as_in_transformers(
    small_model: Small, tmp_path: Path
) -> None:
    theirs, folder = small_model("plain")
    biased = Path(shutil.copytree(folder, tmp_path / "biased"))
    told = {"sequence_bias": [[[7], 3.0], [[9], -50.0]]}
    (biased / "generation_config.json").write_text(json.dumps(told), encoding="utf-8")
    generator = TextGenerator(load_model(str(biased), precision="fp32", device="cpu"))
    for prompt in prompts(5):
        (found,) = generator.generate([Request(prompt, max_new_tokens=12)])
        ids = torch.tensor([prompt])
        wanted = theirs.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=[0, 2],
            sequence_bias=told["sequence_bias"],
        )[0, len(prompt) :].tolist()
        assert list(found.tokens) == wanted[: len(found.tokens)]
        assert 9 not in found.tokens


@pytest.mark.parametrize("given", [[[[7, 8], 1.0]], [[[9999], 1.0]], [[[7], "much"]], [7]])
def test_a_bias_that_is_not_understood_is_refused(
    given: Any, small_model: Small, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_model("plain")[1], tmp_path / "odd"))
    (folder / "generation_config.json").write_text(
        json.dumps({"sequence_bias": given}), encoding="utf-8"
    )
    with pytest.raises(ModelError, match="sequence_bias is not understood"):
        load_model(str(folder), precision="fp32", device="cpu")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_batch_equals_one_by_one(shape: str, small_model: Small) -> None:
    loaded = load_model(str(small_model(shape)[1]), precision="fp32", device="cpu")
    requests = [
        Request(prompt, max_new_tokens=5 + 7 * (i % 4), sampling=Sampling(i % 2 * 0.8, seed=i))
        for i, prompt in enumerate(prompts(11))
    ]
    generator = TextGenerator(loaded, most_rows=4)
    together = generator.generate(requests)
    alone = TextGenerator(loaded, prefix_bytes=0)
    for request, found in zip(requests, together, strict=True):
        (single,) = alone.generate([request])
        assert found.tokens == single.tokens
        assert found.text == single.text
        assert found.mean_log_probability == pytest.approx(single.mean_log_probability, abs=1e-4)


def test_rows_join_while_others_are_written(model: LanguageModel) -> None:
    batch = Batch(
        model.decoder, model.markup.tokenizer, end_tokens=frozenset(), most_rows=3, most_read=4
    )
    requests = [Request(prompt, max_new_tokens=6 + i) for i, prompt in enumerate(prompts(7))]
    rows = []
    for request in requests:
        rows.append(batch.submit(request))
        batch.step()
    while not batch.is_idle:
        batch.step()
    alone = TextGenerator(model)
    for request, row in zip(requests, rows, strict=True):
        assert row.generation is not None
        (single,) = alone.generate([request])
        assert row.generation.tokens[: len(single.tokens)] == single.tokens


def test_the_figures_of_a_generation(small_model: Small, model: LanguageModel) -> None:
    theirs, _ = small_model("shared keys")
    prompt = prompts(3)[2]
    (found,) = TextGenerator(model).generate([Request(prompt, max_new_tokens=4)])
    with torch.no_grad():
        logged = theirs(torch.tensor([[*prompt, *found.tokens]])).logits[0].log_softmax(-1)
    likely = [float(logged[len(prompt) - 1 + i, t]) for i, t in enumerate(found.tokens)]
    assert found.first_log_probability == pytest.approx(likely[0], abs=1e-4)
    assert found.mean_log_probability == pytest.approx(sum(likely) / 4, abs=1e-4)
    first = logged[len(prompt) - 1]
    assert found.first_entropy == pytest.approx(float(-(first.exp() * first).sum()), abs=1e-4)
    assert (found.prompt_tokens, len(found.tokens), found.reason) == (len(prompt), 4, "length")


def test_a_seed_gives_the_same_answer_and_another_seed_another(model: LanguageModel) -> None:
    generator, prompt = TextGenerator(model), prompts(1)[0]

    def answer(seed: int) -> tuple[int, ...]:
        sampling = Sampling(temperature=1.5, top_p=0.95, seed=seed)
        return generator.generate([Request(prompt, 12, sampling=sampling)])[0].tokens

    assert answer(1) == answer(1)
    assert len({answer(seed) for seed in range(6)}) > 3


def test_text_streams_in_pieces_and_ends_before_a_stop_string(model: LanguageModel) -> None:
    generator, prompt = TextGenerator(model), prompts(1)[0]
    (whole,) = generator.generate([Request(prompt, max_new_tokens=30)])
    stop = whole.text[6:9]
    end = whole.text.index(stop)
    stream = generator.stream(Request(prompt, max_new_tokens=30, stop=(stop,)))
    pieces = list(stream)
    assert "".join(pieces) == whole.text[:end]
    assert stream.generation is not None
    assert (stream.generation.text, stream.generation.reason) == (whole.text[:end], "stop")
    told: list[str] = []
    generator.generate([Request(prompt, max_new_tokens=30, on_text=told.append)])
    assert "".join(told) == whole.text
    assert len(told) > 3


def test_leaving_a_stream_frees_the_model(model: LanguageModel) -> None:
    generator, prompt = TextGenerator(model), prompts(1)[0]
    stream = generator.stream(Request(prompt, max_new_tokens=100))
    next(stream)
    stream.close()
    assert len(generator.generate([Request(prompt, max_new_tokens=3)])[0].tokens) == 3


def test_a_row_can_be_cancelled_and_others_go_on(model: LanguageModel) -> None:
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset(), most_rows=2)
    first, second, third = (batch.submit(Request(p, max_new_tokens=9)) for p in prompts(3))
    batch.step()
    first.cancel()
    third.cancel()
    while not batch.is_idle:
        batch.step()
    assert first.generation is not None
    assert (first.generation.reason, len(first.generation.tokens)) == ("cancelled", 1)
    assert second.generation is not None
    assert (second.generation.reason, len(second.generation.tokens)) == ("length", 9)
    assert third.generation is not None
    assert third.generation.tokens == ()


def test_a_listener_that_fails_ends_its_own_row_only(model: LanguageModel) -> None:
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset())

    def fail(piece: str) -> None:
        raise RuntimeError(piece)

    bad = batch.submit(Request(prompts(1)[0], max_new_tokens=9, on_text=fail))
    good = batch.submit(Request(prompts(2)[1], max_new_tokens=9))
    while not batch.is_idle:
        batch.step()
    assert isinstance(bad.error, RuntimeError)
    assert good.generation is not None
    assert len(good.generation.tokens) == 9
    generator = TextGenerator(model)
    with pytest.raises(RuntimeError):
        generator.generate([Request(prompts(1)[0], max_new_tokens=9, on_text=fail)])
    assert generator.generate([Request(prompts(1)[0], max_new_tokens=2)])[0].reason == "length"


def test_what_was_read_is_not_read_again(model: LanguageModel) -> None:
    generator, fresh = TextGenerator(model), TextGenerator(model, prefix_bytes=0)
    prompt = prompts(5)[4] + prompts(4)[3]
    (first,) = generator.generate([Request(prompt, max_new_tokens=8)])
    assert first.cached_tokens == 0
    chat = [*prompt, *first.tokens, 9, 8, 7]
    (second,) = generator.generate([Request(chat, max_new_tokens=8)])
    assert second.cached_tokens == len(prompt) + len(first.tokens) - 1
    assert second.tokens == fresh.generate([Request(chat, max_new_tokens=8)])[0].tokens
    # What all prompts of a batch begin with is found out at the second, used from the third.
    common = prompts(5)[4]
    asked = [Request([*common, 10 + i, 20 + i], max_new_tokens=3) for i in range(4)]
    several = TextGenerator(model, most_rows=2).generate(asked)
    assert [found.cached_tokens for found in several][2:] == [len(common)] * 2
    assert [f.tokens for f in several] == [f.tokens for f in fresh.generate(asked)]


def test_prefixes_keep_within_their_memory() -> None:
    prefixes = Prefixes(most_bytes=4_000)
    for start in range(5):
        tokens = list(range(start * 100, start * 100 + 20))
        prefixes.keep(tokens, torch.zeros(20, 25), "short")
    assert prefixes.longest(list(range(400, 450)), "short")[1] == 20
    assert prefixes.longest(list(range(450)), "short") == (None, 0)
    assert prefixes.longest(list(range(400, 450)), "long") == (None, 0)


def test_of_a_text_beyond_their_memory_its_beginning_is_kept(model: LanguageModel) -> None:
    token = model.decoder.new_cache(1).token_bytes
    asked = [Request(prompts(5)[4] + prompts(4)[3], max_new_tokens=8)]
    for room, kept in ((20, 20), (15, 0)):
        generator = TextGenerator(model, prefix_bytes=room * token + 1)
        (first,), (again,) = generator.generate(asked), generator.generate(asked)
        assert (first.cached_tokens, again.cached_tokens) == (0, kept)
        assert first.tokens == again.tokens


def test_a_model_that_goes_round_in_circles_is_stopped(model: LanguageModel) -> None:
    from adapters.text_stream import loops

    assert loops([1, 2, 3] * 40)
    assert loops([5] * 100)
    assert not loops([1, 2, 3] * 20)
    assert not loops(list(range(200)))


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        (Request([]), "empty"),
        (Request([5] * 128), "128 tokens"),
        (Request([999]), "does not know"),
        (Request([5], max_new_tokens=0), "max_new_tokens"),
    ],
)
def test_what_cannot_be_generated_is_said_in_a_line(
    request_: Request, part: str, model: LanguageModel
) -> None:
    with pytest.raises(GenerationError, match=part) as caught:
        TextGenerator(model).generate([request_])
    assert "\n" not in str(caught.value)


def test_a_text_ends_where_the_model_s_context_does(model: LanguageModel) -> None:
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset())
    row = batch.submit(Request([5, 6, 7] * 40, max_new_tokens=500))
    while not batch.is_idle:
        batch.step()
    assert row.generation is not None
    assert len(row.generation.tokens) <= 8


def test_without_memory_rows_wait_for_others_or_are_told(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters import batch as batch_module

    monkeypatch.setattr(batch_module, "_UNCHECKED_BYTES", 0)
    free = [10**12]
    monkeypatch.setattr(batch_module, "free_memory", lambda device: free[0])
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset(), most_rows=4)
    first = batch.submit(Request(prompts(1)[0], max_new_tokens=4))
    batch.step()
    free[0] = 0
    second = batch.submit(Request(prompts(1)[0], max_new_tokens=4))
    batch.step()
    assert second.slot == -1
    while first.generation is None:
        batch.step()
    # There is room for it now: the first row's.
    while not batch.is_idle:
        batch.step()
    assert second.generation is not None
    assert second.generation.reason == "length"
    with pytest.raises(NotEnoughRoomError, match="no memory"):
        TextGenerator(model).generate([Request(prompts(1)[0], max_new_tokens=4)])


def test_rows_behind_one_without_memory_can_be_cancelled(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters import batch as batch_module

    monkeypatch.setattr(batch_module, "_UNCHECKED_BYTES", 0)
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset(), most_rows=4)
    first = batch.submit(Request(prompts(1)[0], max_new_tokens=9))
    batch.step()
    monkeypatch.setattr(batch_module, "free_memory", lambda device: 0)
    second, third = (batch.submit(Request(prompts(1)[0], max_new_tokens=4)) for _ in range(2))
    third.cancel()
    assert batch.step() == [third]
    assert third.generation is not None
    assert third.generation.reason == "cancelled"
    assert (first.generation, second.slot) == (None, -1)


def test_a_long_text_is_not_charged_for_rows_that_are_gone(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters import batch as batch_module

    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset(), most_rows=4)
    for prompt in prompts(4):
        batch.submit(Request(prompt, max_new_tokens=2))
    while not batch.is_idle:
        batch.step()
    monkeypatch.setattr(batch_module, "_UNCHECKED_BYTES", 0)
    room = 128 * model.decoder.new_cache(1).token_bytes
    monkeypatch.setattr(batch_module, "free_memory", lambda device: room)
    row = batch.submit(Request(prompts(1)[0] * 30, max_new_tokens=20))
    while not batch.is_idle:
        batch.step()
    assert row.error is None
