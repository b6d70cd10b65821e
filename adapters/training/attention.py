"""Attention over examples packed into one row, each of which sees nothing but itself.

transformers would build a mask of all the row's tokens against all, most of it empty, and
attend by it; apart, each example costs no more than alone.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "phi_expert_packed"


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
    bounds: Sequence[int],
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return what each token takes from its own example. Called by transformers.

    :param query: [1, heads, tokens, width]; key and value have their own number of heads.
    :param attention_mask: None: transformers builds none for an attention that it does not know.
    :param bounds: Where each example begins, and the number of tokens.
    """
    shared = query.shape[1] // key.shape[1]
    if shared > 1:
        key, value = (
            states[:, :, None].expand(-1, -1, shared, -1, -1).flatten(1, 2)
            for states in (key, value)
        )
    lengths = [stop - first for first, stop in pairwise(bounds)]
    attended = []
    # Not slices: going backwards, each would fill a whole row with zeros.
    parts = [torch.split(states, lengths, dim=2) for states in (query, key, value)]
    for asked, offered, told in zip(*parts, strict=True):
        length = asked.shape[2]
        mask = None
        if sliding_window is not None and length > sliding_window:
            ones = torch.ones(length, length, dtype=torch.bool, device=query.device)
            mask = ones.tril().triu(1 - sliding_window)
        attended.append(
            functional.scaled_dot_product_attention(
                asked, offered, told, attn_mask=mask, is_causal=mask is None, scale=scaling
            ).transpose(1, 2)
        )
    return torch.cat(attended, dim=1), None
