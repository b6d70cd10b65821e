"""Embedders as Haystack components."""

from collections.abc import Sequence
from dataclasses import replace

from haystack import Document
from haystack.dataclasses import ByteStream

from pipelines.embed.embedder import Embedder, Progress
from pipelines.late_interaction import MIME, LateInteraction, late_interaction_for
from pipelines.split import passage_context


def passage_text(document: Document) -> str:
    """Return what of a passage is embedded: its context, then its content."""
    context, content = passage_context(document), document.content or ""
    return f"{context}\n{content}" if context else content


def embed_passages(
    embedder: Embedder,
    documents: Sequence[Document],
    progress: Progress | None = None,
    *,
    late: LateInteraction | None = None,
) -> list[Document]:
    """Return passages with their vectors, and their tokens where these can be compared.

    :param progress: Called with the passages embedded so far and their total.
    :param late: Projections of the tokens, in place of the shipped ones.
    """
    from threadpoolctl import threadpool_limits

    texts = [passage_text(document) for document in documents]
    late = late or late_interaction_for(embedder.fingerprint)
    if late is None or not embedder.has_token_states:
        vectors = embedder.embed_passages(texts, progress).vectors
        return [
            replace(document, embedding=vector.tolist())
            for document, vector in zip(documents, vectors, strict=True)
        ]
    embedded = list(documents)
    # The encoder has the processors: products on as many threads again would only wait for them.
    with threadpool_limits(1, user_api="blas"):
        for done, tokens in enumerate(embedder.embed_states(texts), 1):
            document, text = documents[tokens.index], texts[tokens.index]
            content = document.content or ""
            packed = late.pack(tokens, content, len(text) - len(content))
            embedded[tokens.index] = replace(
                document, embedding=tokens.vector.tolist(), blob=ByteStream(packed, mime_type=MIME)
            )
            if progress is not None:
                progress(done, len(texts))
    return embedded
