"""BM25 over the terms that SQLite's full-text index holds.

FTS5 keeps the index: it tokenises, stems, merges and deletes. Its own ``bm25()`` looks at
each matching row by itself, 140 ms for a question over 100,000 passages; here the rows of a
term are read in one go and scored as arrays, 1.5 ms. A question becomes the OR of its
distinct terms; only terms reach the index, never the text, so that no text is a syntax
error.

Score (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond",
2009, with a term's weight as in Lucene and Weaviate, which is never negative)::

    sum over terms of ln(1 + (N - n + 0.5) / (n + 0.5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * L))

with N documents, n of them holding the term, f its occurrences in context and content
together and L the text's length over the average length.
"""

import sqlite3
import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.stores.fts5_terms import Fts5Terms
from pipelines.stores.sqlite_schema import BLOCK_ROWS
from pipelines.stores.vectors import Floats, Rows, best, by_block, changed_blocks

# Of 2,000 SQuAD questions over 100,000 passages the MRR is .730 so, and .723 with what FTS5
# has built in (k1 = 1.2, b = 0.75, no 1 + in the logarithm).
K1 = 0.9
B = 0.4

# A term in more texts than both of these tells little and costs most of the time: it
# counts only when the question has no other. Of 2,000 SQuAD questions over 100,000
# passages the MRR is .703 so, .704 with every term and .694 at a share of 0.1.
COMMON_SHARE = 0.3
COMMON_TEXTS = 5_000
# Of a very long question the rarest terms count.
MOST_TERMS = 64

# Of terms once read, eight bytes for each text that holds them.
_KEPT_POSTINGS = 4_000_000
_LENGTHS = np.dtype("<u4")

Lengths = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Postings:
    rows: NDArray[np.int32]
    occurrences: Floats


@dataclass(slots=True)
class _View:
    """What is known of one generation; only ever added to.

    :param lengths: Terms in each row's text.
    :param penalties: What a text's length adds to the denominator of its score.
    :param documents: How many there are, those without text included.
    """

    generation: int
    lengths: Lengths
    penalties: Floats
    documents: int
    frequencies: dict[str, int] = field(default_factory=dict)
    postings: dict[str, _Postings] = field(default_factory=dict)
    kept: int = 0


class Bm25:
    """Scores the texts of the file against a question; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._terms = Fts5Terms()
        self._blocks: dict[int, int] = {}
        self._view = _View(-1, np.zeros(0, np.uint32), np.zeros(0, np.float32), 0)

    def best(
        self, connection: sqlite3.Connection, query: str, top_k: int, allowed: Rows | None = None
    ) -> tuple[Rows, Floats]:
        """Return the rows that share terms with a question, best first, and their scores.

        :param connection: In a transaction; what that sees of the file is searched.
        :param query: Any text.
        :param top_k: How many rows at most.
        :param allowed: Choose among these rows only.
        """
        with self._lock:
            view = self._current(connection)
        scores = np.zeros(len(view.lengths), np.float32)
        for term in self._chosen(connection, view, query):
            postings = self._read(connection, view, term)
            rows, found = postings.rows, postings.occurrences
            weight = np.log1p((view.documents - len(rows) + 0.5) / (len(rows) + 0.5))
            scores[rows] += np.float32(weight * (K1 + 1)) * found / (found + view.penalties[rows])
        if allowed is not None:
            allowed = allowed[allowed < len(scores)]
            rows_found = allowed[scores[allowed] > 0]
        else:
            rows_found = np.flatnonzero(scores)
        chosen = rows_found[best(scores[rows_found], top_k)]
        return chosen, scores[chosen]

    def _current(self, connection: sqlite3.Connection) -> _View:
        (generation,) = connection.execute("SELECT generation FROM state").fetchone()
        old = self._view
        if generation == old.generation:
            return old
        changed, blocks = changed_blocks(connection, self._blocks)
        lengths = np.zeros((max(blocks, default=-1) + 1) * BLOCK_ROWS, np.uint32)
        kept = min(len(lengths), len(old.lengths))
        lengths[:kept] = old.lengths[:kept]
        for block in changed:
            if block in blocks:
                part = slice(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
                lengths[part] = _read_lengths(connection, block)
        (documents,) = connection.execute("SELECT count(*) FROM documents").fetchone()
        average = max(1.0, float(lengths.sum())) / max(1, documents)
        penalties = (K1 * (1 - B + B * lengths / average)).astype(np.float32)
        self._blocks = blocks
        self._view = _View(generation, lengths, penalties, documents)
        return self._view

    def _chosen(self, connection: sqlite3.Connection, view: _View, query: str) -> list[str]:
        frequencies = {}
        for term in self._terms.of_question(query):
            if term not in view.frequencies:
                row = connection.execute("SELECT doc FROM terms WHERE term = ?", (term,)).fetchone()
                view.frequencies[term] = row[0] if row else 0
            if view.frequencies[term]:
                frequencies[term] = view.frequencies[term]
        limit = max(COMMON_TEXTS, COMMON_SHARE * view.documents)
        telling = {term: count for term, count in frequencies.items() if count <= limit}
        chosen = telling or frequencies
        return sorted(chosen, key=lambda term: (chosen[term], term))[:MOST_TERMS]

    def _read(self, connection: sqlite3.Connection, view: _View, term: str) -> _Postings:
        found = view.postings.get(term)
        if found is not None:
            return found
        # One text for all rows: fetching them one by one takes four times as long.
        query = "SELECT group_concat(doc) FROM occurrences WHERE term = ?"
        (joined,) = connection.execute(query, (term,)).fetchone()
        every = np.fromstring(joined, dtype=np.int64, sep=",")
        starts = np.flatnonzero(np.diff(every, prepend=-1))
        counts = np.diff(starts, append=len(every)).astype(np.float32)
        found = _Postings(every[starts].astype(np.int32), counts)
        with self._lock:
            if view.postings.setdefault(term, found) is found:
                view.kept += len(starts)
            while view.kept > _KEPT_POSTINGS and len(view.postings) > 1:
                view.kept -= len(view.postings.pop(next(iter(view.postings))).rows)
        return found


def write_lengths(
    connection: sqlite3.Connection, generation: int, rows: Rows, lengths: Lengths
) -> None:
    """Record how many terms these rows' texts have, and that their blocks changed.

    :param generation: The one that the transaction will be seen as.
    :param rows: Row numbers, each once.
    """
    for block, places, picked in by_block(rows):
        stored = _read_lengths(connection, block).copy()
        stored[places] = lengths[picked]
        connection.execute(
            "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)",
            (block, generation, stored.astype(_LENGTHS).tobytes()),
        )


def _read_lengths(connection: sqlite3.Connection, block: int) -> Lengths:
    query = "SELECT lengths FROM blocks WHERE block = ?"
    row = connection.execute(query, (block,)).fetchone()
    return np.frombuffer(row[0], _LENGTHS) if row else np.zeros(BLOCK_ROWS, np.uint32)
