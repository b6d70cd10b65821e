"""Run an exported encoder: the Rust tokenizer and ONNX Runtime, no torch."""

import json
import os
import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import punctuation
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed.embedder import Floats, Integers, QueryEncoding, TokenStates
from pipelines.errors import EmbedderError

# Texts tokenised and sorted together: enough for batches of equal length, little memory.
_WINDOW = 4096
# Tokens of a batch, its padding included.
_BATCH_TOKENS = 2048
# Words whose token counts are kept, at some hundred bytes each.
_KNOWN_WORDS = 500_000
# Instruction sets whose int8 products cannot overflow, as Linux calls them.
_VNNI = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})

# ONNX Runtime 1.31 would fuse what export.fuse leaves apart, since it is faster so.
_SLOWER_FUSIONS = ["SkipLayerNormFusion", "BiasSkipLayerNormFusion"]


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """What an exported encoder's folder says of it (``encoder.json``).

    :param dimensions: Length of a text's vector.
    :param width: Length of a token's state.
    :param max_length: Tokens the model reads, special tokens included.
    :param pad_id: Token that fills up a batch.
    :param query_prompt: Put before a question.
    :param passage_prompt: Put before a passage.
    """

    dimensions: int
    width: int
    max_length: int
    pad_id: int
    query_prompt: str = ""
    passage_prompt: str = ""


@dataclass(frozen=True, slots=True)
class _Tokenised:
    """A text's tokens.

    :param tail: Special tokens at the end, kept when a text is truncated; None when it is not.
    """

    index: int
    ids: NDArray[np.int64]
    encoding: Any
    tail: int | None = None

    def offsets(self) -> Integers:
        """Return ``start, end`` of each token in the text, its prompt included."""
        offsets = np.asarray(self.encoding.offsets, dtype=np.int32).reshape(-1, 2)
        return offsets if self.tail is None else _cut(offsets, len(self.ids), self.tail)


