"""Choose a row's next token from its logits."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.errors import GenerationError

_LIKELY = 1024


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a request's tokens are chosen.

    :param temperature: 0 takes the likeliest token; higher ones spread the choice.
    :param top_p: Choose among the likeliest tokens that together have this probability.
    :param seed: The same seed gives the same answer, whatever is generated beside it; None
        for another one each time.
    :param repetition_penalty: Above 1, tokens that occurred already become less likely.
    :raises GenerationError: When a value means nothing.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.repetition_penalty <= 0:
            raise GenerationError(
                "temperature must be 0 or more, top_p between 0 and 1, repetition_penalty above 0"
            )


class Sampler:
    """Chooses the tokens of one request.

    :param sampling: How.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        # One number a token, whatever the device: a row's luck is its own.
        self._luck = random.Random(sampling.seed)  # noqa: S311

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken as it is."""
        return self._sampling.temperature == 0 and self._sampling.repetition_penalty == 1

    def choose(self, logits: Tensor, seen: Sequence[int]) -> int:
        """Return the next token.

        :param logits: [vocabulary], in fp32.
        :param seen: Tokens that the row has so far.
        """
        sampling = self._sampling
        if sampling.repetition_penalty != 1:
            logits = logits.clone()
            known = torch.tensor(sorted(set(seen)), device=logits.device)
            scores = logits[known]
            penalty = sampling.repetition_penalty
            logits[known] = torch.where(scores > 0, scores / penalty, scores * penalty)
        if sampling.temperature == 0:
            return int(logits.argmax())
        chances = torch.softmax(logits.double() / sampling.temperature, dim=-1)
        if sampling.top_p == 1:
            return self._draw(chances, len(chances))
        # Sorting a few is much quicker than all of them, and they are nearly always enough.
        for count in (min(_LIKELY, len(chances)), len(chances)):
            found, tokens = chances.topk(count)
            total = found.cumsum(-1)
            if total[-1] >= sampling.top_p or count == len(chances):
                break
        # The first token is always among them; then those before which top_p is not reached.
        kept = int((total - found < sampling.top_p).sum())
        return int(tokens[self._draw(found, kept)])

    def _draw(self, chances: Tensor, kept: int) -> int:
        """Return the place of one of the first chances."""
        total = chances[:kept].cumsum(-1)
        drawn = self._luck.random() * float(total[-1])
        return min(int(torch.searchsorted(total, drawn, right=True)), kept - 1)
