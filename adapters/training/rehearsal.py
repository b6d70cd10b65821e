"""Keep what the base can do while it learns something else: learning without forgetting.

While an adapter learns facts, rows on something that the base does well already are shown to it
beside them, and their tokens' states are held to the base's own (Li & Hoiem, arXiv:1606.09282,
with the states compared as in FitNets, arXiv:1412.6550). Labels alone keep less: they say what
is right at a few tokens, states at all of them.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets
from torch import Tensor, nn

from adapters.training.rows import REHEARSED, Rows

# Rehearsed tokens to one that is learned from. A run takes a third longer by it.
SHARE = 0.175
# A row has room for passages and the questions about them, whatever is learned from.
ROW_TOKENS = 512
# How much a state's distance counts beside the loss of a learned token.
_WEIGHT = 3.0


def beside(learned: Rows, rehearsed: Rows, seed: int) -> Rows:
    """Return rows to learn from with some of those to rehearse among them.

    :param learned: What is learned from.
    :param rehearsed: What may be rehearsed; of it so much as :data:`SHARE` says.
    :param seed: Decides which.
    """
    shuffled = list(range(len(rehearsed)))
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    tokens = [sum(row) for row in rehearsed.dataset["tokens"]]
    chosen: list[int] = []
    taken = 0
    for number in shuffled:
        if taken + tokens[number] / 2 > SHARE * learned.tokens:
            break
        chosen.append(number)
        taken += tokens[number]
    if not chosen:
        return learned
    return replace(
        learned,
        dataset=concatenate_datasets(
            [_flagged(learned.dataset, 0), _flagged(rehearsed.dataset.select(chosen), 1)]
        ),
        tokens=learned.tokens + taken,
        longest=max(learned.longest, rehearsed.longest),
        most_learned=max(learned.most_learned, rehearsed.most_learned),
        most_scores=max(learned.most_scores, rehearsed.most_scores),
    )


def _flagged(dataset: Dataset, flag: int) -> Dataset:
    return dataset.add_column(REHEARSED, [flag] * len(dataset))


def forgetting(states: Tensor, wanted: Tensor) -> Tensor:
    """Return how far a model is from its base on a row: a number to make small.

    It is the squared distance of a token's state relative to its length, the mean over all
    tokens.

    :param states: [tokens, width], with the adapter.
    :param wanted: The same, of the base alone.
    """
    states, wanted = states.float(), wanted.float()
    far = (states - wanted).square().sum(-1) / wanted.square().sum(-1)
    return _WEIGHT * far.mean()


@contextmanager
def base_alone(model: nn.Module) -> Iterator[None]:
    """Compute without the adapter, and without gradients."""
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [one for one in model.modules() if isinstance(one, LoraLayer)]
    scales = [dict(layer.scaling) for layer in layers]
    try:
        for layer in layers:
            layer.scaling = dict.fromkeys(layer.scaling, 0.0)
        with torch.no_grad():
            yield
    finally:
        for layer, scale in zip(layers, scales, strict=True):
            layer.scaling = scale