class Encoder:
    """An encoder in a folder that :mod:`pipelines.embed.export` made.

    One session on one thread serves questions; passages run on several threads that share
    it, a batch each, which keeps the processors busier than splitting each batch does.

    :param folder: Has ``model.onnx``, ``tokenizer.json`` and ``encoder.json``.
    :param threads: Threads for passages; the processors that may be used by default.
    :raises EmbedderError: When the folder is not complete or cannot be loaded.
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        from tokenizers import Tokenizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        self._threads = threads or len(os.sched_getaffinity(0))
        try:
            self.facts = EncoderFacts(**json.loads((folder / "encoder.json").read_text("utf-8")))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = open_session(folder / "model.onnx", threads=1)
        except Exception as error:  # both libraries raise bare Exception
            raise EmbedderError(
                f"the exported encoder in {folder} is damaged: remove that folder and run again"
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._splits_at_words = isinstance(self._tokenizer.pre_tokenizer, BertPreTokenizer)
        self._word_tokens: dict[str, int] = {}
        self._specials = self._tokenizer.num_special_tokens_to_add(is_pair=False)

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read, special tokens and prompt not counted."""
        prompt = max(self._count([self.facts.passage_prompt, self.facts.query_prompt]))
        return self.facts.max_length - self._specials - prompt

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the length of each text in tokens, special tokens not counted.

        Where the tokenizer splits at blanks and punctuation first, as BERT's does, each
        distinct word is tokenised once, which is several times as fast.
        """
        if not self._splits_at_words:
            return self._count(texts)
        word = _bert_word()
        words = [word.findall(text) for text in texts]
        known = self._word_tokens
        new = list({word for found in words for word in found if word not in known})
        if len(known) + len(new) > _KNOWN_WORDS:
            known.clear()
            new = list({word for found in words for word in found})
        known.update(zip(new, self._count(new), strict=True))
        return [sum(map(known.__getitem__, found)) for found in words]

    def _count(self, texts: Sequence[str]) -> list[int]:
        counts: list[int] = []
        for start in range(0, len(texts), _WINDOW):
            window = list(texts[start : start + _WINDOW])
            encodings = self._tokenizer.encode_batch_fast(window, add_special_tokens=False)
            counts += [len(encoding) for encoding in encodings]
        return counts

    def encode(self, texts: Sequence[str], *, prompt: str = "") -> Floats:
        """Return the vectors of texts: float32 [n, dimensions], normalised, in order.

        :param prompt: Put before each text.
        """
        vectors = np.empty((len(texts), self.facts.dimensions), dtype=np.float32)
        for batch, outputs in self._passes(texts, prompt, ["embedding"]):
            vectors[[text.index for text in batch]] = outputs[0]
        return vectors

    def encode_states(self, texts: Sequence[str], *, prompt: str = "") -> Iterator[TokenStates]:
        """Yield each text's token states and vector from one pass.

        Not in order: see :attr:`TokenStates.index`. Memory is bounded however many texts
        there are, as long as the caller does not keep the states.

        :param prompt: Put before each text.
        """
        for batch, (vectors, states) in self._passes(texts, prompt, ["embedding", "token_states"]):
            for text, vector, of_tokens in zip(batch, vectors, states, strict=True):
                yield _token_states(text, of_tokens, vector, len(prompt))

    def encode_query(self, text: str) -> QueryEncoding:
        """Encode one question on this thread, its prompt put before it."""
        prompt = self.facts.query_prompt
        (tokenised,) = self._tokenise([text], prompt, 0)
        vectors, states = self._run([tokenised], ["embedding", "token_states"])
        tokens = _token_states(tokenised, states[0], vectors[0], len(prompt))
        return QueryEncoding(tokens.vector, tokens)

    def _passes(
        self, texts: Sequence[str], prompt: str, outputs: list[str]
    ) -> Iterator[tuple[list[_Tokenised], list[Floats]]]:
        if len(texts) == 1 or self._threads == 1:
            for batch in self._batches(texts, prompt):
                yield batch, self._run(batch, outputs)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            # One batch waits for each that runs; more would only take memory.
            waiting: deque[tuple[list[_Tokenised], Future[list[Floats]]]] = deque()
            try:
                for batch in self._batches(texts, prompt):
                    waiting.append((batch, pool.submit(self._run, batch, outputs)))
                    if len(waiting) > 2 * self._threads:
                        done, future = waiting.popleft()
                        yield done, future.result()
                while waiting:
                    done, future = waiting.popleft()
                    yield done, future.result()
            finally:
                for _, future in waiting:
                    future.cancel()

    def _batches(self, texts: Sequence[str], prompt: str) -> Iterator[list[_Tokenised]]:
        for start in range(0, len(texts), _WINDOW):
            window = self._tokenise(texts[start : start + _WINDOW], prompt, start)
            window.sort(key=lambda text: len(text.ids), reverse=True)
            at = 0
            while at < len(window):
                size = max(1, _BATCH_TOKENS // len(window[at].ids))
                yield window[at : at + size]
                at += size

    def _tokenise(self, texts: Iterable[str], prompt: str, start: int) -> list[_Tokenised]:
        encodings = self._tokenizer.encode_batch([prompt + text for text in texts])
        tokenised = []
        for index, encoding in enumerate(encodings, start):
            ids = np.asarray(encoding.ids, dtype=np.int64)
            tail = None
            if len(ids) > self.facts.max_length:
                mask = encoding.special_tokens_mask
                tail = next((i for i, special in enumerate(reversed(mask)) if not special), 0)
                ids = _cut(ids, self.facts.max_length, tail)
            tokenised.append(_Tokenised(index, ids, encoding, tail))
        return tokenised

    def _run(self, batch: Sequence[_Tokenised], outputs: list[str]) -> list[Floats]:
        longest = max(len(text.ids) for text in batch)
        ids = np.full((len(batch), longest), self.facts.pad_id, dtype=np.int64)
        mask = np.zeros((len(batch), longest), dtype=np.int64)
        for row, text in enumerate(batch):
            ids[row, : len(text.ids)] = text.ids
            mask[row, : len(text.ids)] = 1
        result: list[Floats] = self._session.run(
            outputs, {"input_ids": ids, "attention_mask": mask}
        )
        return result


def open_session(model: Path, *, threads: int) -> Any:
    """Return an ONNX Runtime session on the CPU.

    :param model: The graph.
    :param threads: Threads that share one run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    if not _adds_exactly():
        # The fast int8 kernels saturate there; these do not.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(
        str(model),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=_SLOWER_FUSIONS,
    )


@cache
def _adds_exactly() -> bool:
    """Return whether the processor adds up int8 products in 32 bits at once, as VNNI does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return not _VNNI.isdisjoint(flags)


@cache
def _bert_word() -> re.Pattern[str]:
    """Return what BERT's pre-tokenizer takes for a word: one punctuation mark, or none in it."""
    marks = "".join(
        re.escape(mark)
        for mark in map(chr, range(0x10000))
        if unicodedata.category(mark).startswith("P") or (mark.isascii() and mark in punctuation)
    )
    return re.compile(f"[^\\s{marks}]+|[{marks}]")


def _cut(values: NDArray[Any], length: int, tail: int) -> NDArray[Any]:
    """Shorten to a length, as the tokenizer's own truncation does: the last ``tail`` stay."""
    return np.concatenate([values[: length - tail], values[len(values) - tail :]])


def _token_states(text: _Tokenised, states: Floats, vector: Floats, prompt: int) -> TokenStates:
    offsets = text.offsets()
    token_ids = text.ids.astype(np.int32)
    states = states[: len(token_ids)]
    if prompt:
        special = offsets[:, 0] == offsets[:, 1]
        own = special | (offsets[:, 1] > prompt)
        offsets = np.where(special[:, None], 0, np.maximum(offsets - prompt, 0))[own]
        token_ids, states = token_ids[own], states[own]
    return TokenStates(text.index, token_ids, offsets, states, vector, text.tail is not None)
