"""Open an embedder by its name in the settings."""

from typing import cast

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
    :param api_key: Key of an API; from the provider's usual variable by default.
    :param api_base_url: Server of an API, in place of the provider's own.
    :param dimensions: Length of an API model's vectors, where it can be chosen.
    :param threads: Threads for passages; the processors that may be used by default.
    :raises EmbedderError: When the model cannot be found, exported, loaded or reached.
    """
    provider, _, model = name.partition(":")
    if provider in ("openai", "jina") and model:
        from pipelines.embed.api import ApiEmbedder, Provider

        return ApiEmbedder(
            cast(Provider, provider),
            model,
            api_key=api_key,
            api_base_url=api_base_url,
            dimensions=dimensions,
        )
    from pipelines.embed.local import LocalEmbedder

    return LocalEmbedder(name, threads=threads)
