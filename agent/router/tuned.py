"""The encoder's last layers, tuned for routing: they go on from the states that retrieval uses."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipelines.embed.embedder import Floats, TokenStates
from pipelines.embed.encoder import open_session

# States of a batch, its padding included.
_BATCH_TOKENS = 2048


class TunedLayers:
    """Turns token states into one vector a text.

    One session on one thread, which several threads share where there are several batches.

    :param path: The exported graph.
    """

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, threads=1)
        self._threads = len(os.sched_getaffinity(0))

    def run(self, texts: Sequence[TokenStates]) -> Floats:
        """Return float32 [n, width], normalised, in the order given."""
        order = batches_of(texts)
        batches = [[texts[at] for at in places] for places in order]
        if len(batches) == 1:
            parts = [self._batch(batches[0])]
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                parts = list(pool.map(self._batch, batches))
        joined = np.concatenate(parts)
        vectors = np.empty_like(joined)
        vectors[[at for places in order for at in places]] = joined
        return vectors

    def _batch(self, texts: Sequence[TokenStates]) -> Floats:
        states, mask = padded([text.states for text in texts])
        (vectors,) = self._session.run(None, {"states": states, "mask": mask})
        found: Floats = vectors
        return found


def batches_of(texts: Sequence[TokenStates]) -> list[list[int]]:
    """Return the places of texts in batches, those of like length together."""
    batches: list[list[int]] = []
    for at in sorted(range(len(texts)), key=lambda at: len(texts[at].states)):
        if not batches or len(texts[at].states) * (len(batches[-1]) + 1) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(at)
    return batches


def padded(states: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return states [b, t, width] filled up with zeros, and the mask [b, t], 1 at tokens."""
    longest = max(len(one) for one in states)
    filled = np.zeros((len(states), longest, states[0].shape[-1]), dtype=np.float32)
    mask = np.zeros((len(states), longest), dtype=np.float32)
    for row, one in enumerate(states):
        filled[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return filled, mask
