"""Haystack's conformance suites on a real Weaviate server."""

import pytest
import pytest_asyncio
from haystack.testing import document_store as sync_suites
from haystack.testing import document_store_async as async_suites

from pipelines.stores.weaviate import WeaviateStore

pytestmark = pytest.mark.integration


class _Equality:
    @staticmethod
    def assert_documents_are_equal(received, expected):
        """Documents come in no particular order, and vectors in single precision."""
        received = {document.id: document.to_dict() for document in received}
        expected = {document.id: document.to_dict() for document in expected}
        assert received.keys() == expected.keys()
        for key, document in expected.items():
            vector, wanted = received[key].pop("embedding"), document.pop("embedding")
            assert vector == (wanted and pytest.approx(wanted, rel=1e-6))
            assert received[key] == document


class TestWeaviateStore(
    _Equality,
    sync_suites.DocumentStoreBaseExtendedTests,
    sync_suites.CountDocumentsByFilterTest,
    sync_suites.CountUniqueMetadataByFilterTest,
    sync_suites.GetMetadataFieldsInfoTest,
    sync_suites.GetMetadataFieldMinMaxTest,
    sync_suites.GetMetadataFieldUniqueValuesTest,
):
    @pytest.fixture
    def document_store(self, weaviate_server, weaviate_collection):
        store = WeaviateStore(
            **weaviate_server, collection=weaviate_collection, return_embedding=True
        )
        yield store
        store.close()

    def test_write_documents(self, document_store):
        """Without a policy a document replaces the one with its id."""
        document = sync_suites.Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        assert document_store.write_documents([document]) == 1
        assert document_store.count_documents() == 1


class TestWeaviateStoreAsync(
    _Equality,
    async_suites.CountDocumentsAsyncTest,
    async_suites.CountDocumentsByFilterAsyncTest,
    async_suites.CountUniqueMetadataByFilterAsyncTest,
    async_suites.DeleteAllAsyncTest,
    async_suites.DeleteByFilterAsyncTest,
    async_suites.DeleteDocumentsAsyncTest,
    async_suites.FilterDocumentsAsyncTest,
    async_suites.GetMetadataFieldMinMaxAsyncTest,
    async_suites.GetMetadataFieldUniqueValuesAsyncTest,
    async_suites.GetMetadataFieldsInfoAsyncTest,
    async_suites.UpdateByFilterAsyncTest,
    async_suites.WriteDocumentsAsyncTest,
):
    @pytest_asyncio.fixture
    async def document_store(self, weaviate_server, weaviate_collection):
        store = WeaviateStore(
            **weaviate_server, collection=weaviate_collection, return_embedding=True
        )
        yield store
        store.close()
        await store.close_async()

    async def test_write_documents_async(self, document_store):
        """Without a policy a document replaces the one with its id."""
        document = sync_suites.Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        assert await document_store.write_documents_async([document]) == 1
        assert await document_store.count_documents_async() == 1
