"""Documents as objects of the Weaviate store, and back."""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding
from weaviate.classes.data import DataObject

from pipelines.errors import StoreError
from pipelines.split import passage_context
from pipelines.stores.fts5_terms import Fts5Terms
from pipelines.stores.weaviate_schema import (
    BLOB_DATA,
    BLOB_TYPE,
    CONTENT,
    CONTENT_PATH,
    EXTRA,
    FACTS,
    ID,
    META,
    SLOT,
    TERMS,
    fact_of_presence,
    fact_of_time,
    fact_of_value,
    flatten,
    number_of,
    object_uuid,
    range_property,
    seconds_of,
    slot_of,
)

WeaviateObject = DataObject[dict[str, Any], None]

# One request carries so much at most; the server refuses more than 100 MiB.
_BATCH_DOCUMENTS = 500
_BATCH_BYTES = 16 * 2**20


def batches(documents: Iterable[Document], terms: Fts5Terms) -> Iterator[list[WeaviateObject]]:
    """Yield the objects of documents, as many at a time as one request should carry.

    :param documents: What to write; of two with one id the later one counts.
    :param terms: Analyses their text for BM25.
    :raises StoreError: When a document's meta or text cannot be stored; names it.
    """
    batch: list[Document] = []
    size = 0
    for document in {document.id: document for document in documents}.values():
        # Text counts twice, for its terms; a blob grows by a third in base64.
        weight = 2 * len(document.content or "") + 4 * len(document.embedding or ())
        weight += len(document.blob.data) * 4 // 3 if document.blob else 0
        if batch and (len(batch) == _BATCH_DOCUMENTS or size + weight > _BATCH_BYTES):
            yield _objects(batch, terms)
            batch, size = [], 0
        batch.append(document)
        size += weight
    if batch:
        yield _objects(batch, terms)


def _objects(documents: Sequence[Document], terms: Fts5Terms) -> list[WeaviateObject]:
    try:
        analysed = terms.of_passages(
            [f"{passage_context(one)}\n{one.content or ''}" for one in documents]
        )
    except UnicodeEncodeError:
        raise StoreError(
            "a document's text has lone surrogates, which UTF-8 cannot store"
        ) from None
    return [_object(one, found) for one, found in zip(documents, analysed, strict=True)]


def _object(document: Document, terms: str) -> WeaviateObject:
    blob, sparse = document.blob, document.sparse_embedding
    extra = {
        "score": document.score,
        "sparse": sparse.to_dict() if sparse else None,
        "blob": blob.meta if blob else None,
    }
    meta = _json(document, document.meta)
    object_id = object_uuid(document.id)
    properties: dict[str, Any] = {
        ID: document.id,
        META: meta,
        TERMS: terms,
        SLOT: slot_of(object_id),
    }
    facts: list[str] = []
    if document.content is not None:
        properties[CONTENT] = document.content
        facts += (fact_of_presence(CONTENT_PATH), fact_of_value(CONTENT_PATH, document.content))
    for path, value in flatten(document.meta):
        facts += (fact_of_presence(path), fact_of_value(path, value))
        if (number := number_of(value)) is not None:
            properties[range_property(path, time=False)] = number
        elif (seconds := seconds_of(value)) is not None:
            facts.append(fact_of_time(path, seconds))
            properties[range_property(path, time=True)] = seconds
    properties[FACTS] = facts
    if any(value is not None for value in extra.values()):
        properties[EXTRA] = _json(document, extra)
    if blob is not None:
        if blob.data:
            properties[BLOB_DATA] = base64.b64encode(blob.data).decode()
        if blob.mime_type is not None:
            properties[BLOB_TYPE] = blob.mime_type
    return DataObject(properties=properties, uuid=object_id, vector=document.embedding)


def _json(document: Document, value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"document {document.id}: its meta must be text, numbers, lists and dictionaries "
            f"({error}); write dates as ISO 8601 text"
        ) from None
    return text


def document_of(found: Any, score: float | None = None) -> Document:
    """Return the document of an object read from the server.

    :param found: An object with the stored properties, and its vector if it was asked for.
    :param score: What the search gave it; as it was written without one.
    :raises StoreError: When something else than this store wrote the object.
    """
    properties = found.properties
    try:
        extra = json.loads(properties.get(EXTRA) or "{}")
        blob = None
        if extra.get("blob") is not None:
            blob = ByteStream(
                data=base64.b64decode(properties.get(BLOB_DATA) or b""),
                mime_type=properties.get(BLOB_TYPE),
                meta=extra["blob"],
            )
        return Document(
            id=properties[ID],
            content=properties.get(CONTENT),
            meta=json.loads(properties[META]),
            blob=blob,
            embedding=found.vector.get("default"),
            sparse_embedding=SparseEmbedding(**extra["sparse"]) if extra.get("sparse") else None,
            score=extra.get("score") if score is None else score,
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise StoreError(
            f"object {found.uuid} was not written by Phi Expert; delete it or index anew"
        ) from None
