"""Rotary positions, longrope's two sets of frequencies included, chosen row by row.

The same numbers as transformers' ``Phi3RotaryEmbedding`` (the tests compare them), without
importing it, which takes seconds. There the longest text of a batch decides which set all
of them use; here each row decides for itself, so that no row changes another's tokens.
"""

import torch
from torch import Tensor

from adapters.architecture import Rope


class Rotary:
    """Turns positions into the cosines and sines that queries and keys are rotated by.

    :param rope: What the model's configuration says.
    :param device: Where the numbers are wanted.
    :param dtype: Their type.
    """

    def __init__(self, rope: Rope, *, device: torch.device, dtype: torch.dtype) -> None:
        self.width, self._half = rope.width, rope.width // 2
        self._original_length, self._scaling = rope.original_length, rope.scaling
        self._dtype = dtype
        exponents = torch.arange(0, rope.width, 2, dtype=torch.float32) / rope.width
        powers = rope.base**exponents
        sets = []
        for factors in (rope.short_factors, rope.long_factors):
            scaled = powers if factors is None else torch.tensor(factors) * powers
            sets.append(1.0 / scaled)
        self._frequencies = torch.stack(sets).to(device)
        self.has_two = rope.long_factors is not None

    def is_long(self, length: int) -> bool:
        """Tell whether a text of a length is rotated by the frequencies for long ones.

        A row that crosses the border must be read again from its start, as transformers does.
        """
        return self.has_two and length > self._original_length

    def tables(self, positions: Tensor, long: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return cosines and signed sines, [tokens, 1, width], for :func:`rotate`.

        :param positions: Position of each token in its row.
        :param long: 1 for each token of a row that :meth:`is_long`; None when no row is.
        """
        frequencies = self._frequencies[0] if long is None else self._frequencies[long]
        angles = positions[:, None].float() * frequencies
        cosines, sines = angles.cos() * self._scaling, angles.sin() * self._scaling
        cosines = torch.cat([cosines, cosines], dim=-1)
        sines = torch.cat([-sines, sines], dim=-1)
        return cosines.to(self._dtype)[:, None], sines.to(self._dtype)[:, None]

    def rotate(self, heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Return queries or keys, [tokens, heads, head width], rotated to their positions."""
        if self.width == heads.shape[-1]:
            return torch.addcmul(heads * cosines, heads.roll(self._half, -1), sines)
        part = heads[..., : self.width]
        rotated = torch.addcmul(part * cosines, part.roll(self._half, -1), sines)
        return torch.cat([rotated, heads[..., self.width :]], dim=-1)
