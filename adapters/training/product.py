"""The product of a frozen matrix and its low-rank addition, with no more passes than needed.

PEFT computes the addition apart, scales it and adds it: three passes over the widest
tensors of a layer, forwards and backwards, which on a CPU cost a tenth of a step.
"""

import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Dense = Callable[[torch.dtype], Tensor]


class _Product(torch.autograd.Function):
    """``states @ dense.T + scale * states @ down.T @ up.T``; the dense matrix learns nothing."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, dense: Dense, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        flat = states.reshape(-1, states.shape[-1])
        low = flat @ down.to(flat.dtype).T
        out = functional.linear(flat, dense(flat.dtype))
        out.addmm_(low, up.to(flat.dtype).T, alpha=scale)
        ctx.save_for_backward(flat, low, down, up)
        ctx.dense, ctx.scale, ctx.shape = dense, scale, states.shape
        return out.view(*states.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
        flat, low, down, up = ctx.saved_tensors
        grad = grads[0].reshape(len(flat), -1)
        grad_low = (grad @ up.to(grad.dtype)).mul_(ctx.scale)
        grad_up = (grad.T @ low).mul_(ctx.scale).to(up.dtype)
        grad_down = (grad_low.T @ flat).to(down.dtype)
        grad_states = None
        if ctx.needs_input_grad[0]:
            grad_states = grad @ ctx.dense(grad.dtype)
            grad_states.addmm_(grad_low, down.to(grad.dtype))
            grad_states = grad_states.view(ctx.shape)
        return grad_states, None, grad_down, grad_up, None


def install(model: nn.Module) -> int:
    """Let PEFT's layers of a model compute by one product; return their number.

    A model so changed only trains: its adapters cannot be switched off.
    """
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    layer: Any
    for layer in layers:
        layer.forward = types.MethodType(_forward, layer)
        layer.dense = _dense(layer.get_base_layer())
    return len(layers)


def _forward(layer: Any, states: Tensor) -> Tensor:
    product: Tensor = _Product.apply(  # type: ignore[no-untyped-call]
        states,
        layer.dense,
        layer.lora_A["default"].weight,
        layer.lora_B["default"].weight,
        layer.scaling["default"],
    )
    return product


def _dense(base: Any) -> Dense:
    """Return what gives a frozen layer's matrix in a type."""
    if getattr(base.weight, "quant_state", None) is None:
        dense: Dense = base.weight.to
        return dense
    from bitsandbytes.functional import dequantize_4bit

    # Never by the layer's own forward: without gradients it repacks the matrix for
    # inference where the processor knows bf16, and training goes on from garbage.
    return lambda dtype: dequantize_4bit(base.weight.data, base.weight.quant_state).to(dtype)
