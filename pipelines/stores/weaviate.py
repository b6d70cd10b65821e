"""The server store: documents in Weaviate, found as the embedded store finds them."""

from collections.abc import Collection, Sequence
from typing import Any

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret, deserialize_secrets_inplace

from pipelines.errors import MissingExtraError

try:
    import weaviate
    from haystack_integrations.document_stores.weaviate import WeaviateDocumentStore
except ImportError:
    raise MissingExtraError("The Weaviate store", "weaviate") from None

from pipelines.stores.weaviate_clients import Clients
from pipelines.stores.weaviate_operations import Operations
from pipelines.stores.weaviate_schema import collection_name
from pipelines.stores.weaviate_stock import StockMethods

Filters = dict[str, Any]


class WeaviateStore(StockMethods, WeaviateDocumentStore):
    """A Haystack document store on a Weaviate server, 1.36 or newer.

    It keeps the interface of weaviate-haystack's store, whose retrievers work with it, and
    gives the answers of the embedded store on the same documents: BM25 over Porter stems
    of title, headings and text, the cosine as a vector's score, filters on meta fields of
    any name and type (``meta.columns.cost > 5``), and documents as they were written.

    It connects when it is first used, and creates the collection when the server
    has none. Vectors are searched by HNSW, which is near-exact. Every method that talks to
    the server raises StoreError when it cannot be reached or refuses something.

    :param url: Where the server is, as ``http://localhost:8080`` or ``https://host``.
    :param collection: Name of the index's collection; one that Weaviate does not allow
        (``hr-handbook``) is turned into one that it does.
    :param api_key: The key; may resolve to nothing for a server that asks for none.
    :param grpc_port: Port of the server's gRPC interface, on the same host.
    :param grpc_secure: Use TLS for gRPC though the URL is http; with https it always is.
    :param return_embedding: Return documents with their vectors from searches too.
    :param connect_timeout: Seconds to wait for a connection.
    :param timeout: Seconds to wait for a search; writing waits three times as long.
    :raises StoreError: When the URL or the collection's name is not valid.
    """

    def __init__(
        self,
        url: str = "http://localhost:8080",
        *,
        collection: str = "Expert",
        api_key: Secret | None = None,
        grpc_port: int = 50051,
        grpc_secure: bool = False,
        return_embedding: bool = False,
        connect_timeout: float = 10.0,
        timeout: float = 30.0,
    ) -> None:
        name = collection_name(collection)
        super().__init__(
            url=url,
            collection_settings={"class": name},
            grpc_port=grpc_port,
            grpc_secure=grpc_secure,
        )
        self._name = collection
        self._api_key = api_key
        self._return_embedding = return_embedding
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._operations = Operations(name, return_embedding=return_embedding)
        self._clients = Clients(
            self._operations.open,
            self._connection_headers(),
            url=url,
            api_key=api_key,
            grpc_port=grpc_port,
            grpc_secure=grpc_secure,
            connect_timeout=connect_timeout,
            timeout=timeout,
        )

    def to_dict(self) -> dict[str, Any]:
        """Serialise the store; the key's place is written, never the key."""
        data: dict[str, Any] = default_to_dict(
            self,
            url=self._url,
            collection=self._name,
            api_key=self._api_key.to_dict() if self._api_key else None,
            grpc_port=self._grpc_port,
            grpc_secure=self._grpc_secure,
            return_embedding=self._return_embedding,
            connect_timeout=self._connect_timeout,
            timeout=self._timeout,
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "WeaviateStore":
        """Make a store of what :meth:`to_dict` returned."""
        deserialize_secrets_inplace(data["init_parameters"], ["api_key"])
        store: WeaviateStore = default_from_dict(cls, data)
        return store

    @property
    def client(self) -> weaviate.WeaviateClient:
        """The synchronous client, connected."""
        client: weaviate.WeaviateClient = self._clients.open().client
        return client

    @property
    async def async_client(self) -> weaviate.WeaviateAsyncClient:
        """The asynchronous client, connected in the running event loop."""
        client: weaviate.WeaviateAsyncClient = (await self._clients.open_async()).client
        return client

    @property
    def collection(self) -> Any:
        """The index's collection, of the synchronous client."""
        return self._clients.open().collection

    @property
    async def async_collection(self) -> Any:
        """The index's collection, of the asynchronous client."""
        return (await self._clients.open_async()).collection

    def close(self) -> None:
        """Close the synchronous connection; a later use opens it again."""
        self._clients.close()

    async def close_async(self) -> None:
        """Close the asynchronous connection; a later use opens it again."""
        await self._clients.close_async()

    def get_metadata(self) -> dict[str, str]:
        """Return the facts recorded about the index, such as which embedder made its vectors."""
        return self._clients.do(self._operations.get_metadata)

    async def get_metadata_async(self) -> dict[str, str]:
        """See :meth:`get_metadata`."""
        return await self._clients.do_async(self._operations.get_metadata)

    def set_metadata(self, metadata: dict[str, str]) -> None:
        """Record facts about the index; those not named stay.

        :raises StoreError: When the server cannot be reached or refuses it, as any method here.
        """
        self._clients.do(self._operations.set_metadata, metadata)

    async def set_metadata_async(self, metadata: dict[str, str]) -> None:
        """See :meth:`set_metadata`."""
        await self._clients.do_async(self._operations.set_metadata, metadata)

    def count_documents(self) -> int:
        """Count the documents."""
        return self._clients.do(self._operations.count)

    async def count_documents_async(self) -> int:
        """See :meth:`count_documents`."""
        return await self._clients.do_async(self._operations.count)

    def count_documents_by_filter(self, filters: Filters) -> int:
        """Count the documents that match a filter."""
        return self._clients.do(self._operations.count, filters)

    async def count_documents_by_filter_async(self, filters: Filters) -> int:
        """See :meth:`count_documents_by_filter`."""
        return await self._clients.do_async(self._operations.count, filters)

    def filter_documents(self, filters: Filters | None = None) -> list[Document]:
        """Return every document that matches a filter, with its vector, in no particular order.

        :param filters: A filter in Haystack's form; every document without one.
        :raises FilterError: When the filter is malformed.
        """
        return self._clients.do(self._operations.read, filters)

    def read_passages(self, filters: Filters) -> list[Document]:
        """Return every document that matches a filter, without its vector, in no particular order.

        :param filters: A filter in Haystack's form.
        :raises FilterError: When the filter is malformed.
        """
        return self._clients.do(self._operations.read_passages, filters)

    async def filter_documents_async(self, filters: Filters | None = None) -> list[Document]:
        """See :meth:`filter_documents`."""
        return await self._clients.do_async(self._operations.read, filters)

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents; once written they can be found.

        :param documents: What to write.
        :param policy: What to do about an id that is there already: NONE and OVERWRITE replace
            the document, SKIP leaves it, FAIL writes nothing at all.
        :returns: How many were written.
        :raises DuplicateDocumentError: When an id is there already and the policy is FAIL.
        :raises StoreError: When a document cannot be stored; those before it may have been.
        """
        return self._clients.do(self._operations.write, documents, policy)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """See :meth:`write_documents`."""
        return await self._clients.do_async(self._operations.write, documents, policy)

    def replace_documents(self, stale_ids: Collection[str], documents: Sequence[Document]) -> None:
        """Remove documents and write others, as when a file has changed.

        The server knows no transactions: the new ones are written first, so that stopping in
        between leaves some of both, loses nothing, and is mended by doing the same again.

        :param stale_ids: Ids to remove; unknown ones are left out, and so are those written.
        :param documents: What to write; replaces documents with the same ids.
        """
        self._clients.do(self._operations.replace, stale_ids, documents)

    async def replace_documents_async(
        self, stale_ids: Collection[str], documents: Sequence[Document]
    ) -> None:
        """See :meth:`replace_documents`."""
        await self._clients.do_async(self._operations.replace, stale_ids, documents)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Remove documents by id; unknown ids are left out."""
        self._clients.do(self._operations.delete, document_ids)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """See :meth:`delete_documents`."""
        await self._clients.do_async(self._operations.delete, document_ids)

    def delete_by_filter(self, filters: Filters) -> int:
        """Remove every document that matches a filter.

        :returns: How many were removed.
        :raises FilterError: When the filter is malformed or empty.
        """
        return self._clients.do(self._operations.delete_matching, filters)

    async def delete_by_filter_async(self, filters: Filters) -> int:
        """See :meth:`delete_by_filter`."""
        return await self._clients.do_async(self._operations.delete_matching, filters)

    def delete_all_documents(self, *, recreate_index: bool = True, batch_size: int = 1000) -> None:
        """Remove every document and what was recorded about the index.

        :param recreate_index: As in weaviate-haystack; the collection is made anew in any
            case, since an emptied one would refuse vectors of another length.
        :param batch_size: As in weaviate-haystack; of no effect.
        """
        self._clients.do(self._operations.delete_all)

    async def delete_all_documents_async(
        self, *, recreate_index: bool = True, batch_size: int = 1000
    ) -> None:
        """See :meth:`delete_all_documents`."""
        await self._clients.do_async(self._operations.delete_all)

    def update_by_filter(self, filters: Filters, meta: dict[str, Any]) -> int:
        """Merge meta into that of every document that matches a filter.

        :returns: How many were updated.
        :raises FilterError: When the filter is malformed or empty.
        """
        return self._clients.do(self._operations.update, filters, meta)

    async def update_by_filter_async(self, filters: Filters, meta: dict[str, Any]) -> int:
        """See :meth:`update_by_filter`."""
        return await self._clients.do_async(self._operations.update, filters, meta)

    def bm25_retrieval(
        self, query: str, *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """Search by words: a document with any of the question's terms, best first.

        :param query: The question; Porter-stemmed, as the documents are.
        :param filters: Restricts the search.
        :param top_k: How many at most.
        :returns: Documents scored by BM25 over title, headings and text; see
            :mod:`pipelines.stores.bm25`.
        """
        return self._clients.do(self._operations.bm25, query, filters, top_k)

    async def bm25_retrieval_async(
        self, query: str, *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """See :meth:`bm25_retrieval`."""
        return await self._clients.do_async(self._operations.bm25, query, filters, top_k)

    def embedding_retrieval(
        self, query_embedding: Sequence[float], *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """Search by vector, nearest first.

        :param query_embedding: The question's vector, of the documents' dimensions.
        :param filters: Restricts the search.
        :param top_k: How many at most.
        :returns: Documents scored by their cosine, -1 to 1; those without a vector are left out.
        """
        return self._clients.do(self._operations.vector, query_embedding, filters, top_k)

    async def embedding_retrieval_async(
        self, query_embedding: Sequence[float], *, filters: Filters | None = None, top_k: int = 10
    ) -> list[Document]:
        """See :meth:`embedding_retrieval`."""
        return await self._clients.do_async(
            self._operations.vector, query_embedding, filters, top_k
        )
