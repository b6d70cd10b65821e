"""Late interaction: compare a question with passages token by token, after the fact.

The encoder's states of a passage's tokens are projected to a few dimensions, stored as
small integers beside the passage, and compared with the question's when it comes: each
word of the question looks for its best counterpart (MaxSim; Khattab and Zaharia, ColBERT,
2020), weighted by how much that word matters. The encoder stays as it is; the
projections and word weights are learned (``weights/late_interaction.md``).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed.embedder import TokenStates
from pipelines.errors import PipelineError, StoreError
from pipelines.sentences import sentence_spans

Floats = NDArray[np.float32]

MIME = "application/vnd.phi-expert.token-states"
"""Type of a passage's blob with its token vectors."""

WEIGHTS = Path(__file__).parent / "weights" / "late_interaction.safetensors"

SCALE = 127.0
"""What a unit vector's components are stored times, so that they fit a signed byte."""
_MAGIC = b"PXT1"
_HEADER = struct.Struct("<4sHHH")
_SENTENCE = np.dtype([("token", "<u2"), ("start", "<u4"), ("end", "<u4")])


@dataclass(frozen=True, slots=True)
class QuestionTokens:
    """A question, ready to be compared.

    :param vectors: float32 [t, d], normalised.
    :param weights: float32 [t], adding up to 1: how much each token matters.
    :param token_ids: int32 [t].
    """

    vectors: Floats
    weights: Floats
    token_ids: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PassageTokens:
    """A passage's stored tokens, its context (title, headings) first.

    :param vectors: int8 [t, d].
    :param token_ids: uint16 [t].
    :param sentences: Where each sentence of the content begins among the tokens (``token``)
        and stands in the content (``start``, ``end``); a sentence without a token is left out.
    """

    vectors: NDArray[np.int8]
    token_ids: NDArray[np.uint16]
    sentences: NDArray[Any]


class LateInteraction:
    """The learned projections and everything that is computed with them.

    :param weights: A safetensors file as ``benchmarks/train_reranker.py`` writes it.
    :raises PipelineError: When the file is missing or damaged.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        from safetensors import safe_open
        from safetensors.numpy import load_file

        try:
            self.arrays: dict[str, NDArray[Any]] = load_file(weights)
            with safe_open(weights, "numpy") as file:
                self.encoder: str = file.metadata()["encoder"]
            self._question = self.arrays["question.projection"]
            self._passage = self.arrays["passage.projection"]
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise PipelineError(
                f"the reranker's weights {weights} cannot be read: {error}"
            ) from None
        except Exception as error:  # safetensors raises an exception class of its own
            raise PipelineError(f"the reranker's weights {weights} are damaged: {error}") from None

    def fits(self, fingerprint: str) -> bool:
        """Say whether the weights were trained on this embedder's token states.

        :param fingerprint: As :class:`pipelines.embed.embedder.Embedder` gives it.
        """
        return fingerprint.split(":", 1)[0] == self.encoder

    def question(self, tokens: TokenStates) -> QuestionTokens:
        """Project a question's tokens, special ones included: they carry its kind."""
        states = tokens.states
        vectors = states @ self._question + self.arrays["question.bias"]
        logits = states @ self.arrays["question.weight"] + self.arrays["question.weight_bias"]
        weights = np.exp(logits - logits.max())
        return QuestionTokens(
            _normalised(vectors), weights / weights.sum(), tokens.token_ids.astype(np.int32)
        )

    def pack(self, tokens: TokenStates, content: str, content_start: int) -> bytes:
        """Return a passage's tokens as they are stored.

        :param tokens: States of the text that was embedded: the context, then the content.
        :param content: The passage's content.
        :param content_start: Where the content begins in the text that was embedded.
        """
        kept = tokens.offsets[:, 1] > tokens.offsets[:, 0]
        vectors = _normalised(tokens.states[kept] @ self._passage + self.arrays["passage.bias"])
        starts = tokens.offsets[kept, 0].astype(np.int64) - content_start
        spans = np.asarray(sentence_spans(content), dtype=np.int64).reshape(-1, 2)
        first = np.searchsorted(starts, spans[:, 0], side="left") if len(spans) else spans[:, 0]
        ends = np.append(first[1:], len(starts))
        # What the encoder could not read has no tokens.
        has_tokens = first < ends
        sentences = np.zeros(int(has_tokens.sum()), dtype=_SENTENCE)
        sentences["token"] = first[has_tokens]
        sentences["start"], sentences["end"] = spans[has_tokens, 0], spans[has_tokens, 1]
        small = np.clip(np.rint(vectors * SCALE), -127, 127).astype(np.int8)
        ids = tokens.token_ids[kept].astype("<u2")
        header = _HEADER.pack(_MAGIC, len(ids), small.shape[1], len(sentences))
        return b"".join([header, ids.tobytes(), sentences.tobytes(), small.tobytes()])


