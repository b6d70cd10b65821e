"""The loss of a frozen output layer, its logits never held but for some tokens at a time."""

from typing import Any

import torch
from torch import Tensor

# As much as a memory allocator gives back without asking the system for it anew.
_MOST_BYTES = 24_000_000


class _Loss(torch.autograd.Function):
    """The summed cross-entropy; the gradient is made with it, from the same logits."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        wanted_back = ctx.needs_input_grad[0]
        grad = torch.empty_like(states) if wanted_back else states
        total = states.new_zeros((), dtype=torch.float32)
        most = max(1, _MOST_BYTES // (4 * len(weight)))
        for part, wanted, out in zip(
            *(torch.split(tensor, most) for tensor in (states, targets, grad)), strict=True
        ):
            logits = (part @ weight.T).float()
            logits -= logits.amax(dim=-1, keepdim=True)
            at = wanted[:, None]
            total -= logits.gather(1, at).sum()
            sums = logits.exp_().sum(dim=-1, keepdim=True)
            total += sums.log().sum()
            if not wanted_back:
                continue
            logits /= sums
            logits.scatter_add_(1, at, torch.full_like(sums, -1.0))
            out.copy_(logits.to(weight.dtype) @ weight)
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * grads[0].to(grad.dtype), None, None


def summed_loss(states: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Return the summed cross-entropy of tokens.

    :param states: [tokens, width], of the tokens with a loss.
    :param weight: The output layer's, which does not learn.
    :param targets: The token behind each.
    """
    loss: Tensor = _Loss.apply(states, weight, targets)  # type: ignore[no-untyped-call]
    return loss
