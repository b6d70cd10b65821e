"""Requests, what they come to, and what is known of one on its way."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tokenizers import Tokenizer

from adapters.errors import AdaptersError, GenerationError, NotEnoughRoomError
from adapters.grammar import Constraint, Grammar
from adapters.lora import Adapter
from adapters.sampling import Sampler, Sampling
from adapters.text_stream import TextStream, loops

Reason = Literal["stop", "length", "repetition", "cancelled"]
# Checking for loops takes as long as writing some hundredths of a token.
_LOOP_CHECK_EVERY = 16


@dataclass(frozen=True, slots=True)
class Request:
    """A text to go on with.

    :param prompt: Its tokens.
    :param max_new_tokens: Tokens to write at most.
    :param stop: Strings that end the answer; they are not part of it.
    :param sampling: How tokens are chosen.
    :param on_text: Told each new piece of the answer, on the thread that generates.
    :param adapter: Answers with the model; None for the model by itself.
    :param grammar: What the answer must look like; the answer ends when it is complete, and
        is in that form if it ended by "stop". None for anything.
    """

    prompt: Sequence[int]
    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    on_text: Callable[[str], None] | None = None
    adapter: Adapter | None = None
    grammar: Grammar | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """What a request came to.

    Probabilities are those before sampling, and among what the grammar allows.

    :param text: The answer.
    :param tokens: Its tokens, without the one that ended it.
    :param reason: Why it ended: the model, a stop string or the grammar ended it; it reached
        the length allowed; it went round in circles; it was cancelled.
    :param prompt_tokens: Tokens of the prompt.
    :param cached_tokens: Those of them that had been read before.
    :param mean_log_probability: Of the tokens chosen, the end included; natural logarithm.
    :param first_log_probability: Of the first token.
    :param first_entropy: How undecided the model was about the first token, in nats.
    :param mean_entropy: How undecided it was in all, a token.
    """

    text: str
    tokens: tuple[int, ...]
    reason: Reason
    prompt_tokens: int
    cached_tokens: int
    mean_log_probability: float
    first_log_probability: float
    first_entropy: float
    mean_entropy: float = math.nan


class Row:
    """A request on its way; see :meth:`adapters.batch.Batch.submit`.

    Once it has ended, ``generation`` is what it came to; ``error`` says why it failed, if it
    did.
    """

    def __init__(
        self, request: Request, most_new: int, tokenizer: Tokenizer, constraint: Constraint | None
    ) -> None:
        self.request = request
        self.generation: Generation | None = None
        self.error: Exception | None = None
        self.tokens = list(request.prompt)
        self.most_new = most_new
        self.sampler = Sampler(request.sampling)
        self.stream = TextStream(tokenizer, request.stop)
        self.constraint = constraint
        self.slot = -1
        self.cached = 0
        self.long = False
        self.share = 0
        self.log_probabilities: list[float] = []
        self.entropies: list[float] = []
        self.cancelled = False
        self.reason: Reason | None = None

    @property
    def written(self) -> list[int]:
        """Tokens of the answer so far."""
        return self.tokens[len(self.request.prompt) :]

    @property
    def family(self) -> str:
        """What its keys and values depend on besides its tokens."""
        adapter = self.request.adapter
        return f"{'long' if self.long else 'short'} {'' if adapter is None else adapter.family}"

    def cancel(self) -> None:
        """Let it end at the next step."""
        self.cancelled = True

    def take(self, token: int, end_tokens: frozenset[int]) -> None:
        """Add a token, tell whoever listens, and note why the row ends with it if it does."""
        try:
            self.reason = self._take(token, end_tokens)
        except Exception as error:  # whatever it is, it is this row's own
            self.fail(error)
            return
        tell = self.request.on_text
        if tell is None or not (piece := self.stream.new_text(ended=self.reason is not None)):
            return
        try:
            tell(piece)
        except Exception as error:
            # Whoever listens to one row must not end the others.
            self.error = error

    def _take(self, token: int, end_tokens: frozenset[int]) -> Reason | None:
        if token in end_tokens:
            return "stop"
        self.tokens.append(token)
        self.stream.add(token)
        if self.constraint is not None:
            self.constraint.take(token)
        if self.stream.stopped or (self.constraint is not None and self.constraint.is_complete):
            return "stop"
        count = len(self.tokens) - len(self.request.prompt)
        if count >= self.most_new:
            return "length"
        if count % _LOOP_CHECK_EVERY == 0 and loops(self.written):
            return "repetition"
        return None

    def fail(self, error: Exception) -> None:
        """Let it end by an error; the first one counts."""
        if self.error is not None:
            return
        if isinstance(error, AdaptersError):
            self.error = error
            return
        said = " ".join(str(error).split())[:300] or type(error).__name__
        if isinstance(error, MemoryError) or "out of memory" in said.lower():
            self.error = NotEnoughRoomError(
                f"no memory for a text of {len(self.tokens)} tokens: free some, or ask for less"
            )
        else:
            self.error = GenerationError(f"the model failed at this request: {said}")
        self.error.__cause__ = error

    def fail_by_numbers(self) -> None:
        """Let it end because what the model computes for it is not finite."""
        adapter = self.request.adapter
        if adapter is None:
            fault = "the model computes numbers that are not finite: choose another precision"
        else:
            fault = f"adapter {adapter.name} leads to numbers that are not finite: train it anew"
        self.fail(GenerationError(fault))

    def end(self) -> None:
        """Note what it came to; without a reason it was cancelled."""
        likely, entropies = self.log_probabilities, self.entropies
        self.generation = Generation(
            text=self.stream.text,
            tokens=tuple(self.written),
            reason=self.reason or "cancelled",
            prompt_tokens=len(self.request.prompt),
            cached_tokens=self.cached,
            mean_log_probability=sum(likely) / len(likely) if likely else math.nan,
            first_log_probability=likely[0] if likely else math.nan,
            first_entropy=entropies[0] if entropies else math.nan,
            mean_entropy=sum(entropies) / len(entropies) if entropies else math.nan,
        )