def unpack(blob: bytes) -> PassageTokens:
    """Return the tokens that :meth:`LateInteraction.pack` stored; nothing is copied.

    :raises StoreError: When the bytes are something else.
    """
    try:
        magic, count, width, sentences = _HEADER.unpack_from(blob)
        at = _HEADER.size
        if magic != _MAGIC or len(blob) != (
            at + 2 * count + _SENTENCE.itemsize * sentences + count * width
        ):
            raise ValueError
    except (struct.error, ValueError):
        raise StoreError(
            "a passage's token states cannot be read: "
            "index anew with `expert index --rebuild PATH…`"
        ) from None
    ids = np.frombuffer(blob, "<u2", count, at)
    at += 2 * count
    spans = np.frombuffer(blob, _SENTENCE, sentences, at)
    at += _SENTENCE.itemsize * sentences
    vectors = np.frombuffer(blob, np.int8, count * width, at).reshape(count, width)
    return PassageTokens(vectors, ids, spans)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a question's tokens fare in passages and in their parts.

    A part is a sentence, or the context before the first one.

    :param best: float32 [n, t]: best similarity of each question token in each passage.
    :param held: bool [n, t]: the very token stands in the passage.
    :param context: float32 [n, t]: best similarity in the passage's context; 0 without one.
    :param parts: float32 [p, t]: the same for each part, the context of its passage with it.
    :param first: int [n]: number of each passage's first part.
    :param has_context: bool [n]: the first part is the context.
    :param lengths: int [n]: tokens of each passage.
    """

    best: Floats
    held: NDArray[np.bool_]
    context: Floats
    parts: Floats
    first: NDArray[np.int64]
    has_context: NDArray[np.bool_]
    lengths: NDArray[np.int64]


def compare(question: QuestionTokens, passages: Sequence[PassageTokens]) -> Comparison:
    """Compare a question with passages, each of at least one token."""
    lengths = np.array([len(passage.token_ids) for passage in passages], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    starts: list[NDArray[np.int64]] = []
    has_context = np.zeros(len(passages), dtype=bool)
    for number, (passage, offset) in enumerate(zip(passages, offsets, strict=True)):
        at = passage.sentences["token"].astype(np.int64)
        has_context[number] = not len(at) or at[0] > 0
        starts.append(offset + (np.concatenate([[0], at]) if has_context[number] else at))
    first = np.concatenate([[0], np.cumsum([len(part) for part in starts])[:-1]]).astype(np.int64)
    vectors = np.concatenate([passage.vectors for passage in passages]).astype(np.float32)
    ids = np.concatenate([passage.token_ids for passage in passages])
    similarity = vectors @ (question.vectors.T / SCALE)
    parts = np.maximum.reduceat(similarity, np.concatenate(starts), axis=0)
    best = np.maximum.reduceat(parts, first, axis=0)
    held = np.logical_or.reduceat(ids[:, None] == question.token_ids[None, :], offsets, axis=0)
    context = np.where(has_context[:, None], parts[first], np.float32(0))
    owner = np.repeat(np.arange(len(passages)), [len(part) for part in starts])
    return Comparison(
        best, held, context, np.maximum(parts, context[owner]), first, has_context, lengths
    )


def _normalised(vectors: Floats) -> Floats:
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    result: Floats = (vectors / norms).astype(np.float32)
    return result


@cache
def load_late_interaction() -> LateInteraction:
    """Return the shipped projections, loaded once."""
    return LateInteraction()


def late_interaction_for(fingerprint: str) -> LateInteraction | None:
    """Return the shipped projections if they were trained on this embedder's states.

    :param fingerprint: As :class:`pipelines.embed.embedder.Embedder` gives it.
    """
    late = load_late_interaction()
    return late if late.fits(fingerprint) else None
