"""Rows that are generated together: they join and leave between steps.

One thread drives a batch. Requests may be submitted and cancelled from any.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor

from adapters.decoder import Decoder
from adapters.errors import GenerationError, NotEnoughRoomError
from adapters.memory import free_memory
from adapters.prefixes import Prefixes
from adapters.sampling import Sampler, Sampling
from adapters.step import Run
from adapters.text_stream import TextStream, loops

Reason = Literal["stop", "length", "repetition", "cancelled"]
# Checking for loops takes as long as writing some hundredths of a token.
_LOOP_CHECK_EVERY = 16
# Asking how much memory is free takes longer than taking so little.
_UNCHECKED_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """A text to go on with.

    :param prompt: Its tokens.
    :param max_new_tokens: Tokens to write at most.
    :param stop: Strings that end the answer; they are not part of it.
    :param sampling: How tokens are chosen.
    :param on_text: Told each new piece of the answer, on the thread that generates.
    """

    prompt: Sequence[int]
    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """What a request came to.

    :param text: The answer.
    :param tokens: Its tokens, without the one that ended it.
    :param reason: Why it ended: the model or a stop string ended it; it reached the length
        allowed; it went round in circles; it was cancelled.
    :param prompt_tokens: Tokens of the prompt.
    :param cached_tokens: Those of them that had been read before.
    :param mean_log_probability: Of the tokens chosen, the end included; natural logarithm.
    :param first_log_probability: Of the first token.
    :param first_entropy: How undecided the model was about the first token, in nats.
    """

    text: str
    tokens: tuple[int, ...]
    reason: Reason
    prompt_tokens: int
    cached_tokens: int
    mean_log_probability: float
    first_log_probability: float
    first_entropy: float


class Row:
    """A request on its way; see :meth:`Batch.submit`."""

    def __init__(self, request: Request, most_new: int, tokenizer: Tokenizer) -> None:
        self.request = request
        self.generation: Generation | None = None
        self.error: Exception | None = None
        self.tokens = list(request.prompt)
        self.most_new = most_new
        self.sampler = Sampler(request.sampling)
        self.stream = TextStream(tokenizer, request.stop)
        self.slot = -1
        self.cached = 0
        self.long = False
        self.share = 0
        self.log_probabilities: list[float] = []
        self.first_entropy = math.nan
        self.cancelled = False

    @property
    def written(self) -> list[int]:
        """Tokens of the answer so far."""
        return self.tokens[len(self.request.prompt) :]

    def cancel(self) -> None:
        """Let it end at the next step."""
        self.cancelled = True


class Batch:
    """Generates rows together.

    :param decoder: The model.
    :param tokenizer: Decodes what it writes.
    :param end_tokens: Tokens that end an answer.
    :param most_rows: Rows at a time; further requests wait.
    :param most_read: Tokens of prompts read in one step, so that rows that are being written
        do not wait long for a newcomer.
    :param prefixes: Remembers what was read; None for nothing.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: Tokenizer,
        *,
        end_tokens: frozenset[int],
        most_rows: int = 16,
        most_read: int = 512,
        prefixes: Prefixes | None = None,
    ) -> None:
        self._decoder, self._tokenizer = decoder, tokenizer
        self._end_tokens = end_tokens
        self._most_rows, self._most_read = most_rows, most_read
        self._prefixes = prefixes
        self._cache = decoder.new_cache(most_rows)
        self._rows: list[Row] = []
        self._waiting: deque[Row] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not self._rows and not self._waiting

    def submit(self, request: Request) -> Row:
        """Let a request join as soon as there is room.

        :raises GenerationError: When its prompt is empty or too long for the model.
        """
        architecture = self._decoder.architecture
        context, length = architecture.context_length, len(request.prompt)
        if not length:
            raise GenerationError("the prompt is empty")
        if not 0 <= min(request.prompt) <= max(request.prompt) < architecture.vocabulary:
            raise GenerationError("the prompt has tokens that the model does not know")
        if request.max_new_tokens < 1:
            raise GenerationError("max_new_tokens must be 1 or more")
        if length >= context:
            raise GenerationError(
                f"the prompt has {length} tokens and the model reads {context}, its answer "
                "included: shorten the question or give it less evidence"
            )
        row = Row(request, min(request.max_new_tokens, context - length), self._tokenizer)
        self._waiting.append(row)
        return row

    def step(self) -> list[Row]:
        """Read and write one step of every row; return those that ended by it."""
        ended = [row for row in self._rows if row.cancelled]
        for row in ended:
            self._leave(row, "cancelled")
        while self._waiting and len(self._rows) < self._most_rows:
            row = self._waiting[0]
            if not row.cancelled and not self._fits(row):
                if self._rows:
                    break
                row.error = NotEnoughRoomError(
                    f"no memory for a text of {len(row.tokens) + row.most_new} tokens: "
                    "free some, or ask for less"
                )
            self._waiting.popleft()
            if row.cancelled or row.error is not None:
                row.generation = self._outcome(row, "cancelled")
                ended.append(row)
            else:
                self._join(row)
        if not self._rows:
            return ended
        runs, wanted = self._plan()
        logits = self._decoder.forward([run for _, run in runs], self._cache)
        ended += self._write([runs[i][0] for i in wanted], logits[wanted])
        return ended

    def clear(self) -> None:
        """Drop every row, as after an error in the middle of a step."""
        for row in (*self._rows, *self._waiting):
            row.generation = self._outcome(row, "cancelled")
        self._rows.clear()
        self._waiting.clear()
        self._cache.clear()

    def _fits(self, row: Row) -> bool:
        more = self._cache.more_bytes(len(row.tokens) + row.most_new)
        if more < _UNCHECKED_BYTES:
            return True
        free = free_memory(self._decoder.device.type)
        return free is None or more <= free

    def _join(self, row: Row) -> None:
        row.slot = self._cache.join(len(row.tokens) + row.most_new)
        self._rows.append(row)
        row.long = self._decoder.rotary.is_long(len(row.tokens))
        if self._prefixes is not None:
            found, length = self._prefixes.longest(row.tokens, _family(row))
            row.share = self._prefixes.worth_keeping(row.tokens, _family(row))
            if found is not None:
                self._cache.copy_in(row.slot, found.kept, length)
                row.cached = length

    def _plan(self) -> tuple[list[tuple[Row, Run]], list[int]]:
        """Return what each row reads in this step, and which of them write a token then."""
        runs: list[tuple[Row, Run]] = []
        wanted = []
        room = self._most_read
        for row in self._rows:
            if self._decoder.rotary.is_long(len(row.tokens)) != row.long:
                # Beyond this length positions are rotated otherwise: what was read is void.
                row.long = not row.long
                self._cache.lengths[row.slot] = 0
            read = self._cache.lengths[row.slot]
            unread = len(row.tokens) - read
            count = 1 if unread == 1 else min(unread, room)
            if not count:
                continue
            room -= count if unread > 1 else 0
            tokens = row.tokens[read : read + count]
            if count == unread:
                wanted.append(len(runs))
            runs.append((row, Run(row.slot, tokens, len(row.tokens))))
        return runs, wanted

    def _write(self, rows: Sequence[Row], logits: Tensor) -> list[Row]:
        """Choose the next token of each row; return the rows that end with it."""
        if not rows:
            return []
        totals = torch.logsumexp(logits, dim=-1)
        tokens: list[int] = logits.argmax(dim=-1).tolist()
        for i, row in enumerate(rows):
            if not row.sampler.is_greedy:
                tokens[i] = row.sampler.choose(logits[i], row.tokens)
        chosen = torch.tensor(tokens, device=logits.device)[:, None]
        likely = (logits.gather(1, chosen)[:, 0] - totals).tolist()
        ended = []
        for i, row in enumerate(rows):
            if not row.log_probabilities:
                row.first_entropy = _entropy(logits[i], totals[i])
                self._remember(row, row.share)
            row.log_probabilities.append(likely[i])
            reason = self._take(row, tokens[i])
            self._show(row, ended=reason is not None)
            if reason is not None or row.error is not None:
                self._leave(row, reason or "cancelled")
                ended.append(row)
        return ended

    def _take(self, row: Row, token: int) -> Reason | None:
        """Add a token to a row; return why the row ends, or None."""
        if token in self._end_tokens:
            return "stop"
        row.tokens.append(token)
        row.stream.add(token)
        count = len(row.tokens) - len(row.request.prompt)
        if row.stream.stopped:
            return "stop"
        if count >= row.most_new:
            return "length"
        if count % _LOOP_CHECK_EVERY == 0 and loops(row.written):
            return "repetition"
        return None

    def _show(self, row: Row, *, ended: bool) -> None:
        tell = row.request.on_text
        if tell is None:
            return
        piece = row.stream.new_text(ended=ended)
        if not piece:
            return
        try:
            tell(piece)
        except Exception as error:
            # Whoever listens to one row must not end the others.
            row.error = error

    def _leave(self, row: Row, reason: Reason) -> None:
        if len(self._rows) == 1 and row.log_probabilities:
            # Alone, as in a chat: its next turn begins with all of this one.
            self._remember(row, self._cache.lengths[row.slot])
        row.generation = self._outcome(row, reason)
        self._rows.remove(row)
        moved = self._cache.leave(row.slot)
        for other in self._rows:
            if other.slot == moved:
                other.slot = row.slot
                break

    def _remember(self, row: Row, length: int) -> None:
        if self._prefixes is not None and length:
            kept = self._cache.copy_out(row.slot, length)
            self._prefixes.keep(row.tokens[:length], kept, _family(row))

    def _outcome(self, row: Row, reason: Reason) -> Generation:
        likely = row.log_probabilities
        return Generation(
            text=row.stream.text,
            tokens=tuple(row.written),
            reason=reason,
            prompt_tokens=len(row.request.prompt),
            cached_tokens=row.cached,
            mean_log_probability=sum(likely) / len(likely) if likely else math.nan,
            first_log_probability=likely[0] if likely else math.nan,
            first_entropy=row.first_entropy,
        )


def _family(row: Row) -> str:
    return "long" if row.long else "short"


def _entropy(logits: Tensor, total: Tensor) -> float:
    logged = logits - total
    return float(-(logged.exp() * logged).sum())
