"""Embedders behind an API, by Haystack's own components."""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import numpy as np
from haystack import Document
from haystack.utils import Secret

from pipelines.embed.embedder import Floats, PassageEncodings, Progress, QueryEncoding, TokenStates
from pipelines.errors import EmbedderError, MissingExtraError

Provider = Literal["openai", "jina"]
_KEY_VARIABLES: dict[Provider, str] = {"openai": "OPENAI_API_KEY", "jina": "JINA_API_KEY"}
# These tell questions from passages; the older ones know no tasks.
_JINA_WITH_TASKS = re.compile(r"jina:jina-embeddings-v(?:[3-9]|\d\d)\b.*")
_BATCH = 64
_ATTEMPTS = 6
_TIMEOUT_S = 60.0
# Refusals that no second attempt changes.
_FINAL = ("api key", "unauthorized", "authentication", "balance", "not found", "invalid")


class ApiEmbedder:
    """An embedding model of OpenAI or Jina, or of a server that speaks their protocol.

    A request that is limited or fails on the server's side is sent again up to five times
    with growing pauses; OpenAI's own client also heeds ``Retry-After``.

    :param provider: Whose protocol it is.
    :param model: Such as ``text-embedding-3-small`` or ``jina-embeddings-v3``.
    :param api_key: The key; from the provider's usual variable by default.
    :param api_base_url: The server, in place of the provider's own.
    :param dimensions: Shorter vectors, where the model can.
    :raises EmbedderError: When there is no key.
    :raises MissingExtraError: When Jina's component is not installed.
    """

    has_token_states = False
    # What the models document: 8,191 (OpenAI) and 8,192 (Jina).
    max_tokens = 8191

    def __init__(
        self,
        provider: Provider,
        model: str,
        *,
        api_key: Secret | None = None,
        api_base_url: str | None = None,
        dimensions: int | None = None,
    ) -> None:
        variable = _KEY_VARIABLES[provider]
        api_key = api_key or Secret.from_env_var(variable, strict=False)
        if not api_key.resolve_value():
            raise EmbedderError(
                f"no key for {provider}: set EXPERT_EMBEDDER__API_KEY or {variable}"
            )
        self._name = f"{provider}:{model}"
        self._asked = dimensions
        self._found: int | None = dimensions
        self._component = _component(provider, model, api_key, api_base_url, dimensions)
        # The component logs a traceback before it raises; our error says it in one line.
        logging.getLogger("haystack.components.embedders").setLevel(logging.CRITICAL)

    @property
    def fingerprint(self) -> str:
        """Model and length; what the provider changes behind a name cannot be seen."""
        return f"{self._name}:{self._asked or 'full'}"

    @property
    def dimensions(self) -> int:
        """Length of a vector, found out by embedding a word when it was not given."""
        if self._found is None:
            self._found = len(self.embed_query("length").vector)
        return self._found

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Estimate the tokens of each text, at three characters each: more than there are."""
        return [len(text) // 3 + 1 if text else 0 for text in texts]

    def embed_query(self, text: str) -> QueryEncoding:
        """Embed a question.

        :raises EmbedderError: When the API cannot be reached or refuses.
        """
        return QueryEncoding(self._embed([text], "retrieval.query")[0])

    def embed_queries(self, texts: Sequence[str]) -> list[QueryEncoding]:
        """Embed many questions, many in a request, in order.

        :raises EmbedderError: When the API cannot be reached or refuses.
        """
        found: list[QueryEncoding] = []
        for start in range(0, len(texts), _BATCH):
            vectors = self._embed(texts[start : start + _BATCH], "retrieval.query")
            found += [QueryEncoding(vector) for vector in vectors]
        return found

    def embed_passages(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> PassageEncodings:
        """Embed passages, many in a request.

        :raises EmbedderError: When the API cannot be reached or refuses.
        """
        vectors = []
        for start in range(0, len(texts), _BATCH):
            vectors.append(self._embed(texts[start : start + _BATCH], "retrieval.passage"))
            if progress is not None:
                progress(min(start + _BATCH, len(texts)), len(texts))
        empty = np.empty((0, self._found or 0), dtype=np.float32)
        return PassageEncodings(np.concatenate(vectors) if vectors else empty, truncated=0)

    def embed_states(self, texts: Sequence[str]) -> Iterator[TokenStates]:
        """Refuse: an API gives vectors only.

        :raises EmbedderError: Always.
        """
        raise EmbedderError(f"{self._name} gives no token states: an API embeds whole texts only")

    def _embed(self, texts: Sequence[str], task: str) -> Floats:
        if _JINA_WITH_TASKS.fullmatch(self._name):
            self._component.task = task
        # An API refuses an empty text.
        documents = [Document(content=text or " ") for text in texts]
        for attempt in range(_ATTEMPTS):
            try:
                found: list[Document] = self._component.run(documents)["documents"]
                break
            except Exception as error:  # each client has exceptions of its own
                reason = _reason(error)
                if attempt == _ATTEMPTS - 1 or any(word in reason.lower() for word in _FINAL):
                    raise EmbedderError(f"{self._name} cannot embed: {reason}") from None
                time.sleep(0.5 * 2**attempt)
        if any(document.embedding is None for document in found):
            raise EmbedderError(f"{self._name} answered without vectors")
        vectors = np.array([document.embedding for document in found], dtype=np.float32)
        if self._found is not None and vectors.shape[1:] != (self._found,):
            raise EmbedderError(
                f"{self._name} gave vectors of {vectors.shape[-1]} numbers, not {self._found}"
            )
        self._found = vectors.shape[1]
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return cast(Floats, vectors / norms)


def _component(
    provider: Provider,
    model: str,
    api_key: Secret,
    api_base_url: str | None,
    dimensions: int | None,
) -> Any:
    if provider == "openai":
        from haystack.components.embedders import OpenAIDocumentEmbedder

        return OpenAIDocumentEmbedder(
            api_key=api_key,
            model=model,
            dimensions=dimensions,
            api_base_url=api_base_url,
            batch_size=_BATCH,
            progress_bar=False,
            timeout=_TIMEOUT_S,
            max_retries=2,
            raise_on_failure=True,
        )
    try:
        from haystack_integrations.components.embedders.jina import JinaDocumentEmbedder
    except ImportError:
        raise MissingExtraError("Jina's API", "jina") from None
    server: dict[str, Any] = {"base_url": api_base_url} if api_base_url else {}
    return JinaDocumentEmbedder(
        api_key=api_key,
        model=model,
        dimensions=dimensions,
        batch_size=_BATCH,
        progress_bar=False,
        **server,
    )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    # A client may quote the key it sent.
    return " ".join("***" if word.startswith(("sk-", "jina_")) else word for word in text.split())
