"""Rows that are generated together: they join and leave between steps.

One thread drives a batch. Requests may be submitted and cancelled from any.

A row that fails, by whatever its adapter, its grammar, its listener or the machine does,
ends alone: the others' tokens are those that they would be without it.
"""

from collections import deque
from collections.abc import Mapping, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from adapters.decoder import Decoder
from adapters.errors import GenerationError, NotEnoughRoomError
from adapters.grammar import Grammars
from adapters.lora import settle_threads
from adapters.memory import free_memory
from adapters.prefixes import LEAST_TOKENS, Prefixes
from adapters.rows import Generation, Reason, Request, Row
from adapters.step import Run

__all__ = ["Batch", "Generation", "Reason", "Request", "Row"]

# Asking how much memory is free takes longer than taking so little.
_UNCHECKED_BYTES = 32_000_000
# Stands for what is impossible where its product with a probability of 0 is wanted.
_LEAST = -1e30


class Batch:
    """Generates rows together.

    :param decoder: The model.
    :param tokenizer: Decodes what it writes.
    :param end_tokens: Tokens that end an answer.
    :param bias: What is added to the logits of tokens.
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
        bias: Mapping[int, float] | None = None,
        most_rows: int = 16,
        most_read: int = 512,
        prefixes: Prefixes | None = None,
    ) -> None:
        self._decoder, self._tokenizer = decoder, tokenizer
        self._end_tokens = end_tokens
        self._bias = dict(bias or {})
        self._most_rows, self._most_read = most_rows, most_read
        self._prefixes = prefixes
        self._grammars = Grammars(tokenizer, decoder.architecture.vocabulary, end_tokens)
        self._cache = decoder.new_cache(most_rows)
        self._rows: list[Row] = []
        self._waiting: deque[Row] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not self._rows and not self._waiting

    def submit(self, request: Request) -> Row:
        """Let a request join as soon as there is room.

        :raises GenerationError: See :meth:`prepare`.
        """
        row = self.prepare(request)
        self.add(row)
        return row

    def add(self, row: Row) -> None:
        """Let a row that was prepared join as soon as there is room."""
        self._waiting.append(row)

    def prepare(self, request: Request) -> Row:
        """Return a row that is not to join yet; may be called from any thread.

        :raises GenerationError: When its prompt is empty or too long for the model, or its
            grammar does not go with the model.
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
        constraint = None if request.grammar is None else self._grammars.begin(request.grammar)
        most_new = min(request.max_new_tokens, context - length)
        return Row(request, most_new, self._tokenizer, constraint)

    def step(self) -> list[Row]:
        """Read and write one step of every row; return those that ended by it."""
        settle_threads()
        ended = self._end_cancelled()
        self._admit(ended)
        if not self._rows:
            return ended
        runs, wanted = self._plan()
        logits = self._read(runs)
        logged = logits.log_softmax(dim=-1)
        likeliest, tokens = logged.max(dim=-1)
        for (row, _), sound in zip(runs, likeliest.isfinite().tolist(), strict=True):
            if not sound:
                row.fail_by_numbers()
        writing = [i for i in wanted if runs[i][0].error is None]
        if writing:
            written = [runs[i][0] for i in writing]
            self._write(written, logits[writing], logged[writing], tokens[writing].tolist())
        over = [row for row in self._rows if row.error is not None or row.reason is not None]
        for row in over:
            self._leave(row)
        return ended + over

    def clear(self) -> None:
        """Drop every row, as after an error in the middle of a step."""
        for row in (*self._rows, *self._waiting):
            row.end()
        self._rows.clear()
        self._waiting.clear()
        self._cache.clear()

    def _end_cancelled(self) -> list[Row]:
        """End the rows that are cancelled, also those that wait behind one that finds no room."""
        ended = [row for row in self._rows if row.cancelled]
        for row in ended:
            self._leave(row)
        # A copy, since other threads may add to them.
        for row in [row for row in tuple(self._waiting) if row.cancelled]:
            self._waiting.remove(row)
            row.end()
            ended.append(row)
        return ended

    def _admit(self, ended: list[Row]) -> None:
        """Let rows that wait join; add those that never can to those that ended."""
        while self._waiting and len(self._rows) < self._most_rows:
            row = self._waiting[0]
            found = self._finds_room(row)
            if not found and self._cache.rows:
                return
            self._waiting.popleft()
            if found:
                continue
            # Without memory for growing and none for the way back, what was read is lost:
            # those that it was of are read anew.
            self._waiting.extendleft(reversed(self._rows))
            self._rows.clear()
            row.fail(
                NotEnoughRoomError(
                    f"no memory for a text of {_whole(row)} tokens: free some, or ask for less"
                )
            )
            row.end()
            ended.append(row)

    def _finds_room(self, row: Row) -> bool:
        """Let a row join; tell whether there was memory for it."""
        if self._fits(row) and self._join(row):
            return True
        if self._rows:
            return False
        # An empty cache keeps room for several rows, and each would become as long as this one.
        self._cache.clear()
        return self._fits(row) and self._join(row)

    def _fits(self, row: Row) -> bool:
        more = self._cache.more_bytes(_whole(row))
        if more < _UNCHECKED_BYTES:
            return True
        free = free_memory(self._decoder.device.type)
        return free is None or more <= free

    def _join(self, row: Row) -> bool:
        """Give a row its place; tell whether there was memory for it."""
        try:
            row.slot = self._cache.join(_whole(row))
        except (MemoryError, RuntimeError):  # torch's own when memory is short
            return False
        self._rows.append(row)
        row.long = self._decoder.rotary.is_long(len(row.tokens))
        if self._prefixes is not None:
            found, length = self._prefixes.longest(row.tokens, row.family)
            row.share = self._prefixes.worth_keeping(row.tokens, row.family)
            if found is not None:
                self._cache.copy_in(row.slot, found.kept, length)
                row.cached = length
        return True

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
            runs.append((row, Run(row.slot, tokens, len(row.tokens), row.request.adapter)))
        return runs, wanted

    def _read(self, runs: Sequence[tuple[Row, Run]]) -> Tensor:
        """Return the logits after each run; NaN after those that fail."""
        try:
            with torch.inference_mode():
                logits = self._decoder.forward([run for _, run in runs], self._cache)
                for token, added in self._bias.items():
                    logits[:, token] += added
                return logits
        except Exception as error:  # whatever a layer, an adapter or the machine raises
            if len(runs) == 1:
                runs[0][0].fail(error)
                vocabulary = self._decoder.architecture.vocabulary
                return torch.full((1, vocabulary), float("nan"), device=self._decoder.device)
        # By halves, so that the rows at fault are found, and take the others' memory no more.
        half = len(runs) // 2
        return torch.cat([self._read(runs[:half]), self._read(runs[half:])])

    @torch.inference_mode()
    def _write(
        self, rows: Sequence[Row], logits: Tensor, logged: Tensor, tokens: list[int]
    ) -> None:
        """Give each row its next token.

        :param logged: The logits as logarithms of probabilities.
        :param tokens: The likeliest ones.
        """
        for i, row in enumerate(rows):
            try:
                if row.constraint is not None:
                    row.constraint.restrict(logits[i])
                    logged[i] = logits[i].log_softmax(dim=-1)
                    tokens[i] = int(logits[i].argmax())
                if not row.sampler.is_greedy:
                    tokens[i] = row.sampler.choose(logits[i], row.tokens)
            except Exception as error:  # whatever it is, it is this row's own
                row.fail(error)
        chosen = torch.tensor(tokens, device=logits.device)[:, None]
        likely = logged.gather(1, chosen)[:, 0].tolist()
        entropies = logged.exp().mul_(logged.clamp_min_(_LEAST)).sum(dim=-1).neg_().tolist()
        for i, row in enumerate(rows):
            if row.error is not None:
                continue
            if not row.log_probabilities:
                self._remember(row, row.share)
            row.log_probabilities.append(likely[i])
            row.entropies.append(entropies[i])
            row.take(tokens[i], self._end_tokens)

    def _leave(self, row: Row) -> None:
        if len(self._rows) == 1 and row.log_probabilities and row.error is None:
            # Alone, as in a chat: its next turn begins with all of this one.
            self._remember(row, self._cache.lengths[row.slot])
        row.end()
        self._rows.remove(row)
        moved = self._cache.leave(row.slot)
        for other in self._rows:
            if other.slot == moved:
                other.slot = row.slot
                break

    def _remember(self, row: Row, length: int) -> None:
        if self._prefixes is None:
            return
        # A beginning that they have room for, where all of it would drive out the rest and itself.
        length = min(length, self._prefixes.most_bytes // self._cache.token_bytes)
        if length < LEAST_TOKENS:
            return
        try:
            kept = self._cache.copy_out(row.slot, length)
        except (MemoryError, RuntimeError):  # torch's own when memory is short
            return
        self._prefixes.keep(row.tokens[:length], kept, row.family)


def _whole(row: Row) -> int:
    """Return the tokens that a row may come to."""
    return len(row.request.prompt) + row.most_new
