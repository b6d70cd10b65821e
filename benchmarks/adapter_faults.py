"""Faults put into mixed batches: rows that are answered must be answered as if there were none."""

import random
from dataclasses import dataclass, field
from typing import Any

import torch

from adapters.base import LanguageModel
from adapters.batch import Batch, Generation, Request, Row
from adapters.lora import Adapter, Pair
from adapters.prefixes import Prefixes
from adapters.step import Step

_NEW = 6
_PLACES = ("qkv", "out", "gate_up", "down")


@dataclass
class Trap:
    """A projection that fails for the rows of some adapters, or some times for whoever comes."""

    base: Any
    hated: set[Adapter] = field(default_factory=set)
    times: int = 0

    def __call__(self, states: torch.Tensor, step: Step) -> torch.Tensor:
        product: torch.Tensor = self.base(states, step)
        if self.times > 0:
            self.times -= 1
            raise RuntimeError("injected")
        if not self.hated.isdisjoint(step.adapters):
            raise RuntimeError("injected")
        return product


def spoil(adapter: Adapter) -> Adapter:
    """Return an adapter whose numbers are none, as no file could bring it in."""
    bad = [Pair(pair.first, torch.full_like(pair.second, torch.nan)) for pair in adapter.layers[0]]
    return Adapter("bad", ((bad[0], bad[1], bad[2], bad[3]), *adapter.layers[1:]), adapter.nbytes)


def count_faults(
    model: LanguageModel, adapters: list[Adapter], prompts: list[list[int]], wanted: int
) -> dict[str, float | int]:
    """Inject faults until there were so many; count the rows answered otherwise than alone.

    An exception in a random layer (for all rows, or for those of one adapter, at each try), a
    cancellation, a listener that fails, an adapter whose numbers are none.
    """
    drawn = random.Random(23)
    prompts = [prompt[:12] for prompt in prompts[:4]]
    asked = [(prompt, adapter) for prompt in prompts for adapter in (None, *adapters)]
    alone = {id(pair): _alone(model, pair) for pair in asked}
    traps = []
    for layer in model.decoder.layers:
        for place in _PLACES:
            traps.append(Trap(getattr(layer, place)))
            setattr(layer, place, traps[-1])
    spoilt = spoil(adapters[0])
    batch = Batch(
        model.decoder,
        model.markup.tokenizer,
        end_tokens=frozenset(),
        prefixes=Prefixes(32_000_000),
    )
    rows: list[tuple[Row, Any]] = []
    faults = 0

    def refuse(piece: str) -> None:
        raise KeyError(piece)

    while faults < wanted or not batch.is_idle:
        if faults < wanted:
            for _ in range(4):
                kind, pair = drawn.random(), drawn.choice(asked)
                faults += kind < 0.2
                adapter = spoilt if kind < 0.15 else pair[1]
                tell = refuse if 0.15 <= kind < 0.2 else None
                request = Request(pair[0], _NEW, on_text=tell, adapter=adapter)
                rows.append((batch.submit(request), None if kind < 0.15 else pair))
            if drawn.random() < 0.5:
                drawn.choice(rows[-16:])[0].cancel()
                faults += 1
        for trap in traps:
            trap.hated, trap.times = set(), 0
        if drawn.random() < 0.3:
            trap = drawn.choice(traps)
            if drawn.random() < 0.7:
                trap.times = 1
            else:
                trap.hated = {drawn.choice(adapters)}
            faults += 1
        batch.step()
    for layer in model.decoder.layers:
        for place in _PLACES:
            setattr(layer, place, getattr(layer, place).base)
    answered = contaminated = 0
    for row, pair in rows:
        found: Generation | None = row.generation
        tokens = found.tokens if found is not None else ()
        expected = () if pair is None else alone[id(pair)]
        whole = row.error is None and found is not None and found.reason != "cancelled"
        answered += whole
        # Also what was written of an answer that then failed must be its own, and numbers that
        # are none must not come from another row.
        caught = pair is not None and "not finite" in str(row.error)
        contaminated += caught or tokens != (expected if whole else expected[: len(tokens)])
    return {"faults": faults, "answered_rows": answered, "contaminated_rows": contaminated}


def _alone(model: LanguageModel, pair: tuple[list[int], Adapter | None]) -> tuple[int, ...]:
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset(), most_rows=1)
    row = batch.submit(Request(pair[0], _NEW, adapter=pair[1]))
    while not batch.is_idle:
        batch.step()
    assert row.generation is not None
    return row.generation.tokens
