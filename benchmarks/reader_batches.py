"""What all batches of the reader's examples share: answers as tokens, padding, and its scores."""

from collections.abc import Sequence

import torch
from reader_data import Example
from tokenizers import Encoding
from torch import Tensor

from pipelines.read.torch_reader import TorchReader

_STEP = 16


def answer_tokens(encoding: Encoding, one: Example) -> list[int]:
    """Return the places of the tokens of an example's answer; none where it has no answer."""
    shift = one.joined()[1]
    return [
        n
        for n, (kind, (start, end)) in enumerate(
            zip(encoding.type_ids, encoding.offsets, strict=True)
        )
        if one.start >= 0
        and kind == 1
        and end > start
        and start < one.end + shift
        and end > one.start + shift
    ]


def padded(texts: Sequence[list[int]], device: str) -> tuple[Tensor, Tensor]:
    """Return token ids [texts, tokens] and their mask, 1 at tokens."""
    # In steps, since on a CPU a product of a new shape is compiled first.
    longest = -(-max(len(ids) for ids in texts) // _STEP) * _STEP
    ids = torch.zeros(len(texts), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
        mask[row, : len(text)] = 1
    return ids.to(device), mask.to(device)


def learning_scores(model: TorchReader, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the reader's logits [texts, tokens, 2] in mixed precision, with gradients."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        return masked(model(ids, mask).float(), mask)


def masked(scores: Tensor, mask: Tensor) -> Tensor:
    """Return logits that never choose padding."""
    return scores.masked_fill(mask[..., None] == 0, -1e4)
