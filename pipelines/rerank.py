"""Rerankers: the built-in one by late interaction, and cross-encoders by path or id."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from pipelines.close_calls import settle
from pipelines.embed.embedder import TokenStates
from pipelines.errors import MissingExtraError, PipelineError, StoreError
from pipelines.late_interaction import (
    MIME,
    LateInteraction,
    PassageTokens,
    compare,
    late_interaction_for,
    load_late_interaction,
    unpack,
)
from pipelines.rerank_scoring import Scorer, features
from pipelines.retrieve import SCORES


def open_reranker(name: str, *, fingerprint: str, top_k: int = 10) -> Any | None:
    """Return the reranker that a setting names, as a Haystack component.

    :param name: ``auto`` (late where the embedder allows it), ``late``, ``none``, or the
        path or id of a sentence-transformers cross-encoder.
    :param fingerprint: The embedder's, since ``late`` reads its token states.
    :param top_k: Passages it returns.
    :returns: A component with ``query`` and ``documents``; None for no reranker.
    :raises PipelineError: When ``late`` is asked for and was not trained on this embedder.
    :raises MissingExtraError: When a cross-encoder is asked for without the extra.
    """
    if name == "none":
        return None
    if name in ("auto", "late"):
        if late_interaction_for(fingerprint):
            return LateReranker(top_k=top_k)
        if name == "auto":
            return None
        raise PipelineError(
            f"the reranker 'late' was not trained on the embedder {fingerprint}: "
            "set retrieval.reranker to auto, none, or a cross-encoder's path or id"
        )
    return CrossEncoderReranker(name, top_k=top_k)


@component
class LateReranker:
    """Orders candidates by late interaction and the scores of both searches.

    A small network weighs how the question's words fare in the passage and its best
    sentences (:mod:`pipelines.late_interaction`) with BM25 and cosine. It was trained on
    public questions; ``weights/late_interaction.md`` says on which and how well it does.

    Where the two best come close, they are read (:mod:`pipelines.close_calls`).

    :param top_k: Passages returned.
    :param weights: Weights trained anew, in place of the shipped ones.
    :param close: Difference of the two best scores below which they are read; 0 for never.
    """

    def __init__(self, *, top_k: int = 10, weights: str | None = None, close: float = 1.0) -> None:
        self.top_k = top_k
        self.weights = weights
        self.close = close
        self._late: LateInteraction | None = None
        self._scorer: Scorer | None = None

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component."""
        data: dict[str, Any] = default_to_dict(
            self, top_k=self.top_k, weights=self.weights, close=self.close
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "LateReranker":
        """Make a component of what :meth:`to_dict` returned."""
        reranker: LateReranker = default_from_dict(cls, data)
        return reranker

    def warm_up(self) -> None:
        """Load the weights."""
        if self._scorer is None:
            self._late = LateInteraction(Path(self.weights)) if self.weights else None
            self._late = self._late or load_late_interaction()
            self._scorer = Scorer(self._late.arrays)

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str,
        documents: list[Document],
        query_tokens: TokenStates | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Return the best candidates, best first; ``meta["_scores"]["late"]`` is added.

        :param query: The question, as text; what is compared are its tokens.
        :param documents: Candidates with token states in their blobs and score parts in
            their meta, as :class:`pipelines.retrieve.HybridRetriever` gives them.
        :param query_tokens: The question's tokens, as the question embedder gives them.
        :param top_k: Passages returned, in place of the component's own number.
        :raises PipelineError: When the question comes without tokens.
        :raises StoreError: When a passage has no token states.
        """
        self.warm_up()
        if not documents:
            return {"documents": []}
        if query_tokens is None:
            raise PipelineError(
                "the reranker 'late' needs the question's token states, which only the local "
                "embedder gives: set retrieval.reranker to auto or none"
            )
        assert self._late is not None  # noqa: S101
        assert self._scorer is not None  # noqa: S101
        question = self._late.question(query_tokens)
        comparison = compare(question, [tokens_of(document) for document in documents])
        parts = [document.meta.get(SCORES, {}) for document in documents]
        values = features(
            question,
            comparison,
            [part.get("bm25") for part in parts],
            [part.get("vector") for part in parts],
        )
        ranked = _ordered(documents, self._scorer(values).tolist(), "late")
        return {"documents": settle(query, ranked, self.close)[: top_k or self.top_k]}


@component
class CrossEncoderReranker:
    """Orders candidates by a sentence-transformers cross-encoder.

    :param model: Its path or id.
    :param top_k: Passages returned.
    :raises MissingExtraError: When sentence-transformers is not installed.
    """

    def __init__(self, model: str, *, top_k: int = 10) -> None:
        self.model = model
        self.top_k = top_k
        try:
            from haystack_integrations.components.rankers.sentence_transformers import (
                SentenceTransformersSimilarityRanker,
            )
        except ImportError:
            raise MissingExtraError("a cross-encoder", "rerank") from None
        self._ranker = SentenceTransformersSimilarityRanker(
            model=model, top_k=top_k, meta_fields_to_embed=["title", "headings"]
        )

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component."""
        data: dict[str, Any] = default_to_dict(self, model=self.model, top_k=self.top_k)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "CrossEncoderReranker":
        """Make a component of what :meth:`to_dict` returned."""
        reranker: CrossEncoderReranker = default_from_dict(cls, data)
        return reranker

    def warm_up(self) -> None:
        """Load the model.

        :raises PipelineError: When it is not a cross-encoder or cannot be reached.
        """
        try:
            self._ranker.warm_up()
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise PipelineError(f"cannot load the reranker {self.model}: {reason}") from None

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the best candidates, best first; ``meta["_scores"]["rerank"]`` is added.

        :param query: The question.
        :param documents: Candidates.
        :param top_k: Passages returned, in place of the component's own number.
        """
        self.warm_up()
        ranked = self._ranker.run(query=query, documents=documents, top_k=len(documents) or 1)
        found = ranked["documents"]
        scores = [float(document.score or 0.0) for document in found]
        return {"documents": _ordered(found, scores, "rerank")[: top_k or self.top_k]}


def tokens_of(document: Document) -> PassageTokens:
    """Return a passage's stored tokens.

    :raises StoreError: When it has none.
    """
    if document.blob is None or document.blob.mime_type != MIME:
        raise StoreError(
            "the index holds no token states for the reranker 'late': "
            "index anew with `expert index --rebuild PATH…`, or set retrieval.reranker to none"
        )
    return unpack(document.blob.data)


def _ordered(documents: list[Document], scores: list[float], part: str) -> list[Document]:
    scored = [
        replace(
            document,
            score=score,
            meta=document.meta | {SCORES: document.meta.get(SCORES, {}) | {part: score}},
        )
        for document, score in zip(documents, scores, strict=True)
    ]
    scored.sort(key=lambda document: -(document.score or 0.0))
    return scored
