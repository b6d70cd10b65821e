"""The embedded document store: one SQLite file, nothing to install or to run."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.types import DuplicatePolicy

from pipelines.stores.sqlite_index import SqliteIndex


class SqliteDocumentStore(SqliteIndex):
    """A Haystack document store on one SQLite file.

    Full-text search (BM25 over title, headings and content, stemmed) and exact cosine
    search; filters by metadata apply before the best are taken. Several processes may
    read while one writes; threads may share one store; a forked child must open its own.
    The file is opened when it is first needed.

    :param path: The file, created with its tables when it is missing; ``:memory:`` keeps
        the documents in memory, until :meth:`close`.
    :param read_only: Neither create the file nor write documents to it. A file of an older
        version is still upgraded if it may be written.
    :param return_embedding: Whether retrieved documents carry their embedding;
        :meth:`filter_documents` gives documents as they were written in any case.
    """

    def __init__(
        self, path: str | Path, *, read_only: bool = False, return_embedding: bool = False
    ) -> None:
        super().__init__(path, read_only=read_only, return_embedding=return_embedding)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def to_dict(self) -> dict[str, Any]:
        """Serialise the store's settings, not its documents."""
        return default_to_dict(
            self,
            path=str(self.path),
            read_only=self.read_only,
            return_embedding=self.return_embedding,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "SqliteDocumentStore":
        """Make a store from what :meth:`to_dict` returned."""
        return default_from_dict(cls, data)

    # The file is read in microseconds to milliseconds, so that a thread is all that an
    # event loop needs to stay free.

    async def count_documents_async(self) -> int:
        """See :meth:`count_documents`."""
        return await asyncio.to_thread(self.count_documents)

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """See :meth:`filter_documents`."""
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """See :meth:`write_documents`."""
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """See :meth:`delete_documents`."""
        await asyncio.to_thread(self.delete_documents, document_ids)

    async def replace_documents_async(
        self, stale_ids: Sequence[str], documents: Sequence[Document]
    ) -> None:
        """See :meth:`replace_documents`."""
        await asyncio.to_thread(self.replace_documents, stale_ids, documents)

    async def delete_all_documents_async(self, *, recreate_index: bool = False) -> None:
        """See :meth:`delete_all_documents`."""
        await asyncio.to_thread(self.delete_all_documents, recreate_index=recreate_index)

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        """See :meth:`delete_by_filter`."""
        return await asyncio.to_thread(self.delete_by_filter, filters)

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """See :meth:`update_by_filter`."""
        return await asyncio.to_thread(self.update_by_filter, filters, meta)

    async def bm25_retrieval_async(
        self, query: str, *, filters: dict[str, Any] | None = None, top_k: int = 10
    ) -> list[Document]:
        """See :meth:`bm25_retrieval`."""
        return await asyncio.to_thread(self.bm25_retrieval, query, filters=filters, top_k=top_k)

    async def embedding_retrieval_async(
        self,
        query_embedding: Sequence[float],
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
    ) -> list[Document]:
        """See :meth:`embedding_retrieval`."""
        return await asyncio.to_thread(
            self.embedding_retrieval, query_embedding, filters=filters, top_k=top_k
        )

    async def get_metadata_async(self) -> dict[str, str]:
        """See :meth:`get_metadata`."""
        return await asyncio.to_thread(self.get_metadata)

    async def set_metadata_async(self, metadata: dict[str, str]) -> None:
        """See :meth:`set_metadata`."""
        await asyncio.to_thread(self.set_metadata, metadata)

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        """See :meth:`count_documents_by_filter`."""
        return await asyncio.to_thread(self.count_documents_by_filter, filters)

    async def count_unique_metadata_by_filter_async(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """See :meth:`count_unique_metadata_by_filter`."""
        return await asyncio.to_thread(
            self.count_unique_metadata_by_filter, filters, metadata_fields
        )

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """See :meth:`get_metadata_fields_info`."""
        return await asyncio.to_thread(self.get_metadata_fields_info)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """See :meth:`get_metadata_field_min_max`."""
        return await asyncio.to_thread(self.get_metadata_field_min_max, metadata_field)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """See :meth:`get_metadata_field_unique_values`."""
        return await asyncio.to_thread(
            self.get_metadata_field_unique_values, metadata_field, search_term, from_, size, filters
        )

    async def close_async(self) -> None:
        """See :meth:`close`."""
        await asyncio.to_thread(self.close)
