"""Ask a retrieval pipeline a question and read its answer as hits."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from haystack import Document, Pipeline

from pipelines.errors import PipelineDefinitionError
from pipelines.evidence import Evidence, EvidenceSelector, span_pairs

# Input sockets that take the question, whatever component they belong to.
_QUESTION_SOCKETS = ("query", "text", "question")


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found.

    :param passage: Its id.
    :param document: Path or table it stands in, relative to the indexed root.
    :param title: The document's title, or None.
    :param headings: Headings above the passage, outermost first, or None.
    :param page: Page or slide, from 1, or None.
    :param start: Offset of its first character in the document's extracted text.
    :param end: Offset after its last character.
    :param text: The passage, exactly as it stands there.
    :param score: What the hits are ordered by; comparable within one search only.
    :param bm25: Keyword score, or None where keywords did not find it.
    :param vector: Cosine of question and passage, or None where vectors did not find it.
    :param also_in: Other places of the same text: ``document``, ``page``, ``start``, ``end``.
    :param evidence: Stretches of the passage that answer best, as offsets in ``text``.
    :param meta: Everything else known of the passage.
    """

    passage: str
    document: str
    title: str | None
    headings: str | None
    page: int | None
    start: int
    end: int
    text: str
    score: float
    bm25: float | None
    vector: float | None
    also_in: tuple[Mapping[str, Any], ...]
    evidence: tuple[tuple[int, int], ...]
    meta: Mapping[str, Any]

    def headings_above(self, start: int) -> str | None:
        """Return the last heading of the passage above a place, or those above the passage.

        :param start: Offset of the place in ``text``.
        """
        inside = [(s, e) for s, e in span_pairs(self.meta.get("headings_at")) if e <= start]
        if not inside:
            return self.headings
        nearest = self.text[slice(*inside[-1])]
        # How deep it is nobody knows here, but that those above the passage may end with it.
        return self.headings if (self.headings or "").rpartition(" > ")[2] == nearest else nearest


@dataclass(frozen=True, slots=True)
class Found:
    """What a retrieval pipeline found.

    :param hits: Passages, best first.
    :param evidence: What of them an answer is to rest on.
    :param stages: Of each component that gave passages, its name and their ids, best first.
    """

    hits: list[Hit]
    evidence: list[Evidence]
    stages: tuple[tuple[str, tuple[str, ...]], ...] = ()


def search(
    pipeline: Pipeline,
    question: str,
    *,
    top_k: int | None = None,
    filters: dict[str, Any] | None = None,
) -> list[Hit]:
    """Run a retrieval pipeline and return its hits, best first; see :func:`retrieve`."""
    return retrieve(pipeline, question, top_k=top_k, filters=filters).hits


def retrieve(
    pipeline: Pipeline,
    question: str,
    *,
    top_k: int | None = None,
    filters: dict[str, Any] | None = None,
) -> Found:
    """Run a retrieval pipeline and return what it found.

    A pipeline that selects no evidence of its own has it selected from its documents.

    :param pipeline: The built-in pipeline or a user's own; see
        :mod:`pipelines.retrieval_pipeline`.
    :param question: The question, any text.
    :param top_k: Hits at most; None for what the pipeline gives.
    :param filters: Haystack filters on the passages' meta.
    :raises PipelineDefinitionError: When the pipeline gives no documents.
    """
    stages = _stages(pipeline)
    last = stages[-1]
    inputs: dict[str, dict[str, Any]] = {}
    for name, sockets in pipeline.inputs().items():
        given: dict[str, Any] = {s: question for s in _QUESTION_SOCKETS if s in sockets}
        if filters is not None and "filters" in sockets:
            given["filters"] = filters
        if top_k is not None and "top_k" in sockets:
            # Only the last stage may cut the list; earlier ones feed it candidates enough.
            own = getattr(pipeline.get_component(name), "top_k", None)
            if name == last or (isinstance(own, int) and own < top_k):
                given["top_k"] = top_k
        if given:
            inputs[name] = given
    outputs = pipeline.run(inputs, include_outputs_from=set(stages))
    documents: list[Document] = outputs[last]["documents"]
    spans = {
        id_: found for output in outputs.values() for id_, found in output.get("spans", {}).items()
    }
    selected = next(
        (output["evidence"] for output in outputs.values() if "evidence" in output), None
    )
    if selected is None:
        selected = EvidenceSelector().run(question, documents)["evidence"]
    hits = [_hit(document, spans.get(document.id, ())) for document in documents[:top_k]]
    passed = [(name, outputs[name]["documents"]) for name in stages if name in outputs]
    return Found(
        hits, selected, tuple((name, tuple(d.id for d in given)) for name, given in passed)
    )


def _stages(pipeline: Pipeline) -> list[str]:
    """Return the components that give documents; those of the last one are the result."""
    feeding: dict[str, set[str]] = {name: set() for name in pipeline.graph.nodes}
    for sender, receiver in pipeline.graph.edges():
        feeding[receiver].add(sender)
    stages = [
        name
        for name in TopologicalSorter(feeding).static_order()
        if "documents" in pipeline.graph.nodes[name]["output_sockets"]
    ]
    if not stages:
        raise PipelineDefinitionError("no component of the pipeline gives documents")
    return stages


def _hit(document: Document, evidence: Any) -> Hit:
    meta = dict(document.meta)
    scores = meta.pop("_scores", {})
    return Hit(
        passage=document.id,
        document=meta.pop("document", document.id),
        title=meta.pop("title", None),
        headings=meta.pop("headings", None),
        page=meta.pop("page", None),
        start=meta.pop("start", 0),
        end=meta.pop("end", len(document.content or "")),
        text=document.content or "",
        score=float(document.score or 0.0),
        bm25=scores.get("bm25"),
        vector=scores.get("vector"),
        also_in=tuple(meta.pop("_also_in", ())),
        evidence=tuple(tuple(span) for span in evidence),
        meta=meta | {"scores": scores},
    )
