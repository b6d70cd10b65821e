"""What the Weaviate store asks of its server, each written once for both clients."""

import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from weaviate.classes.config import DataType, Property
from weaviate.classes.query import Filter, HybridFusion, MetadataQuery
from weaviate.exceptions import UnexpectedStatusCodeError, WeaviateBaseError

from pipelines.errors import StoreError
from pipelines.stores.fts5_terms import Fts5Terms
from pipelines.stores.weaviate_connection import Conversation, check_version, refusal
from pipelines.stores.weaviate_documents import WeaviateObject, batches, document_of
from pipelines.stores.weaviate_filters import WeaviateFilter, convert_filters
from pipelines.stores.weaviate_schema import (
    ID,
    META,
    SLOT,
    SLOTS,
    STORED,
    TERMS,
    definition,
    describe,
    described,
    is_range_property,
    object_uuid,
)
from pipelines.stores.weaviate_terms import TermFrequencies, bm25_score

# One query returns so much at most, whatever the server's own limit (10,000 by default);
# parts of the index are chosen to stay well below it.
_PAGE = 500
_PART = 350
_IDS = 1000
_SAMPLE = 1000
_SCORE = MetadataQuery(score=True)
_DISTANCE = MetadataQuery(distance=True)


@dataclass(frozen=True, slots=True)
class Server:
    """An open connection.

    :param client: The synchronous or the asynchronous client.
    :param collection: The index's collection, of the same client.
    """

    client: Any
    collection: Any


