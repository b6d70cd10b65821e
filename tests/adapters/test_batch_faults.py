"""Whatever goes wrong with a row ends that row, and no other one notices."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.base import LanguageModel, load_model
from adapters.batch import Batch, Generation, Request, Row
from adapters.errors import AdaptersError, GenerationError, NotEnoughRoomError
from adapters.kv_cache import KVCache
from adapters.lora import Adapter, Pair, load_adapter
from adapters.prefixes import Prefixes
from adapters.step import Step

from .small_adapters import write_adapter

Small = Callable[[str], tuple[Any, Path]]


@dataclass
class Trap:
    """A projection that fails for the rows of some adapters, or some times for whoever comes."""

    base: Any
    hated: set[Adapter] = field(default_factory=set)
    times: int = 0
    error: Exception = field(default_factory=lambda: ValueError("a layer\nfailed"))

    def __call__(self, states: torch.Tensor, step: Step) -> torch.Tensor:
        product: torch.Tensor = self.base(states, step)
        if self.times > 0:
            self.times -= 1
            raise self.error
        if not self.hated.isdisjoint(step.adapters):
            raise self.error
        return product


class Stand:
    """A small model with adapters, a trap in every projection, and what rows come to alone."""

    def __init__(self, model: LanguageModel, root: Path) -> None:
        decoder = model.decoder
        self.model = model
        self.traps: list[Trap] = []
        for layer in decoder.layers:
            for name in ("qkv", "out", "gate_up", "down"):
                self.traps.append(Trap(getattr(layer, name)))
                setattr(layer, name, self.traps[-1])
        self.adapters = [
            load_adapter(
                write_adapter(root / f"a{i}", decoder.architecture, i),
                decoder.architecture,
                name=f"a{i}",
                device=decoder.device,
                dtype=decoder.dtype,
            )
            for i in range(4)
        ]
        self._alone: dict[tuple[Any, ...], Generation] = {}

    def batch(self, **options: Any) -> Batch:
        return Batch(
            self.model.decoder, self.model.markup.tokenizer, end_tokens=frozenset(), **options
        )

    def disarm(self) -> None:
        for trap in self.traps:
            trap.times, trap.hated = 0, set()

    def alone(self, request: Request) -> Generation:
        key = (tuple(request.prompt), request.max_new_tokens, request.adapter)
        if key not in self._alone:
            self.disarm()
            batch = self.batch(most_rows=1)
            row = batch.submit(replace(request, on_text=None))
            while not batch.is_idle:
                batch.step()
            assert row.generation is not None
            self._alone[key] = row.generation
        return self._alone[key]

    def spoilt(self, value: float = torch.nan) -> Adapter:
        """Return an adapter that would have been refused, had it been read from a file."""
        good = self.adapters[0]
        last = good.layers[-1]
        bad = Pair(last[0].first, torch.full_like(last[0].second, value))
        return Adapter("bad", (*good.layers[:-1], (bad, *last[1:])), good.nbytes)


@pytest.fixture(scope="module")
def stand(small_model: Small, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    loaded = load_model(str(small_model("shared keys")[1]), precision="fp32", device="cpu")
    return Stand(loaded, tmp_path_factory.mktemp("adapters"))


@pytest.fixture(autouse=True)
def disarmed(stand: Stand) -> None:
    stand.disarm()


def prompt_of(seed: int, length: int) -> list[int]:
    drawn = random.Random(seed)
    return [drawn.randrange(3, 250) for _ in range(length)]


def finish(batch: Batch) -> None:
    while not batch.is_idle:
        batch.step()


def expect(stand: Stand, row: Row) -> None:
    assert row.error is None
    assert row.generation is not None
    assert row.generation.tokens == stand.alone(row.request).tokens


def test_a_layer_that_fails_once_costs_no_row_anything(stand: Stand) -> None:
    batch = stand.batch()
    rows = [
        batch.submit(Request(prompt_of(i, 5 + i), 8, adapter=stand.adapters[i % 4]))
        for i in range(6)
    ]
    for number in range(6):
        stand.traps[2 * number].times = 1
        batch.step()
    finish(batch)
    for row in rows:
        expect(stand, row)


@pytest.mark.parametrize("place", [0, 5, 11])
def test_an_adapter_that_fails_ends_its_own_rows_only(stand: Stand, place: int) -> None:
    batch = stand.batch()
    rows = [
        batch.submit(Request(prompt_of(i, 5 + i), 8, adapter=[None, *stand.adapters][i % 5]))
        for i in range(9)
    ]
    batch.step()
    batch.step()
    stand.traps[place].hated = {stand.adapters[1]}
    finish(batch)
    for row in rows:
        if row.request.adapter is stand.adapters[1]:
            assert isinstance(row.error, GenerationError)
            assert str(row.error) == "the model failed at this request: a layer failed"
            assert row.generation is not None
            assert row.generation.tokens == stand.alone(row.request).tokens[:2]
        else:
            expect(stand, row)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")])
def test_without_memory_for_a_row_it_says_so(stand: Stand, error: Exception) -> None:
    batch = stand.batch()
    bad = batch.submit(Request(prompt_of(1, 5), 4, adapter=stand.adapters[2]))
    good = batch.submit(Request(prompt_of(2, 7), 4))
    stand.traps[3].hated, stand.traps[3].error = {stand.adapters[2]}, error
    finish(batch)
    assert isinstance(bad.error, NotEnoughRoomError)
    assert "no memory for a text of 5 tokens" in str(bad.error)
    expect(stand, good)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_numbers_that_are_none_stay_in_their_row(stand: Stand, value: float) -> None:
    batch = stand.batch(most_rows=3, most_read=64, prefixes=Prefixes(10**7))
    spoilt = stand.spoilt(value)
    rows = []
    for i in range(30):
        adapter = spoilt if i % 3 == 0 else [None, *stand.adapters][i % 5]
        # Long ones, so that a short one that takes a place is read beside what was there.
        prompt = prompt_of(i % 4, 4 if i % 3 == 1 else 40)
        rows.append(batch.submit(Request(prompt, 3 + i % 5, adapter=adapter)))
    finish(batch)
    for row in rows:
        if row.request.adapter is not spoilt:
            expect(stand, row)
        elif value is torch.nan:
            assert "adapter bad leads to numbers that are not finite" in str(row.error)
            assert row.generation is not None
            assert row.generation.tokens == ()


def test_a_cache_that_cannot_grow_stays_as_it_was(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = stand.batch(most_rows=4)
    first = batch.submit(Request(prompt_of(1, 9), 8))
    batch.step()
    whole = KVCache._empty
    left = [2]

    def empty(cache: KVCache, slots: int, capacity: int) -> torch.Tensor:
        if slots > 1:
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("can't allocate memory")
        return whole(cache, slots, capacity)

    monkeypatch.setattr(KVCache, "_empty", empty)
    second = batch.submit(Request(prompt_of(2, 9), 8, adapter=stand.adapters[0]))
    batch.step()
    assert second.slot == -1
    finish(batch)
    expect(stand, first)
    expect(stand, second)


def test_rows_are_read_anew_when_a_cache_cannot_shrink_back(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = stand.batch(most_rows=2)
    first = batch.submit(Request(prompt_of(1, 9), 8))
    batch.step()
    whole = KVCache._empty
    # Two layers grow, the third does not, and then there is no memory for shrinking one either.
    granted = iter((True, True, False, False))

    def empty(cache: KVCache, slots: int, capacity: int) -> torch.Tensor:
        if slots and not next(granted, True):
            raise RuntimeError("can't allocate memory")
        return whole(cache, slots, capacity)

    monkeypatch.setattr(KVCache, "_empty", empty)
    second = batch.submit(Request(prompt_of(2, 9), 8, adapter=stand.adapters[0]))
    finish(batch)
    assert isinstance(second.error, NotEnoughRoomError)
    expect(stand, first)
    third = batch.submit(Request(prompt_of(2, 9), 8, adapter=stand.adapters[0]))
    finish(batch)
    expect(stand, third)


def test_hundreds_of_faults_of_every_kind(stand: Stand) -> None:
    drawn = random.Random(17)
    spoilt = stand.spoilt()
    batch = stand.batch(most_rows=8, most_read=24, prefixes=Prefixes(10**6))
    rows: list[Row] = []
    faults = survived = 0

    def refuse(piece: str) -> None:
        raise KeyError(piece)

    while faults < 400 or not batch.is_idle:
        if faults < 400 and drawn.random() < 0.6:
            bad = drawn.random() < 0.15
            faults += bad
            deaf = not bad and drawn.random() < 0.05
            faults += deaf
            request = Request(
                prompt_of(drawn.randrange(6), drawn.choice((4, 20, 40))),
                drawn.choice((3, 9)),
                adapter=spoilt if bad else drawn.choice([None, *stand.adapters]),
                on_text=refuse if deaf else None,
            )
            rows.append(batch.submit(request))
        if rows and drawn.random() < 0.15:
            drawn.choice(rows[-8:]).cancel()
            faults += 1
        for trap in stand.traps:
            trap.hated = set()
        if drawn.random() < 0.4:
            trap = drawn.choice(stand.traps)
            trap.error = drawn.choice([ValueError("broken"), MemoryError(), ZeroDivisionError()])
            if drawn.random() < 0.5:
                trap.times = drawn.randrange(1, 4)
            else:
                trap.hated = {drawn.choice(stand.adapters)}
            faults += 1
        batch.step()
    for row in rows:
        assert row.generation is not None
        wanted = () if row.request.adapter is spoilt else stand.alone(row.request).tokens
        # Also what was written of an answer that then failed is that row's own.
        assert row.generation.tokens == wanted[: len(row.generation.tokens)]
        if row.error is None and row.generation.reason != "cancelled":
            assert row.generation.tokens == wanted
            survived += 1
        elif row.error is not None:
            assert isinstance(row.error, AdaptersError | KeyError)
            assert row.request.adapter is spoilt or "not finite" not in str(row.error)
    assert survived > len(rows) / 4
    assert not batch._cache.lengths
    assert all(layer.eq(0).all() for layer in batch._cache._layers)
