"""What the embedded store does, one call after another; its asyncio twins are added above it."""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError

from pipelines.errors import StoreError
from pipelines.stores import sqlite_check, sqlite_metadata
from pipelines.stores.bm25 import Bm25
from pipelines.stores.sqlite_database import Database
from pipelines.stores.sqlite_documents import DocumentWriter, fetch, fetch_ranked, matching_rows
from pipelines.stores.sqlite_filters import ANY, Condition, check_orders, compile_filters
from pipelines.stores.vectors import Rows, VectorMatrix, stored_dimension

_KEPT_FILTERS = 16


class SqliteIndex:
    """Documents in one SQLite file, and search over them.

    Use :class:`pipelines.stores.sqlite.SqliteDocumentStore`. Every method raises
    ``StoreError`` when the file cannot be opened, read or written, and those that take
    filters raise ``FilterError`` when a filter is malformed.
    """

    def __init__(self, path: str | Path, *, read_only: bool, return_embedding: bool) -> None:
        self.path = path
        self.read_only = read_only
        self.return_embedding = return_embedding
        self._opening = threading.Lock()
        self._opened: Database | None = None
        self._matrix = VectorMatrix()
        self._bm25 = Bm25()
        self._filtered: dict[tuple[int, Condition], Rows] = {}

    @property
    def _database(self) -> Database:
        with self._opening:
            if self._opened is None:
                self._opened = Database(str(self.path), read_only=self.read_only)
            return self._opened

    def close(self) -> None:
        """Close the file and forget what is in memory; the next call opens it again."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
            self._opened = None
            self._matrix, self._bm25, self._filtered = VectorMatrix(), Bm25(), {}

    def count_documents(self) -> int:
        """Return how many documents there are."""
        with self._database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Return the documents that filters hold for, as they were written.

        :param filters: Haystack filters; none gives every document.
        """
        condition = compile_filters(filters)
        with self._database.reading() as connection:
            check_orders(connection, condition)
            return [document for _, document in fetch(connection, condition)]

    def read_passages(self, filters: dict[str, Any]) -> list[Document]:
        """Return the documents that filters hold for, without their embeddings.

        :param filters: Haystack filters.
        """
        condition = compile_filters(filters)
        with self._database.reading() as connection:
            check_orders(connection, condition)
            return [document for _, document in fetch(connection, condition, embeddings=False)]

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents, all of them or none.

        :param policy: What to do about an id that exists: SKIP the document, OVERWRITE
            the old one, or FAIL; NONE is FAIL.
        :returns: How many were written.
        :raises ValueError: When these are no documents.
        :raises DuplicateDocumentError: When an id exists and the policy is FAIL.
        :raises StoreError: When a document cannot be stored: an embedding of another
            length than those in the store, metadata that is not JSON.
        """
        given = _checked(documents)
        with self._database.writing() as connection:
            writer = DocumentWriter(connection)
            existing = writer.rows_of(document.id for document in given)
            kept: dict[str, Document] = {}
            for document in given:
                if policy != DuplicatePolicy.OVERWRITE and (
                    document.id in existing or document.id in kept
                ):
                    if policy != DuplicatePolicy.SKIP:
                        raise DuplicateDocumentError(f"ID '{document.id}' already exists.")
                    continue
                kept[document.id] = document
            if policy == DuplicatePolicy.OVERWRITE:
                writer.delete(sorted(existing.values()))
            writer.insert(list(kept.values()))
        return len(given) if policy == DuplicatePolicy.OVERWRITE else len(kept)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Remove documents; ids that do not exist are ignored."""
        self.replace_documents(document_ids, ())

    def replace_documents(self, stale_ids: Sequence[str], documents: Sequence[Document]) -> None:
        """Remove and write in one transaction: readers see both or neither.

        :param stale_ids: Ids to remove; those that do not exist are ignored.
        :param documents: Documents to write; they overwrite those with the same ids.
        :raises ValueError: When these are no documents.
        :raises StoreError: When a document cannot be stored.
        """
        kept = {document.id: document for document in _checked(documents)}
        with self._database.writing() as connection:
            writer = DocumentWriter(connection)
            writer.delete(sorted(writer.rows_of([*stale_ids, *kept]).values()))
            writer.insert(list(kept.values()))

    def delete_all_documents(self, *, recreate_index: bool = False) -> None:
        """Remove every document, and what was recorded of the index.

        :param recreate_index: Give the file's space back, too.
        """
        with self._database.writing() as connection:
            DocumentWriter(connection).delete_all()
        if recreate_index:
            self.compact()

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Remove the documents that filters hold for and return how many there were.

        :raises FilterError: Without a filter, too; see :meth:`delete_all_documents`.
        """
        condition = _required(filters)
        with self._database.writing() as connection:
            check_orders(connection, condition)
            rows = matching_rows(connection, condition).tolist()
            DocumentWriter(connection).delete(rows)
        return len(rows)

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Merge metadata into the documents that filters hold for; return how many there were.

        :raises FilterError: Without a filter, too.
        """
        condition = _required(filters)
        with self._database.writing() as connection:
            check_orders(connection, condition)
            found = dict(fetch(connection, condition))
            for document in found.values():
                document.meta.update(meta)
            writer = DocumentWriter(connection)
            writer.delete(list(found))
            writer.insert(list(found.values()))
        return len(found)

    def bm25_retrieval(
        self, query: str, *, filters: dict[str, Any] | None = None, top_k: int = 10
    ) -> list[Document]:
        """Return the documents that share terms with a question, best first.

        Title, headings and content count alike; terms are lower-cased, freed of accents
        and stemmed (Porter). See :mod:`pipelines.stores.bm25`.

        :param query: Any text.
        :param filters: Haystack filters, applied before the best are taken.
        :param top_k: How many at most.
        :returns: Documents with their BM25 score, above zero, higher is better.
        """
        condition = compile_filters(filters)
        with self._database.reading() as connection:
            allowed = self._allowed(connection, condition)
            rows, scores = self._bm25.best(connection, query, top_k, allowed)
            return fetch_ranked(connection, rows, scores, embeddings=self.return_embedding)

    def embedding_retrieval(
        self,
        query_embedding: Sequence[float],
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
    ) -> list[Document]:
        """Return the documents whose embeddings are nearest to a question's, best first.

        Exact: every embedding is compared.

        :param query_embedding: As many numbers as the stored embeddings have, of any
            length but zero.
        :param filters: Haystack filters, applied before the nearest are taken.
        :param top_k: How many at most.
        :returns: Documents with their cosine in [-1, 1] as score.
        :raises StoreError: When the question's embedding has another number of
            dimensions, or no direction.
        """
        condition = compile_filters(filters)
        query = np.asarray(query_embedding, np.float32)
        with self._database.reading() as connection:
            dimension = stored_dimension(connection)
            if dimension is None:
                return []
            if query.shape != (dimension,):
                raise StoreError(
                    f"the question's embedding has {query.size} dimensions, those in the store "
                    f"have {dimension}; use the embedder that the index was made with"
                )
            if not 0 < np.linalg.norm(query) < np.inf:
                raise StoreError("the question's embedding is zero or not finite")
            allowed = self._allowed(connection, condition)
            with self._matrix.view(connection) as view:
                rows, scores = view.nearest(query, top_k, allowed)
            return fetch_ranked(connection, rows, scores, embeddings=self.return_embedding)

    def get_metadata(self) -> dict[str, str]:
        """Return the facts recorded about the whole index."""
        with self._database.reading() as connection:
            return dict(connection.execute("SELECT key, value FROM metadata"))

    def set_metadata(self, metadata: dict[str, str]) -> None:
        """Record facts about the whole index; those under other keys stay."""
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO metadata VALUES (?, ?)", metadata.items()
            )

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """Return how many documents filters hold for."""
        condition = compile_filters(filters)
        with self._database.reading() as connection:
            check_orders(connection, condition)
            return len(matching_rows(connection, condition))

    def count_unique_metadata_by_filter(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """Return how many distinct values each field has in the documents filters hold for.

        :param metadata_fields: Names with or without ``meta.``; the result has them without.
        """
        condition = compile_filters(filters)
        names = [field.removeprefix("meta.") for field in metadata_fields]
        with self._database.reading() as connection:
            check_orders(connection, condition)
            return {
                name: len(sqlite_metadata.unique_values(connection, name, condition))
                for name in names
            }

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """Return each metadata field's type, ``{"type": …}``: text, int, number, boolean or list.

        A nested field is named by its path (``columns.cost``); one with values of several
        types names them all (``int|text``).
        """
        with self._database.reading() as connection:
            return sqlite_metadata.fields_info(connection)

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """Return a field's least and greatest value, of its numbers if any, else of its text.

        :param metadata_field: Its name, with or without ``meta.``.
        :returns: ``{"min": …, "max": …}``, both None when no document has the field.
        """
        with self._database.reading() as connection:
            return sqlite_metadata.min_max(connection, metadata_field.removeprefix("meta."))

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """Return a page of a field's distinct values and how many there are in all.

        :param metadata_field: Its name, with or without ``meta.``.
        :param search_term: Keep values whose text contains this, in any case.
        :param from_: Leave out this many.
        :param size: How many to give at most.
        :param filters: Look at the documents these hold for only.
        """
        condition = compile_filters(filters)
        name = metadata_field.removeprefix("meta.")
        with self._database.reading() as connection:
            check_orders(connection, condition)
            values = sqlite_metadata.unique_values(connection, name, condition)
        if search_term:
            wanted = search_term.casefold()
            values = [value for value in values if wanted in str(value).casefold()]
        return values[from_ : from_ + size], len(values)

    def _allowed(self, connection: sqlite3.Connection, condition: Condition) -> Rows | None:
        if condition is ANY:
            return None
        # Both halves of a hybrid search ask for the same rows, and so do most questions.
        (generation,) = connection.execute("SELECT generation FROM state").fetchone()
        key = (generation, condition)
        allowed = self._filtered.get(key)
        if allowed is None:
            check_orders(connection, condition)
            allowed = matching_rows(connection, condition)
            while len(self._filtered) >= _KEPT_FILTERS:
                self._filtered.pop(next(iter(self._filtered)), None)
            self._filtered[key] = allowed
        return allowed

    def check_integrity(self) -> None:
        """Read the whole file and compare what must agree in it.

        :raises StoreError: When something is damaged; says what.
        """
        with self._database.reading() as connection:
            sqlite_check.check(connection, str(self.path))
        if not self.read_only:
            with self._database.writing() as connection:
                sqlite_check.check_texts(connection)

    def compact(self) -> None:
        """Give the space of removed documents back to the file system."""
        self._database.vacuum()


def _required(filters: dict[str, Any]) -> Condition:
    if not filters:
        raise FilterError("a filter is needed to choose the documents")
    return compile_filters(filters)


def _checked(documents: Iterable[Document]) -> list[Document]:
    if isinstance(documents, str) or not isinstance(documents, Iterable):
        raise ValueError("write a list of documents")
    given = list(documents)
    for document in given:
        if not isinstance(document, Document):
            raise ValueError(f"write a list of documents; one is a {type(document).__name__}")
    return given
