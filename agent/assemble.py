"""Put the pipelines' parts together as the workspace's settings say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.workspace import Workspace

if TYPE_CHECKING:
    from pipelines.embed import Embedder
    from pipelines.index import Indexer, Progress
    from pipelines.stores import PassageStore


def open_embedder(workspace: Workspace) -> "Embedder":
    """Return the embedder that the settings name.

    :raises EmbedderError: When it cannot be loaded or reached.
    """
    from haystack.utils import Secret

    from pipelines.embed import open_embedder as open_

    settings = workspace.settings.embedder
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return open_(
        settings.model,
        api_key=Secret.from_token(key) if key else None,
        api_base_url=settings.base_url,
        dimensions=settings.dimensions,
    )


def open_store(workspace: Workspace, *, read_only: bool = False) -> "PassageStore":
    """Return the store that the settings name.

    :param read_only: Promise not to write, so that a missing index is not created.
    :raises StoreError: When it cannot be opened or reached.
    """
    settings = workspace.settings
    if settings.store == "weaviate":
        from haystack.utils import Secret

        from pipelines.stores.weaviate import WeaviateStore

        key = settings.weaviate.api_key
        return WeaviateStore(
            url=settings.weaviate.url,
            grpc_port=settings.weaviate.grpc_port,
            api_key=Secret.from_token(key.get_secret_value()) if key else None,
            collection=settings.weaviate.collection,
        )
    from pipelines.stores.sqlite import SqliteDocumentStore

    return SqliteDocumentStore(workspace.index_folder / "passages.sqlite", read_only=read_only)


@contextmanager
def open_indexer(
    workspace: Workspace, progress: "Progress | None" = None, *, rebuild: bool = False
) -> Iterator["Indexer"]:
    """Give an indexer over the workspace's store; the caller holds the index lock.

    :param progress: Told how far indexing is.
    :param rebuild: Empty the index first.
    """
    from pipelines.catalog import Catalog
    from pipelines.index import Indexer

    settings = workspace.settings.index
    workspace.create()
    if rebuild:
        _empty(workspace)
    store = open_store(workspace)
    try:
        with Catalog(workspace.index_folder / "catalog.sqlite") as catalog:
            yield Indexer(
                catalog,
                store,
                open_embedder(workspace),
                max_tokens=settings.max_tokens,
                max_file_bytes=int(settings.max_file_mb * 1e6),
                exclude=settings.exclude,
                timeout_s=settings.timeout_s,
                memory_mb=settings.memory_mb,
                progress=progress,
            )
    finally:
        store.close()


def _empty(workspace: Workspace) -> None:
    # The catalogue goes first: with passages and no catalogue the next run starts anew.
    for file in workspace.index_folder.glob("*.sqlite*"):
        file.unlink()
    store = open_store(workspace)
    try:
        store.delete_all_documents()
    finally:
        store.close()
