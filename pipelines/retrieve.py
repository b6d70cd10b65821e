"""Hybrid retrieval: keyword and vector search, fused by relative score."""

from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.core.serialization import import_class_by_name

from pipelines.stores import PassageStore

SCORES = "_scores"
"""Key in a found passage's meta of the parts that its score is made of."""

ALSO_IN = "_also_in"
"""Key in a found passage's meta of the other places where the same text stands."""


@component
class HybridRetriever:
    """Finds passages by keywords and by vectors in any passage store.

    Each search's scores are scaled to 0…1 over its own list, as Weaviate's
    relativeScoreFusion does, and added with their weights; a passage that a search did
    not find has 0 there. Both stores are asked the same way, so that moving from one to
    the other changes scale, not answers.

    :param document_store: A passage store.
    :param top_k: Passages returned.
    :param candidates: Passages taken from each search.
    :param alpha: Weight of vector search, from 0 (keywords alone) to 1 (vectors alone).
    """

    def __init__(
        self,
        document_store: PassageStore,
        *,
        top_k: int = 10,
        candidates: int = 50,
        alpha: float = 0.7,
    ) -> None:
        self.document_store = document_store
        self.top_k = top_k
        self.candidates = candidates
        self.alpha = alpha

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component with its store."""
        data: dict[str, Any] = default_to_dict(
            self,
            document_store=self.document_store.to_dict(),
            top_k=self.top_k,
            candidates=self.candidates,
            alpha=self.alpha,
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "HybridRetriever":
        """Make a component of what :meth:`to_dict` returned."""
        store = data["init_parameters"]["document_store"]
        store_class: Any = import_class_by_name(store["type"])
        data["init_parameters"]["document_store"] = store_class.from_dict(store)
        retriever: HybridRetriever = default_from_dict(cls, data)
        return retriever

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Return the passages found, best first.

        The parts of a score are in ``meta["_scores"]``: ``bm25`` and ``vector`` as the
        searches gave them, None where a search did not find the passage, and ``fused``.

        :param query: The question.
        :param query_embedding: Its vector.
        :param filters: Haystack filters on the passages' meta.
        :param top_k: Passages returned, in place of the component's own number.
        """
        limit = top_k or self.top_k
        candidates = max(self.candidates, limit)
        search: dict[str, Any] = {"filters": filters, "top_k": candidates}
        by_vector = self.document_store.embedding_retrieval(query_embedding, **search)
        by_words = self.document_store.bm25_retrieval(query, **search)
        return {"documents": fuse(by_words, by_vector, self.alpha, limit)}


def fuse(
    by_words: list[Document], by_vector: list[Document], alpha: float, limit: int | None = None
) -> list[Document]:
    """Join two lists of one search, best first. See :class:`HybridRetriever`.

    Passages of the same text, such as the rows of a table that is there as CSV and as
    XLSX, count as one: the best stays, and ``meta["_also_in"]`` lists where else it stands.

    :param limit: Passages returned; all by default.
    """
    found = {document.id: document for document in [*by_vector, *by_words]}
    words = {document.id: float(document.score or 0.0) for document in by_words}
    vectors = {document.id: float(document.score or 0.0) for document in by_vector}
    scaled_words, scaled_vectors = _scaled(words), _scaled(vectors)
    scores = {
        id_: alpha * scaled_vectors.get(id_, 0.0) + (1 - alpha) * scaled_words.get(id_, 0.0)
        for id_ in found
    }
    fused: dict[str, Document] = {}
    for id_ in sorted(scores, key=lambda id_: -scores[id_]):
        document, score = found[id_], scores[id_]
        text = document.content or id_
        if text in fused:
            fused[text].meta.setdefault(ALSO_IN, []).append(_place(document))
        elif limit is None or len(fused) < limit:
            parts = {"bm25": words.get(id_), "vector": vectors.get(id_), "fused": score}
            fused[text] = replace(document, score=score, meta=document.meta | {SCORES: parts})
    return list(fused.values())


def _place(document: Document) -> dict[str, Any]:
    return {name: document.meta.get(name) for name in ("document", "page", "start", "end")}


def _scaled(scores: dict[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    # Where all are alike, all are best.
    return {k: (s - low) / (high - low) if high > low else 1.0 for k, s in scores.items()}
