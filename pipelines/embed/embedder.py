"""What an embedding model gives: vectors, and for local models the states of every token."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Progress = Callable[[int, int], None]
"""Called with the passages embedded so far and their total."""


@dataclass(frozen=True, slots=True)
class TokenStates:
    """One text as the encoder sees it after two thirds of its layers.

    :param index: Position of the text in the sequence that was given.
    :param token_ids: int32 [t]; special tokens included, those of a prompt left out.
    :param offsets: int32 [t, 2]: characters ``start, end`` in the text of each token; the
        two are equal for special tokens.
    :param states: float32 [t, width]: hidden states, neither projected nor normalised.
    :param vector: float32 [dimensions]: the text's pooled and normalised vector.
    :param truncated: The text was longer than the model reads; its end is not in here.
    """

    index: int
    token_ids: Integers
    offsets: Integers
    states: Floats
    vector: Floats
    truncated: bool


@dataclass(frozen=True, slots=True)
class QueryEncoding:
    """A question's vector.

    :param vector: float32 [dimensions], normalised.
    :param tokens: The states of its tokens from the same pass; None for API models.
    """

    vector: Floats
    tokens: TokenStates | None = None


@dataclass(frozen=True, slots=True)
class PassageEncodings:
    """Vectors of passages, in the order in which they were given.

    :param vectors: float32 [n, dimensions], normalised.
    :param truncated: How many passages were longer than the model reads.
    """

    vectors: Floats
    truncated: int


class Embedder(Protocol):
    """A model that turns questions and passages into comparable vectors."""

    @property
    def fingerprint(self) -> str:
        """What an index records: vectors of equal fingerprints are comparable."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that the model reads, special tokens not counted."""

    @property
    def has_token_states(self) -> bool:
        """Whether :meth:`embed_states` is there: True for local models."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the length of each text in tokens, special tokens not counted."""

    def embed_query(self, text: str) -> QueryEncoding:
        """Embed a question.

        :raises EmbedderError: When an API cannot be reached or refuses.
        """

    def embed_queries(self, texts: Sequence[str]) -> list[QueryEncoding]:
        """Embed many questions, in order; their token states are kept in memory.

        :raises EmbedderError: When an API cannot be reached or refuses.
        """

    def embed_passages(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> PassageEncodings:
        """Embed passages.

        :param texts: Any number; memory beyond the result is bounded.
        :param progress: Called after each batch.
        :raises EmbedderError: When an API cannot be reached or refuses.
        """

    def embed_states(self, texts: Sequence[str]) -> Iterator[TokenStates]:
        """Yield each passage's token states and vector from one pass, not in order.

        :raises EmbedderError: When the model gives no token states.
        """
