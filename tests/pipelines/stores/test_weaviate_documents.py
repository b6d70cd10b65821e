from types import SimpleNamespace

import pytest
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding

from pipelines.errors import StoreError
from pipelines.stores.fts5_terms import Fts5Terms
from pipelines.stores.weaviate_documents import batches, document_of
from pipelines.stores.weaviate_schema import BLOB_DATA, FACTS, META, TERMS, range_property


def objects(*documents):
    return [one for batch in batches(documents, Fts5Terms()) for one in batch]


def test_terms_are_of_title_headings_and_text():
    (found,) = objects(
        Document(content="Pumps leak.", meta={"title": "Manual", "headings": "Repairs > Seals"})
    )
    assert set(found.properties[TERMS].split()) == {"manual", "repair", "seal", "pump", "leak"}


def test_ranges_get_numbers_and_moments_of_their_fields():
    (found,) = objects(
        Document(content="x", meta={"page": 3, "columns": {"when": "1970-01-02", "ok": True}})
    )
    assert found.properties[range_property("page", time=False)] == 3.0
    assert found.properties[range_property("columns.when", time=True)] == 86400.0
    assert found.properties[range_property("columns.ok", time=False)] == 1.0


def test_a_document_survives_the_way_there_and_back():
    document = Document(
        content="a",
        meta={"x": {"y": [1, None]}, "n": None},
        blob=ByteStream(b"\0\xff", {"k": 1}, "x/y"),
        embedding=[0.5, 0.25],
        sparse_embedding=SparseEmbedding([1, 7], [0.5, 0.25]),
        score=0.75,
    )
    (found,) = objects(document)
    read = SimpleNamespace(
        properties=found.properties, vector={"default": found.vector}, uuid=found.uuid
    )
    assert document_of(read) == document
    assert document_of(read, 0.0).score == 0.0


def test_an_empty_blob_has_no_data_for_the_server_to_refuse():
    (found,) = objects(Document(content="a", blob=ByteStream(b"")))
    assert BLOB_DATA not in found.properties


def test_of_two_documents_with_one_id_the_later_counts():
    found = objects(Document(id="1", content="a"), Document(id="1", content="b"))
    assert [one.properties["content"] for one in found] == ["b"]


def test_a_request_stays_below_what_the_server_takes():
    small = list(batches([Document(content=str(n)) for n in range(1001)], Fts5Terms()))
    assert [len(batch) for batch in small] == [500, 500, 1]
    large = [Document(content=str(n), blob=ByteStream(bytes(5 * 2**20))) for n in range(5)]
    assert [len(batch) for batch in batches(large, Fts5Terms())] == [2, 2, 1]
    assert list(batches([], Fts5Terms())) == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (Document(id="d1", content="a", meta={"x": object()}), "document d1: its meta"),
        (Document(id="d1", content="a", meta={"x": b"bytes"}), "ISO 8601"),
        (Document(id="d1", content="a", meta={"x": "\ud800"}), "document d1: its meta"),
        (Document(id="d1", content="a \ud800"), "lone surrogates"),
    ],
    ids=["object", "bytes", "surrogate in meta", "surrogate in text"],
)
def test_what_cannot_be_stored_is_said(document, said):
    with pytest.raises(StoreError, match=said):
        objects(document)


@pytest.mark.parametrize("properties", [{}, {META: "{}"}, {META: "no json", "_original_id": "1"}])
def test_objects_of_others_are_told(properties):
    with pytest.raises(StoreError, match="object 7 was not written by Phi Expert"):
        document_of(SimpleNamespace(properties=properties, vector={}, uuid="7"))


def test_facts_leave_none_out():
    (found,) = objects(Document(meta={"gone": None}))
    assert found.properties[FACTS] == []
