"""Attention over a whole packed row by one kernel, on a GPU.

Piece by piece, as on a CPU, a row of many short examples is thousands of small products, and a
GPU waits for each to be asked for. Here the row is one product, of which whole blocks that no
token sees are left out (Dong et al. 2024, *FlexAttention*, arXiv 2412.05496).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

# Rows are filled up to a multiple of so many: for each length the kernel is compiled anew.
MULTIPLE = 2048
# The oldest processors that the kernel is made for.
_LEAST_CAPABILITY = (8, 0)


def is_for(device: torch.device) -> bool:
    """Return whether a device has this attention."""
    return (
        device.type == "cuda"
        and find_spec("triton") is not None
        and torch.cuda.get_device_capability(device) >= _LEAST_CAPABILITY
    )


def attend_at_once(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    pieces: Sequence[tuple[int, int]],
    *,
    window: int | None,
    scale: float,
) -> Tensor:
    """Return what each token takes from its own example.

    :param query: [1, heads, tokens, width]; key and value have their own number of heads.
    :param pieces: What the row is made of, in order; see :mod:`adapters.training.attention`.
    :param window: How far back a token sees; None for all of its example.
    :param scale: What products are multiplied by.
    """
    mask = _block_mask(tuple(pieces), window, query.device)
    kernel: Callable[..., Any] = flex_attention
    if query.device.type == "cuda":
        kernel = _compiled()
    attended: Tensor = kernel(query, key, value, block_mask=mask, scale=scale, enable_gqa=True)
    return attended


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., Tensor]:
    compiled: Callable[..., Tensor] = torch.compile(flex_attention, dynamic=False)
    return compiled


# All layers of a row have the same one.
@lru_cache(maxsize=1)
def _block_mask(
    pieces: tuple[tuple[int, int], ...], window: int | None, device: torch.device
) -> BlockMask:
    lengths = torch.tensor([length for length, _ in pieces])
    begins = torch.tensor([seen == 0 for _, seen in pieces])

    def of_tokens(of_pieces: Tensor) -> Tensor:
        return of_pieces.repeat_interleave(lengths).to(device)

    piece = of_tokens(torch.arange(len(pieces)))
    example = of_tokens(begins.cumsum(0))
    shared = of_tokens(begins)
    place = torch.cat([torch.arange(seen, seen + length) for length, seen in pieces]).to(device)

    def sees(_row: Tensor, _head: Tensor, token: Tensor, other: Tensor) -> Tensor:
        before = (other <= token) & (example[token] == example[other])
        own = before & ((piece[token] == piece[other]) | shared[other])
        return own if window is None else own & (place[token] - place[other] < window)

    total = len(piece)
    return create_block_mask(sees, None, None, total, total, device=device)
