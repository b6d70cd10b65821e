"""Documents to rows of the store's tables and back."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding
from numpy.typing import NDArray

from pipelines.errors import StoreError
from pipelines.split import passage_context
from pipelines.stores.bm25 import write_lengths
from pipelines.stores.sqlite_fields import entries
from pipelines.stores.sqlite_filters import Condition
from pipelines.stores.sqlite_schema import BLOCK_ROWS
from pipelines.stores.vectors import Floats, Rows, read_vectors, stored_dimension, write_vectors

# How many documents are held in the database's form at a time.
_BATCH = 2_000
# Free rows are left for later documents until they outnumber the documents.
_FREE_ROWS_KEPT = 4_096

_EMPTIED = ("documents", "attachments", "free_rows", "blocks", "vectors", "fields", "metadata")

_SELECT = """SELECT documents.row, id, content, meta, score, embedded, exact_embedding,
    blob, mime_type, blob_meta, sparse_embedding
    FROM documents LEFT JOIN attachments ON attachments.row = documents.row"""


class DocumentWriter:
    """Writes and removes documents in one writing transaction.

    :param connection: In that transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._generation = connection.execute("SELECT generation FROM state").fetchone()[0] + 1
        connection.execute("UPDATE state SET generation = ?", (self._generation,))

    def rows_of(self, ids: Iterable[str]) -> dict[str, int]:
        """Return the rows of those ids that exist."""
        found = {}
        for id_ in ids:
            row = self._db.execute("SELECT row FROM documents WHERE id = ?", (id_,)).fetchone()
            if row:
                found[id_] = row[0]
        return found

    def insert(self, documents: Sequence[Document]) -> None:
        """Write documents whose ids are new.

        :raises StoreError: When one has something that cannot be stored.
        """
        for start in range(0, len(documents), _BATCH):
            self._insert(documents[start : start + _BATCH])

    def delete(self, rows: Sequence[int]) -> None:
        """Remove the documents of these rows, and close ranks when many rows are free."""
        for start in range(0, len(rows), _BATCH):
            self._delete(rows[start : start + _BATCH])
        if rows:
            self._compact()

    def delete_all(self) -> None:
        """Remove every document and the metadata; vectors of another length may follow."""
        for table in _EMPTIED:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608
        self._db.execute("INSERT INTO texts(texts) VALUES ('delete-all')")
        self._db.execute("UPDATE state SET dimension = NULL")

    def _insert(self, documents: Sequence[Document]) -> None:
        vectors, exact = self._vectors(documents)
        searchable = [False] * len(documents)
        if vectors is not None:
            searchable = np.any(vectors != 0, axis=1, keepdims=True)[:, 0].tolist()
        rows = self._allocate(len(documents))
        texts, fields, attachments, records = [], [], [], []
        for row, document, embedded, precise in zip(
            rows, documents, searchable, exact, strict=True
        ):
            context = passage_context(document)
            texts.append((row, context, document.content))
            meta = _json(document)
            score = document.score
            records.append((row, document.id, context, document.content, meta, score, embedded))
            # Of what is stored, since deletion makes the same entries from that.
            fields += [(*entry, row) for entry in entries(json.loads(meta))]
            blob, sparse = document.blob, document.sparse_embedding
            if blob or sparse or precise is not None:
                attachments.append(
                    (
                        row,
                        blob.data if blob else None,
                        blob.mime_type if blob else None,
                        json.dumps(blob.meta) if blob else None,
                        precise,
                        json.dumps(sparse.to_dict()) if sparse else None,
                    )
                )
        # In the order of the table's own key, neighbours land on the same page.
        fields.sort()
        self._db.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", records)
        self._db.executemany("INSERT INTO texts(rowid, context, content) VALUES (?, ?, ?)", texts)
        self._db.executemany("INSERT OR IGNORE INTO fields VALUES (?, ?, ?, ?)", fields)
        self._db.executemany("INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?)", attachments)
        numbers = np.array(rows, np.int64)
        if vectors is not None:
            write_vectors(self._db, numbers, vectors)
        write_lengths(self._db, self._generation, numbers, self._terms(rows))

    def _delete(self, rows: Sequence[int]) -> None:
        query = "SELECT context, content, meta, embedded FROM documents WHERE row = ?"
        embedded = []
        for row in rows:
            context, content, meta, has_vector = self._db.execute(query, (row,)).fetchone()
            # The index keeps no copy of its texts: it must be told what to take out.
            self._db.execute(
                "INSERT INTO texts(texts, rowid, context, content) VALUES ('delete', ?, ?, ?)",
                (row, context, content),
            )
            self._db.executemany(
                "DELETE FROM fields WHERE name = ? AND kind = ? AND value = ? AND row = ?",
                [(*entry, row) for entry in entries(json.loads(meta))],
            )
            if has_vector:
                embedded.append(row)
        numbered = [(row,) for row in rows]
        self._db.executemany("DELETE FROM documents WHERE row = ?", numbered)
        self._db.executemany("DELETE FROM attachments WHERE row = ?", numbered)
        self._db.executemany("INSERT INTO free_rows VALUES (?)", numbered)
        numbers = np.array(rows, np.int64)
        if embedded:
            zeros = np.zeros((len(embedded), stored_dimension(self._db) or 0), np.float32)
            write_vectors(self._db, np.array(embedded, np.int64), zeros)
        write_lengths(self._db, self._generation, numbers, np.zeros(len(rows), np.uint32))

    def _compact(self) -> None:
        (free,) = self._db.execute("SELECT count(*) FROM free_rows").fetchone()
        (live,) = self._db.execute("SELECT count(*) FROM documents").fetchone()
        if free <= max(_FREE_ROWS_KEPT, live):
            return
        # The last documents are written anew and fill the lowest free rows.
        last = Condition("documents.row >= ?", (live,))
        while moved := list(fetch(self._db, last, limit=_BATCH)):
            self._delete([row for row, _ in moved])
            self._insert([document for _, document in moved])
        blocks = -(-live // BLOCK_ROWS)
        self._db.execute("DELETE FROM free_rows WHERE row >= ?", (live,))
        self._db.execute("DELETE FROM blocks WHERE block >= ?", (blocks,))
        self._db.execute("DELETE FROM vectors WHERE block >= ?", (blocks,))

    def _allocate(self, count: int) -> list[int]:
        query = "SELECT row FROM free_rows ORDER BY row LIMIT ?"
        rows: list[int] = [row for (row,) in self._db.execute(query, (count,))]
        self._db.executemany("DELETE FROM free_rows WHERE row = ?", [(row,) for row in rows])
        if len(rows) < count:
            (last,) = self._db.execute("SELECT max(row) FROM documents").fetchone()
            following = max(-1 if last is None else last, *rows[-1:], -1) + 1
            rows += range(following, following + count - len(rows))
        return rows

    def _terms(self, rows: Sequence[int]) -> NDArray[np.uint32]:
        # FTS5 documents this table: one variable-length integer a column, its term count.
        query = "SELECT sz FROM texts_docsize WHERE id = ?"
        sizes = (self._db.execute(query, (row,)).fetchone()[0] for row in rows)
        return np.array([sum(_varints(size)) for size in sizes], np.uint32)

    def _vectors(
        self, documents: Sequence[Document]
    ) -> tuple[NDArray[np.float32] | None, list[bytes | None]]:
        exact: list[bytes | None] = [None] * len(documents)
        with_vector = [n for n, document in enumerate(documents) if document.embedding is not None]
        if not with_vector:
            return None, exact
        dimension = self._dimension(len(documents[with_vector[0]].embedding or ()))
        vectors = np.zeros((len(documents), dimension), np.float32)
        for number in with_vector:
            document = documents[number]
            try:
                given = np.array(document.embedding, np.float64)
            except (TypeError, ValueError) as error:
                raise StoreError(f"the embedding of document {document.id} is no vector") from error
            if given.ndim != 1 or not given.size:
                raise StoreError(f"the embedding of document {document.id} is no vector")
            if given.size != dimension:
                raise StoreError(
                    f"the embedding of document {document.id} has {given.size} dimensions, those "
                    f"in the store have {dimension}; index everything anew with one embedder"
                )
            if not np.isfinite(given).all():
                raise StoreError(f"the embedding of document {document.id} is not finite")
            with np.errstate(over="ignore", under="ignore"):
                single = given.astype(np.float32)
                length = np.vecdot(single, single)
            if 0 < length < np.inf:
                vectors[number] = single
                if (single == given).all():
                    continue
            # What float32 rounds comes back as it was given; what has no direction, too.
            exact[number] = given.astype("<f8").tobytes()
        return vectors, exact

    def _dimension(self, given: int) -> int:
        stored = stored_dimension(self._db)
        if stored == given:
            return given
        query = "SELECT 1 FROM documents WHERE embedded LIMIT 1"
        if stored is not None and self._db.execute(query).fetchone():
            return stored
        self._db.execute("DELETE FROM vectors")
        self._db.execute("UPDATE state SET dimension = ?", (given,))
        return given


def fetch(
    connection: sqlite3.Connection,
    condition: Condition,
    *,
    embeddings: bool = True,
    scores: Mapping[int, float] | None = None,
    limit: int = -1,
) -> Iterator[tuple[int, Document]]:
    """Give the documents that a condition holds for, with their rows, in their order.

    :param embeddings: Give their embeddings, too.
    :param scores: What to give them as score, by row; as they were written by default.
    :param limit: How many at most; all by default.
    """
    query = f"{_SELECT} WHERE {condition.sql} ORDER BY documents.row LIMIT ?"
    cursor = connection.execute(query, (*condition.parameters, limit))
    while batch := cursor.fetchmany(_BATCH):
        vectors: Sequence[Any] = batch
        if embeddings:
            rows = np.array([record[0] for record in batch], np.int64)
            vectors = list(read_vectors(connection, rows))
        for record, vector in zip(batch, vectors, strict=True):
            embedding = _embedding(record, vector) if embeddings else None
            score = record[4] if scores is None else scores[record[0]]
            yield record[0], _document(record, score, embedding)


def fetch_ranked(
    connection: sqlite3.Connection, rows: Rows, scores: Floats, *, embeddings: bool
) -> list[Document]:
    """Return the documents of these rows, in this order, with these scores."""
    condition = Condition(
        "documents.row IN (SELECT value FROM json_each(?))", (json.dumps(rows.tolist()),)
    )
    score_of = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    found = dict(fetch(connection, condition, embeddings=embeddings, scores=score_of))
    return [found[row] for row in score_of]


def matching_rows(connection: sqlite3.Connection, condition: Condition) -> Rows:
    """Return the rows that a condition holds for, in order."""
    # One text for all rows: fetching them one by one takes four times as long.
    query = f"SELECT group_concat(row) FROM documents WHERE {condition.sql}"  # noqa: S608
    if condition.rows:
        query = f"SELECT group_concat(row) FROM ({condition.rows})"  # noqa: S608
    (joined,) = connection.execute(query, condition.parameters).fetchone()
    return np.unique(np.fromstring(joined or "", dtype=np.int64, sep=","))


def _embedding(record: tuple[Any, ...], vector: NDArray[np.float32]) -> list[float] | None:
    embedded, exact = record[5:7]
    found = np.frombuffer(exact, "<f8") if exact is not None else vector
    embedding: list[float] = found.tolist()
    return embedding if embedded or exact is not None else None


def _document(
    record: tuple[Any, ...], score: float | None, embedding: list[float] | None
) -> Document:
    _, id_, content, meta, _, _, _, blob, mime_type, blob_meta, sparse = record
    return Document(
        id=id_,
        content=content,
        meta=json.loads(meta),
        score=score,
        embedding=embedding,
        blob=None
        if blob is None
        else ByteStream(data=blob, meta=json.loads(blob_meta), mime_type=mime_type),
        sparse_embedding=None if sparse is None else SparseEmbedding.from_dict(json.loads(sparse)),
    )


def _json(document: Document) -> str:
    try:
        return json.dumps(document.meta, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the metadata of document {document.id} is not JSON ({error}); write dates as text"
        ) from error


def _varints(data: bytes) -> Iterator[int]:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            yield value
            value = 0
