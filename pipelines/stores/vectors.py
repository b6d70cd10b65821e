"""The vectors of the embedded store: blocks of float32 in the file, one matrix in memory.

In the file each block of consecutive rows is one value, read in one go and written in
place. In memory the blocks lie under each other, so that a question costs one pass over
contiguous numbers; a change in the file reloads the blocks it touched.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import StoreError
from pipelines.stores.sqlite_schema import BLOCK_ROWS

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_STORED = np.dtype("<f4")
_ROOM = 1.25
# Below this share of the matrix it is faster to copy the wanted rows together.
_GATHERED_SHARE = 0.08


def write_vectors(connection: sqlite3.Connection, rows: Rows, vectors: Floats) -> None:
    """Store vectors; rows of zeros take one away.

    :param rows: Row numbers, each once.
    :param vectors: Shape ``[len(rows), dimension]``.
    """
    row_bytes = vectors.shape[1] * _STORED.itemsize
    for block, places, picked in by_block(rows):
        values = vectors[picked].astype(_STORED)
        if not _has_block(connection, block):
            data = np.zeros((BLOCK_ROWS, vectors.shape[1]), _STORED)
            data[places] = values
            connection.execute("INSERT INTO vectors VALUES (?, ?)", (block, data.tobytes()))
            continue
        order = np.argsort(places)
        runs = np.split(order, np.flatnonzero(np.diff(places[order]) != 1) + 1)
        with connection.blobopen("vectors", "data", block) as stored:
            for run in runs:
                stored.seek(int(places[run[0]]) * row_bytes)
                stored.write(values[run].tobytes())


def read_vectors(connection: sqlite3.Connection, rows: Rows) -> Floats:
    """Return the stored vectors of these rows, shape ``[len(rows), dimension]``."""
    dimension = stored_dimension(connection) or 0
    found = np.zeros((len(rows), dimension), np.float32)
    row_bytes = dimension * _STORED.itemsize
    for block, places, picked in by_block(rows):
        if not _has_block(connection, block):
            continue
        with connection.blobopen("vectors", "data", block, readonly=True) as stored:
            for place, index in zip(places, picked, strict=True):
                stored.seek(int(place) * row_bytes)
                found[index] = np.frombuffer(stored.read(row_bytes), _STORED)
    return found


def stored_dimension(connection: sqlite3.Connection) -> int | None:
    """Return the length of the stored vectors; None before the first."""
    (dimension,) = connection.execute("SELECT dimension FROM state").fetchone()
    return None if dimension is None else int(dimension)


def by_block(rows: Rows) -> Iterator[tuple[int, Rows, Rows]]:
    """Group rows by the block they lie in.

    :returns: Block numbers, each with the places within it and the indices into ``rows``.
    """
    blocks = rows // BLOCK_ROWS
    for block in np.unique(blocks):
        picked = np.flatnonzero(blocks == block)
        yield int(block), rows[picked] - block * BLOCK_ROWS, picked


def changed_blocks(
    connection: sqlite3.Connection, known: dict[int, int]
) -> tuple[list[int], dict[int, int]]:
    """Return which blocks are not as ``known``, gone ones included, and all as they are now."""
    current = dict(connection.execute("SELECT block, generation FROM blocks"))
    numbers = known.keys() | current.keys()
    return sorted(n for n in numbers if known.get(n) != current.get(n)), current


def best(scores: Floats, top_k: int) -> Rows:
    """Return the indices of the highest scores, best first, equal ones by index."""
    if top_k < len(scores):
        # Equal scores at the border are all kept for the sort to decide.
        border = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
        indices = np.flatnonzero(scores >= border)
    else:
        indices = np.arange(len(scores))
    order = np.argsort(-scores[indices], kind="stable")[:top_k]
    return indices[order]


@dataclass(slots=True)
class View:
    """The matrix as of one generation.

    :param matrix: Shape ``[rows, dimension]``; zeros where a row has no vector.
    :param scales: One over each row's length; zero where it has no vector.
    :param users: How many questions are reading it.
    """

    matrix: Floats
    scales: Floats
    users: int = 0

    def nearest(
        self, query: Floats, top_k: int, allowed: Rows | None = None
    ) -> tuple[Rows, Floats]:
        """Return the rows of the highest cosine with a query, best first, and the cosines.

        :param query: Shape ``[dimension]``, of any length but zero.
        :param top_k: How many rows at most.
        :param allowed: Choose among these rows only.
        """
        query = query / np.float32(np.linalg.norm(query))
        if allowed is None:
            rows = np.flatnonzero(self.scales)
        else:
            rows = allowed[allowed < len(self.scales)]
            rows = rows[self.scales[rows] > 0]
        if len(rows) <= _GATHERED_SHARE * len(self.scales):
            scores = np.vecdot(self.matrix[rows], query) * self.scales[rows]
        else:
            # One pass on one thread: as fast as the memory, whatever else is running, where
            # a threaded product waits for a second core to be free.
            scores = (np.vecdot(self.matrix, query) * self.scales)[rows]
        chosen = best(scores, top_k)
        return rows[chosen], np.clip(scores[chosen], -1.0, 1.0)


class VectorMatrix:
    """Keeps the matrix in step with the file; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation = -1
        self._blocks: dict[int, int] = {}
        self._matrix = np.zeros((0, 0), np.float32)
        self._scales = np.zeros(0, np.float32)
        self._view = View(self._matrix, self._scales)

    @contextmanager
    def view(self, connection: sqlite3.Connection) -> Iterator[View]:
        """Give the matrix as the connection's transaction sees the file."""
        with self._lock:
            view = self._current(connection)
            view.users += 1
        try:
            yield view
        finally:
            with self._lock:
                view.users -= 1

    def _current(self, connection: sqlite3.Connection) -> View:
        generation, dimension = connection.execute("SELECT * FROM state").fetchone()
        if generation == self._generation:
            return self._view
        # Should reading fail half-way, what the matrix holds is of no generation.
        self._generation = -1
        if self._matrix.shape[1] != (dimension or 0):
            self._blocks = {}
            self._matrix = np.zeros((0, dimension or 0), np.float32)
            self._scales = np.zeros(0, np.float32)
            self._view = View(self._matrix, self._scales)
        changed, current = changed_blocks(connection, self._blocks)
        self._blocks = {n: known for n, known in self._blocks.items() if n not in changed}
        if dimension and changed:
            rows = (max(current, default=-1) + 1) * BLOCK_ROWS
            self._make_room(rows)
            for block in changed:
                if block in current:
                    self._load(connection, block)
            self._view = View(self._matrix[:rows], self._scales[:rows])
        self._generation, self._blocks = generation, current
        return self._view

    def _make_room(self, rows: int) -> None:
        capacity = len(self._matrix)
        if rows <= capacity and not self._view.users:
            return
        # Questions still reading the old numbers keep them; the rest is never touched, so
        # the room for growth takes no memory yet.
        room = capacity if rows <= capacity else int(rows * _ROOM) if capacity else rows
        for name in ("_matrix", "_scales"):
            old: NDArray[Any] = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]), np.float32)
            new[:capacity] = old
            setattr(self, name, new)

    def _load(self, connection: sqlite3.Connection, block: int) -> None:
        part = slice(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
        found = connection.execute("SELECT data FROM vectors WHERE block = ?", (block,)).fetchone()
        if found is None:
            self._matrix[part] = 0
            self._scales[part] = 0
            return
        try:
            data = np.frombuffer(found[0], _STORED).reshape(BLOCK_ROWS, -1)
            self._matrix[part] = data
        except ValueError as error:
            raise StoreError(
                f"block {block} of the stored vectors is damaged; index again"
            ) from error
        norms = np.sqrt(np.vecdot(data, data))
        self._scales[part] = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)


def _has_block(connection: sqlite3.Connection, block: int) -> bool:
    query = "SELECT 1 FROM vectors WHERE block = ?"
    return connection.execute(query, (block,)).fetchone() is not None
