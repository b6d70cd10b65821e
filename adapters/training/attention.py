"""Attention over pieces packed into one row: an example, or what several begin with, or an end.

transformers would build a mask of all the row's tokens against all, most of it empty, and
attend by it; apart, each example costs no more than alone.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapters.training import whole_row

NAME = "phi_expert_packed"
# A piece's tokens, and how many it sees of the last piece that sees none.
Piece = tuple[int, int]
# Tokens of a group whose scores a CPU holds as one matrix.
SHORT = 800


def register() -> None:
    """Make it known to transformers by its name."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    pieces: Sequence[Piece],
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return what each token takes from its own example. Called by transformers.

    :param query: [1, heads, tokens, width]; key and value have their own number of heads.
    :param attention_mask: None: transformers builds none for an attention that it does not know.
    :param pieces: What the row is made of, in order.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if whole_row.is_for(query.device):
        row = whole_row.attend_at_once(
            query, key, value, pieces, window=sliding_window, scale=scale
        )
        return row.transpose(1, 2), None
    attended: list[Tensor] = []
    groups = groups_of(pieces)
    lengths = [sum(length for length, _ in group) for group in groups]
    # Not slices: going backwards, each would fill a whole row with zeros.
    parts = [torch.split(states, lengths, dim=2) for states in (query, key, value)]
    masks: Sequence[Tensor | None] = [None] * len(groups)
    if query.device.type == "cpu":
        times = query.shape[1] // key.shape[1]
        masks = _group_masks(tuple(groups), sliding_window, times, query.dtype)
    for group, mask, asked, offered, told in zip(groups, masks, *parts, strict=True):
        if mask is not None:
            attended.append(_plainly(asked, offered, told, mask, scale))
        else:
            attended += _by_kernel(asked, offered, told, group, sliding_window, scale)
    return torch.cat(attended, dim=2).transpose(1, 2), None


def groups_of(pieces: Sequence[Piece]) -> list[tuple[Piece, ...]]:
    """Return each beginning with the ends that go on from it."""
    groups: list[list[Piece]] = []
    for length, seen in pieces:
        if seen:
            groups[-1].append((length, seen))
        else:
            groups.append([(length, seen)])
    return [tuple(group) for group in groups]


def _plainly(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """Return what a group's tokens take, by products of whole matrices.

    For a few hundred tokens on a CPU these take half the time of PyTorch's fused kernel, which
    falls behind in going backwards, and in bf16 a third.
    """
    shared, width = key.shape[1], query.shape[-1]
    asked = (query * scale).view(shared, -1, width)
    scores = torch.baddbmm(mask.expand(shared, -1, -1), asked, key[0].transpose(1, 2))
    return torch.bmm(scores.softmax(dim=-1), value[0]).view(query.shape)


def _by_kernel(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    group: Sequence[Piece],
    window: int | None,
    scale: float,
) -> Iterator[Tensor]:
    """Yield what each piece's tokens take, by PyTorch's own attention."""
    repeated = query.shape[1] // key.shape[1]
    if repeated > 1:
        key, value = (
            states[:, :, None].expand(-1, -1, repeated, -1, -1).flatten(1, 2)
            for states in (key, value)
        )
    lengths = [length for length, _ in group]
    parts = [torch.split(states, lengths, dim=2) for states in (query, key, value)]
    first_key, first_value = parts[1][0], parts[2][0]
    for (length, seen), asked, offered, told in zip(group, *parts, strict=True):
        if seen:
            offered = torch.cat([first_key, offered], dim=2)
            told = torch.cat([first_value, told], dim=2)
        mask = _mask(length, seen, window, query.device)
        yield functional.scaled_dot_product_attention(
            asked, offered, told, attn_mask=mask, is_causal=mask is None, scale=scale
        )


# Only for the layers of a row: masks of all rows would fill the memory.
@lru_cache(maxsize=1)
def _group_masks(
    groups: tuple[tuple[Piece, ...], ...], window: int | None, times: int, dtype: torch.dtype
) -> list[Tensor | None]:
    """Return what is added to the scores of a row's groups, on a CPU; None for long groups.

    :param times: Heads that share a key, whose scores stand below each other.
    """
    return [
        _group_mask(group, window).to(dtype).repeat(times, 1)
        if sum(length for length, _ in group) <= SHORT
        else None
        for group in groups
    ]


def _group_mask(group: tuple[Piece, ...], window: int | None) -> Tensor:
    """Return what is added to a group's scores: nothing, or what hides a token."""
    total = sum(length for length, _ in group)
    mask = torch.full((total, total), -math.inf)
    at = 0
    for length, seen in group:
        own = _mask(length, seen, window, torch.device("cpu"))
        if own is None:
            own = torch.ones(length, seen + length, dtype=torch.bool).tril(seen)
        rows = mask[at : at + length]
        rows[:, :seen][own[:, :seen]] = 0.0
        rows[:, at : at + length][own[:, seen:]] = 0.0
        at += length
    return mask


def _mask(length: int, seen: int, window: int | None, device: torch.device) -> Tensor | None:
    """Return which tokens each token of a piece sees; None for all before it and itself."""
    slides = window is not None and length + seen > window
    if not seen and not slides:
        return None
    mask = torch.ones(length, seen + length, dtype=torch.bool, device=device).tril(seen)
    return mask.triu(seen + 1 - window) if window is not None and slides else mask
