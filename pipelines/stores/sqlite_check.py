"""Whether everything in the store's file agrees."""

import json
import sqlite3

import numpy as np

from pipelines.errors import StoreError
from pipelines.stores.sqlite_fields import entries
from pipelines.stores.sqlite_schema import BLOCK_ROWS


def check(connection: sqlite3.Connection, path: str) -> None:
    """Compare documents with vectors, fields, lengths and free rows.

    :raises StoreError: When they disagree, or SQLite finds the file damaged.
    """
    (found,) = connection.execute("PRAGMA integrity_check").fetchone()
    problems = [] if found == "ok" else [str(found)]
    documents = dict(connection.execute("SELECT row, embedded FROM documents"))
    embedded = {row for row, has_vector in documents.items() if has_vector}
    if embedded != _rows_with_vector(connection):
        problems.append("vectors and documents disagree")
    stored = connection.execute("SELECT name, kind, value, row FROM fields")
    expected = (
        (*entry, row)
        for row, meta in connection.execute("SELECT row, meta FROM documents")
        for entry in set(entries(json.loads(meta)))
    )
    # Sums of hashes are equal for equal sets, whatever the order, and take no memory.
    if sum(map(hash, stored)) != sum(map(hash, expected)):
        problems.append("metadata and its index disagree")
    free = {row for (row,) in connection.execute("SELECT row FROM free_rows")}
    if free & documents.keys() or free | documents.keys() != set(range(len(free) + len(documents))):
        problems.append("rows in use and free rows disagree")
    blocks = {number for (number,) in connection.execute("SELECT block FROM blocks")}
    if {row // BLOCK_ROWS for row in documents} - blocks:
        problems.append("documents and blocks disagree")
    if problems:
        raise StoreError(f"the document store {path} is damaged: {'; '.join(problems)}")


def check_texts(connection: sqlite3.Connection) -> None:
    """Let FTS5 compare its index with the documents; needs a writing transaction.

    :raises sqlite3.DatabaseError: When they disagree.
    """
    connection.execute("INSERT INTO texts(texts, rank) VALUES ('integrity-check', 1)")


def _rows_with_vector(connection: sqlite3.Connection) -> set[int]:
    rows: set[int] = set()
    for block, data in connection.execute("SELECT block, data FROM vectors"):
        vectors = np.frombuffer(data, "<f4").reshape(BLOCK_ROWS, -1)
        found = np.flatnonzero(vectors.any(axis=1)) + block * BLOCK_ROWS
        rows.update(found.tolist())
    return rows
