"""Open an embedder by its name in the settings."""

from haystack.utils import Secret

from pipelines.embed.embedder import Embedder


def open_embedder(
    name: str = "minilm",
    *,
    api_key: Secret | None = None,
    api_base_url: str | None = None,
    dimensions: int | None = None,
    threads: int | None = None,
) -> Embedder:
    """Return an embedder, its local model exported on first use.

    :param name: "minilm"; the folder or hub id of any sentence-transformers encoder;
        "openai:text-embedding-3-small" (or -large); "jina:MODEL" for Jina's API.
    :param threads: Threads for passages; the processors that may be used by default.
    :raises EmbedderError: When the model cannot be found, exported, loaded or reached.
    """
    from pipelines.embed.local import LocalEmbedder

    return LocalEmbedder(name, threads=threads)