class Operations:
    """The conversations of one store with its server.

    :param name: The collection.
    :param return_embedding: Whether documents come back with their vectors.
    """

    def __init__(self, name: str, *, return_embedding: bool) -> None:
        self._name = name
        self._return_embedding = return_embedding
        self._terms = Fts5Terms()
        self._range_properties: frozenset[str] = frozenset()
        self._forget_frequencies()

    def _forget_frequencies(self) -> None:
        self._total: int | None = None
        self._frequencies: TermFrequencies | None = None

    def open(self, client: Any) -> Conversation[Server]:
        """Connect, and create the collection when the server does not have it."""
        try:
            yield client.connect()
            version = str((yield client.get_meta())["version"])
        except (KeyError, TypeError, ValueError):
            raise StoreError("what answers at the Weaviate URL is not Weaviate: check it") from None
        check_version(version)
        yield from self._create(client)
        server = Server(client, client.collections.get(self._name))
        yield from self.get_metadata(server)
        return server

    def _create(self, client: Any) -> Conversation[None]:
        if (yield client.collections.exists(self._name)):
            return
        try:
            yield client.collections.create_from_dict(definition(self._name))
        except UnexpectedStatusCodeError:
            # Another process may have created it in between.
            if not (yield client.collections.exists(self._name)):
                raise

    def get_metadata(self, server: Server) -> Conversation[dict[str, str]]:
        """Read the index's metadata, and notice properties that another process added."""
        config = yield server.collection.config.get()
        names = (one.name for one in config.properties)
        self._range_properties = frozenset(filter(is_range_property, names))
        return described(self._name, config.description)

    def set_metadata(self, server: Server, metadata: Mapping[str, str]) -> Conversation[None]:
        """Add to the index's metadata or replace parts of it."""
        kept = yield from self.get_metadata(server)
        description = describe({**kept, **metadata})
        yield server.collection.config.update(description=description)

    def bm25(
        self, server: Server, query: str, filters: Mapping[str, Any] | None, top_k: int
    ) -> Conversation[list[Document]]:
        """Search by words."""
        terms = yield from self._terms_of(server, query)
        if not terms or top_k < 1:
            return []
        where = yield from self._where(server, filters)
        found = yield server.collection.query.bm25(
            query=" ".join(terms),
            query_properties=[TERMS],
            filters=where,
            limit=top_k,
            include_vector=self._return_embedding,
            return_properties=list(STORED),
            return_metadata=_SCORE,
        )
        return [document_of(one, bm25_score(one.metadata.score)) for one in found.objects]

    def vector(
        self,
        server: Server,
        embedding: Sequence[float],
        filters: Mapping[str, Any] | None,
        top_k: int,
        distance: float | None = None,
        certainty: float | None = None,
    ) -> Conversation[list[Document]]:
        """Search by vector; the score is the cosine."""
        if top_k < 1:
            return []
        where = yield from self._where(server, filters)
        found = yield server.collection.query.near_vector(
            near_vector=embedding,
            distance=distance,
            certainty=certainty,
            filters=where,
            limit=top_k,
            include_vector=self._return_embedding,
            return_properties=list(STORED),
            return_metadata=_DISTANCE,
        )
        return [document_of(one, _cosine(one.metadata.distance)) for one in found.objects]

    def hybrid(
        self,
        server: Server,
        query: str,
        embedding: Sequence[float],
        filters: Mapping[str, Any] | None,
        top_k: int,
        alpha: float,
        max_vector_distance: float | None = None,
    ) -> Conversation[list[Document]]:
        """Search by both, fused on the server by relative score."""
        terms = yield from self._terms_of(server, query)
        where = yield from self._where(server, filters)
        found = yield server.collection.query.hybrid(
            query=" ".join(terms),
            vector=embedding,
            alpha=alpha,
            fusion_type=HybridFusion.RELATIVE_SCORE,
            max_vector_distance=max_vector_distance,
            query_properties=[TERMS],
            filters=where,
            limit=top_k,
            include_vector=self._return_embedding,
            return_properties=list(STORED),
            return_metadata=_SCORE,
        )
        return [document_of(one, one.metadata.score) for one in found.objects]

    def _terms_of(self, server: Server, question: str) -> Conversation[list[str]]:
        terms = self._terms.of_question(question)
        if self._total is None:
            self._total = yield from self.count(server)
        if not TermFrequencies.matter(self._total, terms):
            return terms
        if self._frequencies is None:
            # The server lists objects by their ids, which are digests: an even choice.
            sample = yield server.collection.query.fetch_objects(
                limit=_SAMPLE, return_properties=[TERMS]
            )
            held = (str(one.properties[TERMS]) for one in sample.objects)
            self._frequencies = TermFrequencies(self._total, held)
        return self._frequencies.telling(terms)

    def count(self, server: Server, filters: Mapping[str, Any] | None = None) -> Conversation[int]:
        """Count the documents that match."""
        where = yield from self._where(server, filters)
        counted = yield server.collection.aggregate.over_all(filters=where, total_count=True)
        return int(counted.total_count or 0)

    def read(
        self, server: Server, filters: Mapping[str, Any] | None
    ) -> Conversation[list[Document]]:
        """Read every document that matches, with its vector."""
        objects = yield from self._objects(server, filters, STORED, vectors=True)
        return [document_of(one) for one in objects]

    def read_passages(
        self, server: Server, filters: Mapping[str, Any] | None
    ) -> Conversation[list[Document]]:
        """Read every document that matches, without its vector."""
        objects = yield from self._objects(server, filters, STORED, vectors=False)
        return [document_of(one) for one in objects]

    def metas(
        self, server: Server, filters: Mapping[str, Any] | None
    ) -> Conversation[list[dict[str, Any]]]:
        """Read the meta alone of every document that matches."""
        objects = yield from self._objects(server, filters, (META,), vectors=False)
        return [json.loads(one.properties[META]) for one in objects]

    def _objects(
        self,
        server: Server,
        filters: Mapping[str, Any] | None,
        properties: Sequence[str],
        *,
        vectors: bool,
    ) -> Conversation[list[Any]]:
        """Read objects, however many, a range of slots at a time."""
        where = yield from self._where(server, filters)
        total = yield from self.count(server, filters)
        parts = max(1, math.ceil(total / _PART))
        pending = [(SLOTS * n // parts, SLOTS * (n + 1) // parts) for n in range(parts)]
        objects: list[Any] = []
        while pending:
            low, high = pending.pop()
            slot = Filter.by_property(SLOT)
            bounds = [slot.greater_or_equal(low), slot.less_than(high)]
            page = yield server.collection.query.fetch_objects(
                filters=Filter.all_of([*bounds, where] if where else bounds),
                limit=_PAGE,
                include_vector=vectors,
                return_properties=list(properties),
            )
            if len(page.objects) == _PAGE and high - low > 1:
                middle = (low + high) // 2
                pending += [(low, middle), (middle, high)]
            else:
                objects += page.objects
        return objects

    def write(
        self, server: Server, documents: Sequence[Document], policy: DuplicatePolicy
    ) -> Conversation[int]:
        """Write documents; see :meth:`WeaviateStore.write_documents`."""
        if not isinstance(documents, list | tuple) or not all(
            isinstance(one, Document) for one in documents
        ):
            raise ValueError("write_documents takes a list of Documents")
        if policy in (DuplicatePolicy.FAIL, DuplicatePolicy.SKIP):
            ids = [one.id for one in documents]
            present = yield from self._present(server, ids)
            repeated = present.union(one for one, times in Counter(ids).items() if times > 1)
            if repeated and policy is DuplicatePolicy.FAIL:
                raise DuplicateDocumentError(
                    f"IDs '{', '.join(sorted(repeated))}' already exist in the document store."
                )
            first = {one.id: one for one in reversed(documents) if one.id not in present}
            documents = list(first.values())
        yield from self._insert(server, documents)
        return len(documents)

    def _present(self, server: Server, ids: Sequence[str]) -> Conversation[set[str]]:
        present: set[str] = set()
        for start in range(0, len(ids), _IDS):
            wanted = [object_uuid(one) for one in ids[start : start + _IDS]]
            page = yield server.collection.query.fetch_objects(
                filters=Filter.by_id().contains_any(wanted), limit=_IDS, return_properties=[ID]
            )
            present.update(one.properties[ID] for one in page.objects)
        return present

    def _insert(self, server: Server, documents: Sequence[Document]) -> Conversation[None]:
        if len({len(one.embedding) for one in documents if one.embedding is not None}) > 1:
            raise StoreError("documents written together must have vectors of one length")
        if documents:
            # The server would make a collection of its own if ours had been deleted.
            yield from self.get_metadata(server)
            self._forget_frequencies()
        for batch in batches(documents, self._terms):
            yield from self._add_range_properties(server, batch)
            done = yield server.collection.data.insert_many(batch)
            if done.has_errors:
                raise refusal(next(iter(done.errors.values())).message)

    def _add_range_properties(
        self, server: Server, batch: Sequence[WeaviateObject]
    ) -> Conversation[None]:
        named = {name for one in batch for name in one.properties or () if is_range_property(name)}
        for name in sorted(named - self._range_properties):
            try:
                yield server.collection.config.add_property(
                    Property(
                        name=name,
                        data_type=DataType.NUMBER,
                        index_filterable=False,
                        index_range_filters=True,
                    )
                )
            except WeaviateBaseError:
                # Another process may have added it in between.
                yield from self.get_metadata(server)
                if name not in self._range_properties:
                    raise
        self._range_properties |= named

    def replace(
        self, server: Server, stale_ids: Collection[str], documents: Sequence[Document]
    ) -> Conversation[None]:
        """Write first, then remove: what is stopped in between has lost nothing."""
        yield from self.write(server, list(documents), DuplicatePolicy.OVERWRITE)
        written = {one.id for one in documents}
        yield from self.delete(server, [one for one in stale_ids if one not in written])

    def delete(self, server: Server, ids: Sequence[str]) -> Conversation[None]:
        """Remove documents by id; unknown ids are none of its concern."""
        for start in range(0, len(ids), _IDS):
            wanted = [object_uuid(one) for one in ids[start : start + _IDS]]
            yield from self._remove(server, Filter.by_id().contains_any(wanted))

    def delete_matching(self, server: Server, filters: Mapping[str, Any]) -> Conversation[int]:
        """Remove every document that matches, and count them."""
        convert_filters(filters, lambda _: True)
        where = yield from self._where(server, filters)
        return (yield from self._remove(server, where))

    def delete_all(self, server: Server) -> Conversation[None]:
        """Remove every document and what was recorded about the index."""
        # An emptied collection would go on refusing vectors of another length.
        yield server.client.collections.delete(self._name)
        yield from self._create(server.client)
        self._range_properties = frozenset()
        self._forget_frequencies()

    def _remove(self, server: Server, where: WeaviateFilter | None) -> Conversation[int]:
        removed = 0
        while True:
            # The server removes as many at a time as a query may return.
            done = yield server.collection.data.delete_many(where=where)
            if done.failed:
                raise StoreError(f"Weaviate could not delete {done.failed} documents; try again")
            removed += int(done.successful)
            if done.successful < _PAGE:
                return removed

    def update(
        self, server: Server, filters: Mapping[str, Any], meta: Mapping[str, Any]
    ) -> Conversation[int]:
        """Merge meta into every document that matches, and count them."""
        convert_filters(filters, lambda _: True)
        documents = yield from self.read(server, filters)
        for document in documents:
            document.meta.update(meta)
        yield from self._insert(server, documents)
        return len(documents)

    def _where(
        self, server: Server, filters: Mapping[str, Any] | None
    ) -> Conversation[WeaviateFilter | None]:
        if not filters:
            return None
        unknown: list[str] = []

        def has_property(name: str) -> bool:
            if name not in self._range_properties:
                unknown.append(name)
            return name in self._range_properties

        where = convert_filters(filters, has_property)
        if unknown:
            # Another process may have written such a field since.
            yield from self.get_metadata(server)
            where = convert_filters(filters, self._range_properties.__contains__)
        return where


def _cosine(distance: float) -> float:
    # Single precision may exceed the bounds by its last digit.
    return max(-1.0, min(1.0, 1.0 - distance))
