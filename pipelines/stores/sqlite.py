"""The embedded store for event loops: each method runs its twin on a thread."""

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from typing import Any

from haystack import Document
from haystack.document_stores.types import DuplicatePolicy

from pipelines.stores.sqlite_store import Filters, SqliteStore


class SqliteDocumentStore(SqliteStore):
    __doc__ = SqliteStore.__doc__

    async def count_documents_async(self) -> int:
        """Run :meth:`count_documents` without blocking the event loop."""
        return await to_thread(self.count_documents)

    async def count_documents_by_filter_async(self, filters: Filters | None) -> int:
        """Run :meth:`count_documents_by_filter` without blocking the event loop."""
        return await to_thread(self.count_documents_by_filter, filters)

    async def filter_documents_async(self, filters: Filters | None = None) -> list[Document]:
        """Run :meth:`filter_documents` without blocking the event loop."""
        return await to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Run :meth:`write_documents` without blocking the event loop."""
        return await to_thread(self.write_documents, documents, policy)

    async def replace_documents_async(
        self, stale_ids: Sequence[str], documents: Sequence[Document]
    ) -> None:
        """Run :meth:`replace_documents` without blocking the event loop."""
        await to_thread(self.replace_documents, stale_ids, documents)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """Run :meth:`delete_documents` without blocking the event loop."""
        await to_thread(self.delete_documents, document_ids)

    async def delete_all_documents_async(self) -> None:
        """Run :meth:`delete_all_documents` without blocking the event loop."""
        await to_thread(self.delete_all_documents)

    async def delete_by_filter_async(self, filters: Filters) -> int:
        """Run :meth:`delete_by_filter` without blocking the event loop."""
        return await to_thread(self.delete_by_filter, filters)

    async def update_by_filter_async(self, filters: Filters, meta: Mapping[str, Any]) -> int:
        """Run :meth:`update_by_filter` without blocking the event loop."""
        return await to_thread(self.update_by_filter, filters, meta)

    async def bm25_retrieval_async(
        self, query: str, *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """Run :meth:`bm25_retrieval` without blocking the event loop."""
        return await to_thread(self.bm25_retrieval, query, filters=filters, top_k=top_k)

    async def embedding_retrieval_async(
        self, query_embedding: Sequence[float], *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """Run :meth:`embedding_retrieval` without blocking the event loop."""
        return await to_thread(
            self.embedding_retrieval, query_embedding, filters=filters, top_k=top_k
        )

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """Run :meth:`get_metadata_fields_info` without blocking the event loop."""
        return await to_thread(self.get_metadata_fields_info)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """Run :meth:`get_metadata_field_min_max` without blocking the event loop."""
        return await to_thread(self.get_metadata_field_min_max, metadata_field)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters | None = None,
    ) -> tuple[list[Any], int]:
        """Run :meth:`get_metadata_field_unique_values` without blocking the event loop."""
        return await to_thread(
            self.get_metadata_field_unique_values, metadata_field, search_term, from_, size, filters
        )

    async def count_unique_metadata_by_filter_async(
        self, filters: Filters, metadata_fields: Sequence[str]
    ) -> dict[str, int]:
        """Run :meth:`count_unique_metadata_by_filter` without blocking the event loop."""
        return await to_thread(self.count_unique_metadata_by_filter, filters, metadata_fields)
