"""Embedders that run on this machine, by an encoder exported to ONNX."""

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.embed.embedder import PassageEncodings, Progress, QueryEncoding, TokenStates
from pipelines.embed.encoder import Encoder
from pipelines.embed.export import RECIPE, Precision, export_encoder
from pipelines.embed.model_files import find_model


class LocalEmbedder:
    """An embedder by ONNX Runtime.

    :param name: "minilm", a model's folder or its hub id.
    :param precision: Arithmetic of the encoder: ``int8`` by default for minilm, else ``fp32``.
    :param threads: Threads for passages; the processors that may be used by default.
    :raises EmbedderError: When the model cannot be found, exported or loaded.
    """

    has_token_states = True

    def __init__(
        self,
        name: str = "minilm",
        *,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> None:
        model = find_model(name)
        # Of MiniLM it is measured that int8 keeps its retrieval (SQuAD: recall@1 .690 for
        # .693, MRR .782 for .783); of other models nothing is known.
        precision = precision or ("int8" if name == "minilm" else "fp32")
        self.encoder = Encoder(export_encoder(model, precision), threads=threads)
        # Mixing precisions was measured to cost little, but nothing needs it, and what a mix
        # of two ways of rounding costs is not known: they count as different.
        arithmetic = f"{precision}-{RECIPE}" if precision == "int8" else precision
        self.fingerprint = f"{model.name}@{model.digest[:16]}:{arithmetic}"
        self.dimensions = self.encoder.facts.dimensions
        self.max_tokens = self.encoder.max_tokens
        self._last: tuple[str, QueryEncoding] | None = None

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the length of each text in tokens, special tokens not counted."""
        return self.encoder.count_tokens(texts)

    def embed_query(self, text: str) -> QueryEncoding:
        """Embed a question on one thread: its vector and token states.

        The last question's are kept: a router and a retriever ask for the same.
        """
        if self._last is None or self._last[0] != text:
            self._last = (text, self.encoder.encode_query(text))
        return self._last[1]

    def embed_queries(self, texts: Sequence[str]) -> list[QueryEncoding]:
        """Embed many questions on all threads: their vectors and token states, in order."""
        found: list[QueryEncoding | None] = [None] * len(texts)
        for tokens in self.encoder.encode_states(texts, prompt=self.encoder.facts.query_prompt):
            found[tokens.index] = QueryEncoding(tokens.vector, tokens)
        return [encoding for encoding in found if encoding is not None]

    def embed_states(self, texts: Sequence[str]) -> Iterator[TokenStates]:
        """Yield each passage's token states and vector from one pass, not in order."""
        yield from self.encoder.encode_states(texts, prompt=self.encoder.facts.passage_prompt)

    def embed_passages(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> PassageEncodings:
        """Embed passages, sorted by length, on all threads."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        truncated = 0
        for done, tokens in enumerate(self.embed_states(texts), 1):
            vectors[tokens.index] = tokens.vector
            truncated += tokens.truncated
            if progress is not None:
                progress(done, len(texts))
        return PassageEncodings(vectors, truncated)
