"""What weaviate-haystack's components and users call beyond the interface of both stores."""

from typing import Any

from haystack import Document

from pipelines.stores.metadata_fields import count_unique, fields_info, min_max, unique_values
from pipelines.stores.weaviate_clients import Clients
from pipelines.stores.weaviate_operations import Operations

Filters = dict[str, Any]


class StockMethods:
    """Keeps weaviate-haystack's retrievers and its methods on meta fields working.

    The latter read the meta of all documents concerned: exact, and linear in their number.
    """

    _clients: Clients
    _operations: Operations

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """Return the type of each meta field that any document has."""
        metas = self._clients.do(self._operations.metas, None)
        return fields_info(metas)

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """See :meth:`get_metadata_fields_info`."""
        metas = await self._clients.do_async(self._operations.metas, None)
        return fields_info(metas)

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """Return a meta field's least and greatest number, or first and last date.

        :raises ValueError: When it holds neither.
        """
        metas = self._clients.do(self._operations.metas, None)
        return min_max(metas, metadata_field)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """See :meth:`get_metadata_field_min_max`."""
        metas = await self._clients.do_async(self._operations.metas, None)
        return min_max(metas, metadata_field)

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters | None = None,
    ) -> tuple[list[Any], int]:
        """Return a page of a meta field's distinct values, and how many there are."""
        metas = self._clients.do(self._operations.metas, filters)
        return unique_values(metas, metadata_field, search_term, from_, size)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters | None = None,
    ) -> tuple[list[Any], int]:
        """See :meth:`get_metadata_field_unique_values`."""
        metas = await self._clients.do_async(self._operations.metas, filters)
        return unique_values(metas, metadata_field, search_term, from_, size)

    def count_unique_metadata_by_filter(
        self, filters: Filters, metadata_fields: list[str]
    ) -> dict[str, int]:
        """Return how many distinct values each meta field has in the documents that match."""
        metas = self._clients.do(self._operations.metas, filters)
        return count_unique(metas, metadata_fields)

    async def count_unique_metadata_by_filter_async(
        self, filters: Filters, metadata_fields: list[str]
    ) -> dict[str, int]:
        """See :meth:`count_unique_metadata_by_filter`."""
        metas = await self._clients.do_async(self._operations.metas, filters)
        return count_unique(metas, metadata_fields)

    def _bm25_retrieval(
        self, query: str, filters: Filters | None = None, top_k: int | None = None
    ) -> list[Document]:
        return self._clients.do(self._operations.bm25, query, filters, top_k or 10)

    async def _bm25_retrieval_async(
        self, query: str, filters: Filters | None = None, top_k: int | None = None
    ) -> list[Document]:
        return await self._clients.do_async(self._operations.bm25, query, filters, top_k or 10)

    def _embedding_retrieval(
        self,
        query_embedding: list[float],
        filters: Filters | None = None,
        top_k: int | None = None,
        distance: float | None = None,
        certainty: float | None = None,
    ) -> list[Document]:
        near = (query_embedding, filters, top_k or 10, distance, certainty)
        return self._clients.do(self._operations.vector, *near)

    async def _embedding_retrieval_async(
        self,
        query_embedding: list[float],
        filters: Filters | None = None,
        top_k: int | None = None,
        distance: float | None = None,
        certainty: float | None = None,
    ) -> list[Document]:
        near = (query_embedding, filters, top_k or 10, distance, certainty)
        return await self._clients.do_async(self._operations.vector, *near)

    def _hybrid_retrieval(
        self,
        query: str,
        query_embedding: list[float],
        filters: Filters | None = None,
        top_k: int | None = None,
        alpha: float = 0.7,
        max_vector_distance: float | None = None,
    ) -> list[Document]:
        both = (query, query_embedding, filters, top_k or 10, alpha, max_vector_distance)
        return self._clients.do(self._operations.hybrid, *both)

    async def _hybrid_retrieval_async(
        self,
        query: str,
        query_embedding: list[float],
        filters: Filters | None = None,
        top_k: int | None = None,
        alpha: float = 0.7,
        max_vector_distance: float | None = None,
    ) -> list[Document]:
        both = (query, query_embedding, filters, top_k or 10, alpha, max_vector_distance)
        return await self._clients.do_async(self._operations.hybrid, *both)
