"""Document stores: SQLite for one machine, Weaviate past that, behind one interface."""

from collections.abc import Sequence
from typing import Any, Protocol

from haystack import Document
from haystack.document_stores.types import DocumentStore


class PassageStore(DocumentStore, Protocol):
    """A Haystack document store that indexing and retrieval can use.

    Every method that reaches the file or server raises StoreError when it cannot.
    """

    def bm25_retrieval(
        self, query: str, *, filters: dict[str, Any] | None = None, top_k: int = 10
    ) -> list[Document]:
        """Return the passages that hold the query's words, by BM25, best first."""

    def embedding_retrieval(
        self,
        query_embedding: Sequence[float],
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
    ) -> list[Document]:
        """Return the passages whose vectors are nearest, by cosine, best first."""

    def read_passages(self, filters: dict[str, Any]) -> list[Document]:
        """Return the passages that a filter holds for, without their vectors, in no set order."""

    def replace_documents(self, stale_ids: Sequence[str], documents: Sequence[Document]) -> None:
        """Remove passages by id and write others, at once where the store can."""

    def delete_all_documents(self) -> None:
        """Remove all passages, and what was recorded of the index."""

    def count_documents(self) -> int:
        """Return how many passages there are."""

    def get_metadata(self) -> dict[str, str]:
        """Return the facts recorded of the whole index."""

    def set_metadata(self, metadata: dict[str, str]) -> None:
        """Record facts of the whole index."""

    def close(self) -> None:
        """Let go of the file or the connection."""
