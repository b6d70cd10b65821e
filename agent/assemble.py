"""Put the pipelines' parts together as the workspace's settings say."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from agent.workspace import Workspace

if TYPE_CHECKING:
    from haystack import Pipeline
    from haystack.utils import Secret

    from pipelines.answer import Answerer
    from pipelines.embed import Embedder
    from pipelines.generators import PhiChatGenerator
    from pipelines.index import Indexer
    from pipelines.index_report import Progress
    from pipelines.stores import PassageStore


def open_embedder(workspace: Workspace) -> "Embedder":
    """Return the embedder that the settings name.

    :raises EmbedderError: When it cannot be loaded or reached.
    """
    from pipelines.embed import open_embedder as open_

    return open_(workspace.settings.embedder.model, **_embedder_options(workspace))


def _embedder_options(workspace: Workspace) -> dict[str, Any]:
    """Return how the settings' embedder is reached, whoever opens it."""
    settings = workspace.settings.embedder
    return {
        "api_key": _secret("EXPERT_EMBEDDER__API_KEY", settings.api_key),
        "api_base_url": settings.base_url,
        "dimensions": settings.dimensions,
    }


def _secret(variable: str, value: SecretStr | None) -> "Secret | None":
    """Return a secret that a pipeline's YAML names by its variable and never spells out."""
    from agent.settings_secret import SettingsSecret

    return None if value is None else SettingsSecret((variable,), value=value)


def open_store(workspace: Workspace, *, read_only: bool = False) -> "PassageStore":
    """Return the store that the settings name.

    :param read_only: Promise not to write, so that a missing index is not created.
    :raises StoreError: When it cannot be opened or reached.
    """
    settings = workspace.settings
    if settings.store == "weaviate":
        from pipelines.stores.weaviate import WeaviateStore

        return WeaviateStore(
            url=settings.weaviate.url,
            collection=settings.weaviate.collection,
            grpc_port=settings.weaviate.grpc_port,
            api_key=_secret("EXPERT_WEAVIATE__API_KEY", settings.weaviate.api_key),
        )
    from pipelines.stores.sqlite import SqliteDocumentStore

    return SqliteDocumentStore(workspace.index_folder / "passages.sqlite", read_only=read_only)


@contextmanager
def open_indexer(
    workspace: Workspace, progress: "Progress | None" = None, *, rebuild: bool = False
) -> Iterator["Indexer"]:
    """Give an indexer over the workspace's store; the caller holds the index lock.

    :param progress: Told how far indexing is.
    :param rebuild: Empty the index first, once the embedder is open and the store reached.
    """
    from pipelines.catalog import Catalog
    from pipelines.index import Indexer

    settings = workspace.settings.index
    workspace.create()
    embedder = open_embedder(workspace)
    if rebuild:
        _empty(workspace)
    store = open_store(workspace)
    try:
        with Catalog(workspace.index_folder / "catalog.sqlite") as catalog:
            yield Indexer(
                catalog,
                store,
                embedder,
                max_tokens=settings.max_tokens,
                max_file_bytes=int(settings.max_file_mb * 1e6),
                exclude=(*settings.exclude, *workspace.own_folders),
                timeout_s=settings.timeout_s,
                memory_mb=settings.memory_mb,
                progress=progress,
            )
    finally:
        store.close()


def _empty(workspace: Workspace) -> None:
    from pipelines.errors import StoreError

    is_file = workspace.settings.store != "weaviate"
    if not is_file:
        # Nothing is lost when the server cannot be reached.
        with closing(open_store(workspace)) as store:
            store.count_documents()
    # The catalogue goes first: with passages and no catalogue the next run starts anew.
    for file in workspace.index_folder.glob("catalog.sqlite*"):
        file.unlink()
    # In place where it can be: who has the file open would go on answering from a deleted one.
    try:
        _delete_passages(workspace)
    except StoreError:
        if not is_file:
            raise
        for file in workspace.index_folder.glob("passages.sqlite*"):
            file.unlink()
        _delete_passages(workspace)


def _delete_passages(workspace: Workspace) -> None:
    with closing(open_store(workspace)) as store:
        store.delete_all_documents()


@contextmanager
def open_pipeline(workspace: Workspace) -> Iterator["Pipeline"]:
    """Give the retrieval pipeline that the settings describe, over the workspace's index.

    :raises WorkspaceError: When nothing is indexed.
    :raises EmbedderMismatchError: When the index was made with another embedder.
    :raises PipelineDefinitionError: When the user's own pipeline is not valid.
    """
    from pipelines.embed.question import QuestionEmbedder
    from pipelines.index import check_embedder
    from pipelines.rerank import open_reranker
    from pipelines.retrieval_pipeline import build, load

    settings = workspace.settings
    if settings.retrieval.pipeline is not None:
        yield load(settings.retrieval.pipeline)
        return
    workspace.require_index()
    store = open_store(workspace, read_only=True)
    try:
        question = QuestionEmbedder(settings.embedder.model, **_embedder_options(workspace))
        fingerprint = question.embedder.fingerprint
        check_embedder(store, fingerprint)
        top_k = settings.retrieval.top_k
        reranker = open_reranker(settings.retrieval.reranker, fingerprint=fingerprint, top_k=top_k)
        yield build(
            store,
            question,
            top_k=top_k,
            candidates=max(settings.retrieval.candidates, top_k),
            alpha=settings.retrieval.alpha,
            reranker=reranker,
        )
    finally:
        store.close()


@contextmanager
def open_answerer(workspace: Workspace, name: str | None = None) -> Iterator["Answerer"]:
    """Give the answerer that a caller or the settings choose.

    :param name: ``quote`` or ``phi3``; None for what the settings say.
    :raises ModelError: When the language model cannot be loaded.
    """
    from agent.answerers import chosen_answerer

    name = name or chosen_answerer(workspace).name
    if name == "quote":
        from pipelines.quote import QuoteAnswerer

        yield QuoteAnswerer(threshold=workspace.settings.answer.threshold)
        return
    from pipelines.phi3 import Phi3Answerer

    settings = workspace.settings.answer
    yield Phi3Answerer(open_generator(workspace), threshold=settings.threshold, nli=settings.nli)


def open_generator(workspace: Workspace, precision: str | None = None) -> "PhiChatGenerator":
    """Return a generator of the language model and the adapters that the workspace has.

    :param precision: How the model's weights are kept where the settings leave it open.
    """
    from pipelines.generators import PhiChatGenerator

    settings = workspace.settings.model
    return PhiChatGenerator(
        settings.name,
        precision=precision if precision and settings.precision == "auto" else settings.precision,
        device=settings.device,
        max_new_tokens=settings.max_new_tokens,
        adapters=str(workspace.adapters_folder),
    )
