"""Embedders as Haystack components."""

from collections.abc import Sequence

from haystack import Document

from pipelines.embed.embedder import Embedder, Progress
from pipelines.split import passage_context


def passage_text(document: Document) -> str:
    """Return what of a passage is embedded: its context, then its content."""
    context, content = passage_context(document), document.content or ""
    return f"{context}\n{content}" if context else content


def embed_passages(
    embedder: Embedder, documents: Sequence[Document], progress: Progress | None = None
) -> int:
    """Set the embedding of passages, in place.

    :param progress: Called with the passages embedded so far and their total.
    :returns: How many were longer than the model reads.
    """
    encodings = embedder.embed_passages([passage_text(d) for d in documents], progress)
    for document, vector in zip(documents, encodings.vectors, strict=True):
        document.embedding = vector.tolist()
    return encodings.truncated
