"""One pass through the model: which rows get which tokens, laid out for the decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from adapters.kv_cache import KVCache
from adapters.rotary import Rotary

if TYPE_CHECKING:
    from adapters.lora import Adapter


@dataclass(frozen=True, slots=True)
class Run:
    """New tokens of a row.

    :param row: The row's number in the cache.
    :param tokens: One token of a row that is being written, or a stretch of a prompt.
    :param length: What the row will hold in the end, as far as is known; decides how
        positions are rotated.
    :param adapter: What its tokens go through besides the model; None for nothing.
    """

    row: int
    tokens: Sequence[int]
    length: int
    adapter: "Adapter | None" = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of several tokens: attended to by itself.

    :param first: Its first token's place in the step.
    :param mask: What each token sees, [tokens, length]; None where it is plainly causal.
    """

    row: int
    first: int
    count: int
    length: int
    mask: Tensor | None


@dataclass(frozen=True, slots=True)
class Step:
    """The tokens of a pass, one after another without padding.

    The single tokens of rows that are being written come first, then the stretches; among
    each, those of one adapter stand together, and else they are ordered by row.

    :param adapters: What the tokens go through, those beside each other that go through the
        same; None for no adapter. Empty when no token has one.
    :param counts: How many tokens each of those are.
    :param places: Where in the cache each token is written.
    :param singles: How many single tokens there are.
    :param single_rows: Rows of the cache from the first to the last that has a single token.
    :param spread: Place of each single token among those rows; None when it is the same.
    :param gather: For each of those rows, the place of its single token, or any if it has none.
    :param single_length: Length of the longest of those rows.
    :param single_mask: What each of those rows sees; None when all see all.
    :param last: Place of each run's last token, in the order that the runs were given.
    """

    tokens: Tensor
    adapters: "tuple[Adapter | None, ...]"
    counts: tuple[int, ...]
    places: Tensor
    cosines: Tensor
    sines: Tensor
    singles: int
    single_rows: slice
    spread: Tensor | None
    gather: Tensor | None
    single_length: int
    single_mask: Tensor | None
    stretches: tuple[Stretch, ...]
    last: Tensor


def lay_out(
    runs: Sequence[Run],
    cache: KVCache,
    rotary: Rotary,
    *,
    window: int | None,
    device: torch.device,
    dtype: torch.dtype,
) -> Step:
    """Lay out a pass and note the new lengths of its rows in the cache.

    :param runs: New tokens, at most one run a row.
    :param window: Tokens that a token sees back from itself; None for all.
    """
    numbers: dict[int, int] = {}
    for run in runs:
        numbers.setdefault(id(run.adapter), len(numbers))
    order = sorted(
        range(len(runs)),
        key=lambda i: (len(runs[i].tokens) > 1, numbers[id(runs[i].adapter)], runs[i].row),
    )
    tokens: list[int] = []
    adapters: list[Adapter | None] = []
    counts: list[int] = []
    positions: list[int] = []
    places: list[int] = []
    long: list[int] = []
    last = [0] * len(runs)
    stretches = []
    singles: list[int] = []
    for i in order:
        run = runs[i]
        start, count = cache.lengths[run.row], len(run.tokens)
        if count == 1:
            singles.append(run.row)
        else:
            mask = _stretch_mask(start, count, window, device, dtype)
            stretches.append(Stretch(run.row, len(tokens), count, start + count, mask))
        if adapters and adapters[-1] is run.adapter:
            counts[-1] += count
        else:
            adapters.append(run.adapter)
            counts.append(count)
        tokens += run.tokens
        positions += range(start, start + count)
        places += cache.places(run.row, start, count)
        long += [int(rotary.is_long(run.length))] * count
        last[i] = len(tokens) - 1
        cache.lengths[run.row] = start + count

    def tensor(values: list[int]) -> Tensor:
        return torch.tensor(values, device=device)

    cosines, sines = rotary.tables(tensor(positions), tensor(long) if any(long) else None)
    start = min(singles, default=0)
    between = slice(start, max(singles, default=start - 1) + 1)
    spread = [row - start for row in singles]
    moved = spread != list(range(between.stop - start))
    lengths, gather = [0] * (between.stop - start), [0] * (between.stop - start)
    for i, place in enumerate(spread):
        lengths[place], gather[place] = cache.lengths[singles[i]], i
    longest = max(lengths, default=0)
    return Step(
        tokens=tensor(tokens),
        adapters=() if adapters == [None] else tuple(adapters),
        counts=tuple(counts),
        places=tensor(places),
        cosines=cosines,
        sines=sines,
        singles=len(singles),
        single_rows=between,
        spread=tensor(spread) if moved else None,
        gather=tensor(gather) if moved else None,
        single_length=longest,
        single_mask=_single_mask(lengths, window, device, dtype),
        stretches=tuple(stretches),
        last=tensor(last),
    )


def _stretch_mask(
    start: int, count: int, window: int | None, device: torch.device, dtype: torch.dtype
) -> Tensor | None:
    length = start + count
    narrow = window is not None and length > window
    if not start and not narrow:
        return None
    own = torch.arange(start, length, device=device)[:, None]
    other = torch.arange(length, device=device)
    seen = other <= own
    if window is not None:
        seen &= other > own - window
    return _additive(seen, dtype)


def _single_mask(
    lengths: list[int], window: int | None, device: torch.device, dtype: torch.dtype
) -> Tensor | None:
    longest = max(lengths, default=0)
    narrow = window is not None and longest > window
    if not narrow and all(length == longest for length in lengths):
        return None
    ends = torch.tensor(lengths, device=device)[:, None]
    other = torch.arange(longest, device=device)
    seen = other < ends
    if window is not None:
        seen &= other >= ends - window
    # A row that takes no part sees one token, so that no row sees nothing, which is NaN.
    seen[:, 0] |= ends[:, 0] == 0
    return _additive(seen, dtype)[:, None, None, :]


def _additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    mask = torch.zeros(seen.shape, device=seen.device, dtype=dtype)
    return mask.masked_fill_(~seen, float("-inf"))
