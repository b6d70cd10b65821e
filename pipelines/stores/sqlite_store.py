"""The embedded store: one SQLite file with keyword search, exact vector search and filters."""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from haystack import Document, default_from_dict, default_to_dict
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from numpy.typing import NDArray

from pipelines.errors import StoreError
from pipelines.split import passage_context
from pipelines.stores import metadata_fields as fields
from pipelines.stores.fts5_terms import Fts5Terms
from pipelines.stores.sqlite_filters import compile_filters, register_functions
from pipelines.stores.sqlite_schema import migrate, version_of
from pipelines.stores.vectors import VectorMatrix, write_vectors

Filters = dict[str, Any]
_WORD = re.compile(r"\w+")
# A question of more words than this is a document; its first words find it.
_MOST_TERMS = 64
# A word in more passages than this (and than a tenth of them) cannot tell them apart.
_COMMON, _COMMON_SHARE = 5_000, 0.1
_COLUMNS = "p.row, p.id, p.content, p.meta, p.score, p.exact_vector, p.sparse, p.blob, p.blob_info"


class SqliteStore:
    """A Haystack document store in one SQLite file.

    Several processes may read while one writes. Keyword search is BM25 over Porter stems
    of title, headings and text (FTS5, k1 1.2, b 0.75); vector search is exact, by cosine;
    filters apply before either cuts its list. It is safe to share between threads.

    :param path: The file, created when missing; ``:memory:`` for none.
    :param return_embedding: Return documents with their vectors.
    :param read_only: Never write; the file must exist.
    :raises StoreError: When the file is not a store, or of a newer version.
    """

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        return_embedding: bool = False,
        read_only: bool = False,
    ) -> None:
        self._path = str(path)
        self._return_embedding = return_embedding
        self._read_only = read_only
        self._lock = threading.RLock()
        self._matrix = VectorMatrix()
        self._seen_version = -1
        self._terms = Fts5Terms()
        self._stem = lru_cache(65536)(self._stem_uncached)
        target = self._path
        if target != ":memory:":
            mode = "ro" if read_only else "rwc"
            target = f"{Path(path).absolute().as_uri()}?mode={mode}"
        try:
            self._db = sqlite3.connect(
                target, uri=True, timeout=60, isolation_level=None, check_same_thread=False
            )
            if read_only:
                version_of(self._db, self._path)
            else:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                migrate(self._db, self._path)
            register_functions(self._db)
        except sqlite3.Error as error:
            raise StoreError(f"cannot open the store {self._path}: {error}") from None

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; the store cannot be used after."""
        with self._lock:
            self._db.close()

    def to_dict(self) -> dict[str, Any]:
        """Serialise the store."""
        data: dict[str, Any] = default_to_dict(
            self,
            path=self._path,
            return_embedding=self._return_embedding,
            read_only=self._read_only,
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Open the store that :meth:`to_dict` described."""
        store: Self = default_from_dict(cls, data)
        return store

    # Reading

    def count_documents(self) -> int:
        """Return how many documents there are."""
        return self.count_documents_by_filter(None)

    def count_documents_by_filter(self, filters: Filters | None) -> int:
        """Return how many documents match.

        :raises FilterError: When the filters are not valid.
        """
        where, values = compile_filters(filters)
        with self._reading() as db:
            query = f"SELECT count(*) FROM passages p WHERE {where}"  # noqa: S608
            count: int = db.execute(query, values).fetchone()[0]
        return count

    def filter_documents(self, filters: Filters | None = None) -> list[Document]:
        """Return the documents that match, with their vectors, in the order of writing.

        :raises FilterError: When the filters are not valid.
        """
        where, values = compile_filters(filters)
        with self._reading() as db:
            return self._select(db, f"WHERE {where} ORDER BY p.row", values, vectors=True)

    def bm25_retrieval(
        self, query: str, *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """Return the documents that hold the query's words, best first.

        The score is FTS5's BM25 with its sign turned, so that more is better. Words that
        stand in very many passages count only when the query has no others.

        :param query: Any text; nothing in it is taken for syntax.
        :param top_k: Documents at most.
        :raises FilterError: When the filters are not valid.
        """
        where, values = compile_filters(filters)
        with self._reading() as db:
            match = self._match(db, query)
            if not match:
                return []
            narrowed = (
                "" if where == "1" else f"AND rowid IN (SELECT p.row FROM passages p WHERE {where})"  # noqa: S608
            )
            found = db.execute(
                f"SELECT rowid, -rank FROM terms WHERE terms MATCH ? {narrowed} "  # noqa: S608
                "ORDER BY rank LIMIT ?",
                [match, *values, top_k],
            ).fetchall()
            return self._documents(db, found)

    def embedding_retrieval(
        self, query_embedding: Sequence[float], *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """Return the documents whose vectors are nearest, best first.

        The score is the cosine, exact.

        :param query_embedding: As many numbers as the documents' vectors have.
        :param top_k: Documents at most.
        :raises FilterError: When the filters are not valid.
        :raises StoreError: When the vector has another length.
        """
        where, values = compile_filters(filters)
        with self._reading() as db:
            self._refresh(db)
            allowed = None
            if where != "1":
                query = f"SELECT p.row FROM passages p WHERE p.has_vector AND ({where})"  # noqa: S608
                allowed = np.array([row for (row,) in db.execute(query, values)], dtype=np.int64)
            return self._documents(db, self._matrix.search(query_embedding, top_k, allowed))

    def get_metadata(self) -> dict[str, str]:
        """Return the facts recorded of the whole index."""
        with self._reading() as db:
            return dict(db.execute("SELECT key, value FROM metadata"))

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """Return the type of each meta field: text, int, number, boolean or list."""
        return fields.fields_info(self._metas(None))

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """Return a field's least and greatest number or date.

        :raises ValueError: When it holds neither.
        """
        return fields.min_max(self._metas(None), metadata_field)

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters | None = None,
    ) -> tuple[list[Any], int]:
        """Return a page of a field's distinct values, and how many there are.

        :param search_term: Only values with it in their text, in any case.
        :param from_: Where the page begins.
        :param size: Values at most.
        :param filters: Only the documents that match.
        """
        return fields.unique_values(self._metas(filters), metadata_field, search_term, from_, size)

    def count_unique_metadata_by_filter(
        self, filters: Filters, metadata_fields: Sequence[str]
    ) -> dict[str, int]:
        """Return how many distinct values each field has in the documents that match."""
        return fields.count_unique(self._metas(filters), metadata_fields)

    # Writing

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents, in one transaction.

        :param policy: What to do with an id that is there; NONE means FAIL.
        :returns: How many were written.
        :raises DuplicateDocumentError: When an id is there already and the policy is FAIL.
        :raises ValueError: When something is not a document.
        :raises StoreError: When vectors differ in length, or the file cannot be written.
        """
        _check(documents)
        with self._writing() as db:
            known = self._rows_of(db, [document.id for document in documents])
            if policy is DuplicatePolicy.SKIP:
                documents = [d for d in documents if d.id not in known]
            elif policy is not DuplicatePolicy.OVERWRITE and known:
                raise DuplicateDocumentError(f"document {min(known)} is in the store already")
            unique = {document.id: document for document in documents}
            if policy is DuplicatePolicy.FAIL and len(unique) < len(documents):
                raise DuplicateDocumentError("a document is given twice")
            self._replace(
                db,
                list(known.values()) if policy is DuplicatePolicy.OVERWRITE else [],
                list(unique.values()),
            )
        return len(documents)

    def replace_documents(self, stale_ids: Sequence[str], documents: Sequence[Document]) -> None:
        """Remove documents and write others, all or nothing.

        :param stale_ids: Ids to remove; unknown ones are passed over.
        :param documents: Documents to write over those of the same id.
        :raises StoreError: When vectors differ in length, or the file cannot be written.
        """
        _check(documents)
        unique = {document.id: document for document in documents}
        with self._writing() as db:
            known = self._rows_of(db, [*stale_ids, *unique])
            self._replace(db, list(known.values()), list(unique.values()))

    def delete_documents(self, document_ids: list[str]) -> None:
        """Remove documents by id; unknown ids are passed over."""
        self.replace_documents(document_ids, ())

    def delete_by_filter(self, filters: Filters) -> int:
        """Remove the documents that match and return how many there were."""
        where, values = compile_filters(filters)
        with self._writing() as db:
            query = f"SELECT p.row FROM passages p WHERE {where}"  # noqa: S608
            rows = [row for (row,) in db.execute(query, values)]
            self._replace(db, rows, [])
        return len(rows)

    def delete_all_documents(self) -> None:
        """Remove all documents, and what was recorded of the index."""
        with self._writing() as db:
            for table in ("passages", "vectors", "metadata"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608
            db.execute("UPDATE counters SET value = value + 1 WHERE name = 'epoch'")

    def update_by_filter(self, filters: Filters, meta: Mapping[str, Any]) -> int:
        """Change meta fields of the documents that match and return how many there are."""
        where, values = compile_filters(filters)
        with self._writing() as db:
            documents = self._select(db, f"WHERE {where}", values, vectors=False, scores={})
            for document in documents:
                row = document.meta.pop("_row")
                document = replace(document, meta=document.meta | dict(meta))
                db.execute(
                    "UPDATE passages SET meta = ?, context = ? WHERE row = ?",
                    (_json(document.meta), passage_context(document), row),
                )
        return len(documents)

    def set_metadata(self, values: Mapping[str, str]) -> None:
        """Record facts of the whole index."""
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO metadata VALUES (?, ?)", values.items())

    # Inside

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                # One snapshot for the parts of a search, though another process may write.
                self._db.execute("BEGIN")
                try:
                    yield self._db
                finally:
                    self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(f"cannot read the store {self._path}: {error}") from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._read_only:
                raise StoreError(f"the store {self._path} was opened for reading only")
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(f"cannot write the store {self._path}: {error}") from None
            self._seen_version = -1

    def _refresh(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._seen_version:
            self._matrix.refresh(db)
            self._seen_version = version

    def _stem_uncached(self, word: str) -> tuple[str, ...]:
        return tuple(self._terms.of_question(word))

    def _match(self, db: sqlite3.Connection, query: str) -> str:
        """Write the query's words as an FTS5 query, common ones left out where others remain."""
        words: dict[tuple[str, ...], str] = {}
        for match in _WORD.finditer(query.encode("utf-8", "replace").decode()):
            if len(words) >= _MOST_TERMS:
                break
            if stems := self._stem(match.group().casefold()):
                words.setdefault(stems, match.group())
        (total,) = db.execute("SELECT count(*) FROM passages").fetchone()
        limit = max(_COMMON, _COMMON_SHARE * total)
        counts = {stems: min(self._count(db, stem) for stem in stems) for stems in words}
        telling = [word for stems, word in words.items() if 0 < counts[stems] <= limit]
        kept = telling or [word for stems, word in words.items() if counts[stems]]
        return " OR ".join(f'"{word}"' for word in kept)

    @staticmethod
    def _count(db: sqlite3.Connection, stem: str) -> int:
        row = db.execute("SELECT doc FROM term_counts WHERE term = ?", (stem,)).fetchone()
        return row[0] if row else 0

    def _metas(self, filters: Filters | None) -> list[dict[str, Any]]:
        where, values = compile_filters(filters)
        with self._reading() as db:
            query = f"SELECT p.meta FROM passages p WHERE {where}"  # noqa: S608
            return [json.loads(meta) for (meta,) in db.execute(query, values)]

    @staticmethod
    def _rows_of(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
        return dict(
            db.execute(
                "SELECT id, row FROM passages WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(ids),),
            )
        )

    def _replace(
        self, db: sqlite3.Connection, rows: Sequence[int], documents: Sequence[Document]
    ) -> None:
        db.executemany("DELETE FROM passages WHERE row = ?", [(row,) for row in rows])
        (first,) = db.execute("SELECT coalesce(max(row), 0) + 1 FROM passages").fetchone()
        vectors: dict[int, NDArray[np.float32]] = {}
        records = []
        for row, document in enumerate(documents, first):
            exact = None
            if document.embedding is not None:
                vectors[row] = np.asarray(document.embedding, dtype=np.float32)
                # Kept only where float32 is not what was given.
                given = np.asarray(document.embedding, dtype=np.float64)
                if not np.array_equal(given, vectors[row]):
                    exact = given.tobytes()
            records.append(_record(row, document, exact))
        self._check_dimensions(db, vectors)
        db.executemany(f"INSERT INTO passages VALUES ({', '.join('?' * 11)})", records)  # noqa: S608
        write_vectors(db, rows, vectors)

    def _check_dimensions(
        self, db: sqlite3.Connection, vectors: Mapping[int, NDArray[np.float32]]
    ) -> None:
        lengths = {len(vector) for vector in vectors.values()}
        stored = db.execute("SELECT value FROM metadata WHERE key = 'dimensions'").fetchone()
        if stored:
            lengths.add(int(stored[0]))
        if len(lengths) > 1:
            raise StoreError(
                f"vectors of {' and '.join(map(str, sorted(lengths)))} numbers do not mix: "
                "one index has one embedder"
            )
        if lengths and not stored:
            db.execute("INSERT INTO metadata VALUES ('dimensions', ?)", (str(lengths.pop()),))

    def _documents(
        self, db: sqlite3.Connection, found: Sequence[tuple[int, float]]
    ) -> list[Document]:
        rows = json.dumps([row for row, _ in found])
        documents = self._select(
            db,
            "WHERE p.row IN (SELECT value FROM json_each(?))",
            [rows],
            vectors=self._return_embedding,
            scores=dict(found),
        )
        place = {row: number for number, (row, _) in enumerate(found)}
        return sorted(documents, key=lambda d: place[d.meta.pop("_row")])

    def _select(
        self,
        db: sqlite3.Connection,
        clause: str,
        values: Sequence[Any],
        *,
        vectors: bool,
        scores: Mapping[int, float] | None = None,
    ) -> list[Document]:
        records = db.execute(f"SELECT {_COLUMNS} FROM passages p {clause}", values).fetchall()  # noqa: S608
        of_rows: dict[int, NDArray[np.float32]] = {}
        if vectors:
            self._refresh(db)
            of_rows = self._matrix.vectors_of([record[0] for record in records])
        documents = []
        for row, id_, content, meta, score, exact, sparse, blob, blob_info in records:
            embedding = None
            if row in of_rows:
                kept = np.frombuffer(exact, dtype=np.float64) if exact else of_rows[row]
                embedding = kept.tolist()
            stream = ByteStream(data=blob, **json.loads(blob_info)) if blob is not None else None
            document = Document(
                id=id_,
                content=content,
                meta=json.loads(meta),
                score=score if scores is None else scores.get(row),
                embedding=embedding,
                sparse_embedding=SparseEmbedding(**json.loads(sparse)) if sparse else None,
                blob=stream,
            )
            if scores is not None:
                document.meta["_row"] = row
            documents.append(document)
        return documents


def _check(documents: Sequence[Document]) -> None:
    if not isinstance(documents, list | tuple) or any(
        not isinstance(document, Document) for document in documents
    ):
        raise ValueError("a store is given a list of documents")


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"a document's meta must be JSON: {error}") from None


def _record(row: int, document: Document, exact: bytes | None) -> tuple[Any, ...]:
    blob, sparse = document.blob, document.sparse_embedding
    info = {"meta": blob.meta, "mime_type": blob.mime_type} if blob else None
    return (
        row,
        document.id,
        passage_context(document),
        document.content,
        _json(document.meta),
        document.score,
        document.embedding is not None,
        exact,
        _json(sparse.to_dict()) if sparse else None,
        blob.data if blob else None,
        _json(info) if info else None,
    )
