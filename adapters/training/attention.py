"""Attention over pieces packed into one row: an example, or what several begin with, or an end.

transformers would build a mask of all the row's tokens against all, most of it empty, and
attend by it; apart, each example costs no more than alone.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "phi_expert_packed"
# A piece's tokens, and how many it sees of the last piece that sees none.
Piece = tuple[int, int]
# Up to so many of them PyTorch goes back on a CPU twice as fast in fp32 as in bf16.
_SHORT = 400


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
    dtype = query.dtype
    if query.device.type == "cpu" and max(map(sum, pieces)) <= _SHORT:
        query, key, value = query.float(), key.float(), value.float()
    repeated = query.shape[1] // key.shape[1]
    if repeated > 1:
        key, value = (
            states[:, :, None].expand(-1, -1, repeated, -1, -1).flatten(1, 2)
            for states in (key, value)
        )
    lengths = [length for length, _ in pieces]
    attended: list[Tensor] = []
    beginning = key, value
    # Not slices: going backwards, each would fill a whole row with zeros.
    parts = [torch.split(states, lengths, dim=2) for states in (query, key, value)]
    for (length, seen), asked, offered, told in zip(pieces, *parts, strict=True):
        if seen:
            offered = torch.cat([beginning[0], offered], dim=2)
            told = torch.cat([beginning[1], told], dim=2)
        else:
            beginning = offered, told
        mask = _mask(length, seen, sliding_window, query.device)
        attended.append(
            functional.scaled_dot_product_attention(
                asked, offered, told, attn_mask=mask, is_causal=mask is None, scale=scaling
            ).transpose(1, 2)
        )
    return torch.cat(attended, dim=1).to(dtype), None


def _mask(length: int, seen: int, window: int | None, device: torch.device) -> Tensor | None:
    """Return which tokens each token of a piece sees; None for all before it and itself."""
    slides = window is not None and length + seen > window
    if not seen and not slides:
        return None
    mask = torch.ones(length, seen + length, dtype=torch.bool, device=device).tril(seen)
    return mask.triu(seen + 1 - window) if window is not None and slides else mask
