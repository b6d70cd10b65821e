"""The retrieval pipeline: built from settings, written as YAML, or read from a user's YAML.

question → embedding → hybrid retrieval → reranker → evidence
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from haystack import Pipeline
from haystack.core.errors import PipelineError as HaystackPipelineError
from haystack.core.errors import SerializationError

from pipelines.errors import PipelineDefinitionError

if TYPE_CHECKING:
    from pipelines.stores import PassageStore

# What a user's YAML may load. A component can run code of its own, so modules that
# evaluate templates or call tools, and everything outside Haystack, stay out.
ALLOWED_MODULES = (
    "pipelines.embed.",
    "pipelines.retrieve.",
    "pipelines.rerank.",
    "pipelines.evidence.",
    "pipelines.stores.",
    "haystack.components.embedders.",
    "haystack.components.joiners.",
    "haystack.components.rankers.",
    "haystack.components.retrievers.",
    "haystack.document_stores.",
    "haystack.utils.",
    "haystack_integrations.components.embedders.",
    "haystack_integrations.components.rankers.",
    "haystack_integrations.components.retrievers.",
    "haystack_integrations.document_stores.",
)


def build(
    store: "PassageStore",
    question: Any,
    *,
    top_k: int = 10,
    candidates: int = 50,
    alpha: float = 0.7,
    reranker: Any | None = None,
) -> Pipeline:
    """Return the built-in pipeline.

    :param store: Where the passages are.
    :param question: Component that embeds the question.
    :param top_k: Passages returned.
    :param candidates: Passages taken from each of keyword and vector search.
    :param alpha: Weight of vector search in the fusion, from 0 to 1.
    :param reranker: Component that orders the candidates anew; None for the fused order.
    """
    from pipelines.evidence import EvidenceSelector
    from pipelines.retrieve import HybridRetriever

    pipeline = Pipeline()
    pipeline.add_component("question", question)
    # Without a reranker the retriever makes the final cut; with one it hands on all.
    cut = candidates * 2 if reranker is not None else top_k
    pipeline.add_component(
        "retriever", HybridRetriever(store, top_k=cut, candidates=candidates, alpha=alpha)
    )
    pipeline.connect("question.embedding", "retriever.query_embedding")
    last = "retriever"
    if reranker is not None:
        pipeline.add_component("reranker", reranker)
        pipeline.connect("retriever.documents", "reranker.documents")
        last = "reranker"
        if "query_tokens" in pipeline.inputs().get("reranker", {}):
            pipeline.connect("question.tokens", "reranker.query_tokens")
    pipeline.add_component("evidence", EvidenceSelector())
    pipeline.connect(f"{last}.documents", "evidence.documents")
    pipeline.connect("question.tokens", "evidence.query_tokens")
    return pipeline


def load(path: Path) -> Pipeline:
    """Read a user's pipeline from YAML.

    :param path: A pipeline as ``expert pipelines export`` writes it.
    :raises PipelineDefinitionError: When it is not valid or names a module that is not
        allowed; says which.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineDefinitionError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        raise PipelineDefinitionError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("components"), dict):
        raise PipelineDefinitionError(f"{path}: a pipeline has a mapping `components`")
    for place, name in _types(content):
        if not name.startswith(ALLOWED_MODULES):
            raise PipelineDefinitionError(f"{path}: {place}: {name} is not allowed in a pipeline")
    try:
        pipeline = Pipeline.from_dict(content, allowed_modules=["pipelines.*"])
    except (
        HaystackPipelineError,
        SerializationError,
        ValueError,
        TypeError,
        KeyError,
        ImportError,
    ) as error:
        raise PipelineDefinitionError(f"{path}: {' '.join(str(error).split())}") from None
    if not any(
        "documents" in node["output_sockets"] for _, node in pipeline.graph.nodes(data=True)
    ):
        raise PipelineDefinitionError(f"{path}: no component of the pipeline gives documents")
    return pipeline


def _types(content: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every class name in a pipeline's definition with its place."""
    if isinstance(content, dict):
        for key, value in content.items():
            inner = f"{place}.{key}" if place else str(key)
            if key == "type" and isinstance(value, str):
                # Secrets and devices carry a plain word here, not a class.
                if "." in value:
                    yield place, value
            else:
                yield from _types(value, inner)
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _types(value, f"{place}[{number}]")
