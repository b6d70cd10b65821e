"""Attention of the reader while it learns, as transformers' eager one but for fewer copies.

All in bf16, whose softmax accumulates in fp32. On two cores a step of the reader takes .64 to .9
of the time, most with long texts.
"""

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from pipelines.read.torch_reader import TorchReader

_NAME = "reader"


def attend_plainly(reader: TorchReader) -> None:
    """Let a reader attend by :func:`_attend`."""
    reader.body.set_attn_implementation(_NAME)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    **_: object,
) -> tuple[Tensor, None]:
    with torch.autocast(query.device.type, enabled=False):
        scores = torch.matmul(query * scaling, key.transpose(2, 3))
        if attention_mask is not None:
            scores = scores + attention_mask.to(scores.dtype)
        attended = torch.matmul(torch.softmax(scores, -1), value)
    return attended.transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, eager_mask)
