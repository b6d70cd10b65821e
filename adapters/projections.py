"""The linear layers of a decoder, in each precision: the one seam that adapters come in by."""

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from adapters.step import Step


_ENGINE = "fbgemm"
_TINY = 1e-12


class Projection(Protocol):
    """A linear layer without bias, as the decoder calls it."""

    def __call__(self, states: Tensor, step: "Step") -> Tensor:
        """Return the product with [tokens, inputs]: [tokens, outputs].

        :param step: Says which tokens go through which adapter.
        """
        ...


class FloatProjection:
    """A matrix in a floating-point type.

    :param weight: [outputs, inputs].
    """

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight

    def __call__(self, states: Tensor, step: "Step") -> Tensor:
        """Return the product. See :class:`Projection`."""
        return functional.linear(states, self._weight)


class Int8Projection:
    """A matrix in 8 bits, one scale an output; states in 16, as two halves of 8.

    Some states of a language model are a hundred times the others, which 8 bits cannot
    express: SmolLM2's likeliest token changed at 13 % of places, against 4 % with the halves
    (the weights' own rounding). The halves are two rows of one product, so that few rows,
    where reading the matrix is what takes time, cost the same.

    Sums are of whole numbers and exact, and a row's scale is its own, so that what a row
    comes to does not depend on the rows beside it.

    :param weight: [outputs, inputs].
    """

    def __init__(self, weight: Tensor) -> None:
        weight = weight.float()
        # Where the processor adds pairs of products in 16 bits, eight bits by eight overflow.
        self._levels = 63 if overflows() else 127
        self._packed = _pack(weight, weight.abs().amax(dim=1).clamp_min(_TINY) / 127)

    def __call__(self, states: Tensor, step: "Step") -> Tensor:
        """Return the product. See :class:`Projection`."""
        levels, rows = self._levels, len(states)
        reach = states.abs().amax(dim=-1, keepdim=True).clamp_min_(_TINY).div_(levels)
        upper = states / reach
        lower = (upper - upper.round()).mul_(2 * levels)
        products = _multiply(torch.cat([upper, lower]), levels, self._packed)
        return products[:rows].add_(products[rows:], alpha=1 / (2 * levels)).mul_(reach)


class Nf4Projection:
    """A matrix in bitsandbytes' NF4, its scales rounded too.

    :param weight: [outputs, inputs], on the device where it is used.
    """

    def __init__(self, weight: Tensor) -> None:
        from bitsandbytes import functional as four_bit

        self._packed, self._state = four_bit.quantize_4bit(
            weight.contiguous(), quant_type="nf4", compress_statistics=True
        )

    def __call__(self, states: Tensor, step: "Step") -> Tensor:
        """Return the product. See :class:`Projection`."""
        from bitsandbytes import matmul_4bit

        product: Tensor = matmul_4bit(states, self._packed.t(), quant_state=self._state)
        return product


@cache
def int8_is_available() -> bool:
    """Tell whether this machine and torch have what :class:`Int8Projection` is made of."""
    if _ENGINE not in torch.backends.quantized.supported_engines:
        return False
    try:
        ones = torch.ones(16, 64)
        product = _multiply(63 * ones, 63, _pack(ones, torch.full((16,), 1 / 127)))
    except (AttributeError, RuntimeError):
        return False
    return bool((product - 63 * 64).abs().max() < 1)


@cache
def overflows() -> bool:
    """Tell whether products of eight by eight bits overflow here, as without VNNI."""
    ones = torch.ones(16, 64)
    packed = _pack(ones, torch.full((16,), 1 / 127))
    return bool((_multiply(127 * ones, 127, packed) - 127 * 64).abs().max() > 1)


def _multiply(states: Tensor, levels: int, packed: Any) -> Tensor:
    """Return the product with states rounded to whole numbers, from -levels to levels."""
    product: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
        states, 1.0, levels + 1, packed
    )
    return product


def _pack(weight: Tensor, scales: Tensor) -> Any:
    """Return a matrix in 8 bits, laid out as the product wants it.

    :param scales: Of each output.
    """
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = _ENGINE
    try:
        with warnings.catch_warnings():
            # torch means to drop its quantised tensors; int8_is_available sees when it has.
            warnings.simplefilter("ignore", UserWarning)
            quantised = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
            return torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = engine
