"""Exact vector search over a float32 matrix that is kept in step with a SQLite file.

Vectors lie in blocks of many rows, so that opening the store is a few large reads. Each
block carries the number of the change that wrote it last; a reader asks for the blocks
changed since it last looked.
"""

import sqlite3
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import StoreError

_SLOTS = 256


class VectorMatrix:
    """The vectors of a store in memory.

    A slot without a vector has row 0, which no passage has.
    """

    def __init__(self) -> None:
        self.dimensions = 0
        self._rows = np.zeros(0, dtype=np.int64)
        self._matrix = np.zeros((0, 0), dtype=np.float32)
        self._scale = np.zeros(0, dtype=np.float32)
        self._change = 0
        self._epoch = 0

    def refresh(self, db: sqlite3.Connection) -> None:
        """Read the blocks that changed since the last call."""
        (epoch,) = db.execute("SELECT value FROM counters WHERE name = 'epoch'").fetchone()
        if epoch != self._epoch:
            # The file was emptied: its changes are counted anew.
            self.clear()
            self._epoch = epoch
        (last,) = db.execute("SELECT coalesce(max(block), -1) FROM vectors").fetchone()
        changed = db.execute(
            "SELECT block, change, rows, data FROM vectors WHERE change > ?", (self._change,)
        )
        self._resize((last + 1) * _SLOTS)
        for block, change, rows, data in changed:
            at = slice(block * _SLOTS, (block + 1) * _SLOTS)
            if not self.dimensions:
                self.dimensions = len(data) // (4 * _SLOTS)
                self._matrix = np.zeros((len(self._rows), self.dimensions), dtype=np.float32)
            self._rows[at] = np.frombuffer(rows, dtype=np.int64)
            self._matrix[at] = np.frombuffer(data, dtype=np.float32).reshape(_SLOTS, -1)
            norms = np.linalg.norm(self._matrix[at], axis=1)
            self._scale[at] = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
            self._change = max(self._change, change)

    def search(
        self, query: Sequence[float], top_k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Return the rows nearest to a query with their cosine, best first.

        :param query: As many numbers as the vectors have.
        :param top_k: Rows at most.
        :param allowed: Rows to choose from; None for all.
        :raises StoreError: When the query has another length than the vectors.
        """
        if not self.dimensions:
            return []
        vector = np.asarray(query, dtype=np.float32)
        if vector.shape != (self.dimensions,):
            raise StoreError(
                f"a query of {vector.size} numbers does not fit vectors of {self.dimensions}"
            )
        norm = float(np.linalg.norm(vector))
        slots = np.flatnonzero(self._rows if allowed is None else np.isin(self._rows, allowed))
        if allowed is not None:
            slots = slots[self._rows[slots] > 0]
        if len(slots) * 4 < len(self._rows):
            scores = (self._matrix[slots] @ vector) * self._scale[slots]
        else:
            scores = ((self._matrix @ vector) * self._scale)[slots]
        if norm > 0:
            scores = scores / norm
        if len(scores) > top_k:
            best = np.argpartition(scores, -top_k)[-top_k:]
            slots, scores = slots[best], scores[best]
        # Equal scores come in the order of writing, whatever the partition did.
        order = np.lexsort((self._rows[slots], -scores))
        return [(int(self._rows[slots[i]]), float(scores[i])) for i in order]

    def vectors_of(self, rows: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Return the vectors of the rows that have one."""
        slots = np.flatnonzero(np.isin(self._rows, np.asarray(rows, dtype=np.int64)))
        return {int(self._rows[s]): self._matrix[s] for s in slots if self._rows[s]}

    def clear(self) -> None:
        """Forget everything; the caller empties the table."""
        self.__init__()  # type: ignore[misc]

    def _resize(self, slots: int) -> None:
        have = len(self._rows)
        if slots == have:
            return
        self._rows = np.concatenate([self._rows, np.zeros(slots - have, dtype=np.int64)])
        self._scale = np.concatenate([self._scale, np.zeros(slots - have, dtype=np.float32)])
        if self.dimensions:
            more = np.zeros((slots - have, self.dimensions), dtype=np.float32)
            self._matrix = np.concatenate([self._matrix, more])


def write_vectors(
    db: sqlite3.Connection, removed: Sequence[int], added: Mapping[int, NDArray[np.float32]]
) -> None:
    """Change the blocks of a file, in the caller's transaction.

    Only the blocks concerned are read, so that writing takes no memory for the rest.

    :param removed: Rows whose vectors go.
    :param added: Vectors of new rows, all of the same length.
    """
    if not removed and not added:
        return
    (change,) = db.execute("SELECT coalesce(max(change), 0) + 1 FROM vectors").fetchone()
    blocks = {
        block: np.frombuffer(rows, dtype=np.int64)
        for block, rows in db.execute("SELECT block, rows FROM vectors ORDER BY block")
    }
    gone = np.asarray(removed, dtype=np.int64)
    waiting = list(added.items())
    following = len(blocks)
    for block, before in [*blocks.items(), *((following + n, None) for n in range(len(added)))]:
        if before is None and not waiting:
            break
        rows = np.zeros(_SLOTS, dtype=np.int64) if before is None else before.copy()
        if len(gone):
            rows[np.isin(rows, gone)] = 0
        emptied = before is not None and not np.array_equal(rows, before)
        free = np.flatnonzero(rows == 0)[: len(waiting)]
        if not emptied and not len(free):
            continue
        if before is None:
            data = np.zeros((_SLOTS, len(waiting[0][1])), dtype=np.float32)
        else:
            (stored,) = db.execute("SELECT data FROM vectors WHERE block = ?", (block,)).fetchone()
            data = np.frombuffer(stored, dtype=np.float32).reshape(_SLOTS, -1).copy()
        data[rows == 0] = 0
        for slot, (row, vector) in zip(free.tolist(), waiting, strict=False):
            rows[slot] = row
            data[slot] = vector
        waiting = waiting[len(free) :]
        db.execute(
            "INSERT OR REPLACE INTO vectors(block, change, rows, data) VALUES (?, ?, ?, ?)",
            (block, change, rows.tobytes(), data.tobytes()),
        )
