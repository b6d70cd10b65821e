"""The encoder's last layers, tuned for routing: they go on from the states that retrieval uses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.embed.embedder import Floats, TokenStates
from pipelines.embed.encoder import open_session

# States of a batch, its padding included.
_BATCH_TOKENS = 4096


class TunedLayers:
    """Turns token states into one vector a text.

    :param path: The exported graph.
    """

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, threads=1)

    def run(self, texts: Sequence[TokenStates]) -> Floats:
        """Return float32 [n, width], normalised, in the order given."""
        order = sorted(range(len(texts)), key=lambda at: len(texts[at].states))
        parts: dict[int, Floats] = {}
        batch: list[int] = []
        for at in order:
            longest = len(texts[at].states)
            if batch and longest * (len(batch) + 1) > _BATCH_TOKENS:
                self._batch(texts, batch, parts)
                batch = []
            batch.append(at)
        if batch:
            self._batch(texts, batch, parts)
        return np.stack([parts[at] for at in range(len(texts))])

    def _batch(
        self, texts: Sequence[TokenStates], batch: list[int], parts: dict[int, Floats]
    ) -> None:
        states, mask = padded([texts[at].states for at in batch])
        (vectors,) = self._session.run(None, {"states": states, "mask": mask})
        parts.update(zip(batch, vectors, strict=True))


def padded(states: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return states [b, t, width] filled up with zeros, and the mask [b, t], 1 at tokens."""
    longest = max(len(one) for one in states)
    filled = np.zeros((len(states), longest, states[0].shape[-1]), dtype=np.float32)
    mask = np.zeros((len(states), longest), dtype=np.float32)
    for row, one in enumerate(states):
        filled[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return filled, mask
