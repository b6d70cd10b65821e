"""Answers of a form that is asked for: only tokens that keep to it can be chosen.

The form is compiled to a grammar (llguidance); each step of a row asks it which tokens may
come next, whatever the rows beside it do.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from adapters.errors import GenerationError

# As models write JSON of themselves, and never space without end.
_JSON = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_KEPT = 32


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer may be. Make one with a class method.

    :param source: As the library takes it.
    """

    source: str

    @classmethod
    def json_schema(cls, schema: Mapping[str, Any]) -> "Grammar":
        """Return the grammar of JSON that a schema allows.

        :raises GenerationError: When the schema is not valid, or asks for what cannot be
            checked while an answer is written.
        """
        from llguidance import LLMatcher

        try:
            source = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=_JSON)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise GenerationError(f"the JSON Schema is not valid: {_line(error)}") from error
        return cls._checked(source, "JSON Schema")

    @classmethod
    def regex(cls, pattern: str) -> "Grammar":
        """Return the grammar of texts that match a regular expression as a whole.

        :raises GenerationError: When it is not a regular expression of Rust's kind.
        """
        from llguidance import LLMatcher

        return cls._checked(LLMatcher.grammar_from_regex(pattern), "regular expression")

    @classmethod
    def choice(cls, texts: Sequence[str]) -> "Grammar":
        """Return the grammar of one of some texts.

        :raises GenerationError: When there are none, or one is empty.
        """
        from llguidance import LLMatcher

        if not texts or not all(texts):
            raise GenerationError("a choice needs texts to choose from, none of them empty")
        told = " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)
        return cls._checked(LLMatcher.grammar_from_lark(f"start: {told}"), "choice")

    @classmethod
    def _checked(cls, source: str, what: str) -> "Grammar":
        from llguidance import LLMatcher

        fault = LLMatcher.validate_grammar(source)
        if fault and not fault.startswith("WARNING"):
            raise GenerationError(f"the {what} cannot be kept to: {_line(fault)}")
        return cls(source)


class Constraint:
    """A grammar on the way through one answer.

    :param matcher: The library's own.
    """

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be added."""
        return bool(self._matcher.is_stopped())

    def restrict(self, logits: Tensor) -> None:
        """Make what may not come next impossible.

        :param logits: [vocabulary] of the row; changed in place.
        :raises GenerationError: When the grammar takes too much to go on with.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = np.zeros(len(logits), dtype=bool)
        known = np.unpackbits(bits, bitorder="little", count=min(len(logits), 8 * len(bits)))
        allowed[: len(known)] = known
        if not known.any():
            raise GenerationError("the answer's form allows no token that the model has")
        logits.masked_fill_(~torch.from_numpy(allowed).to(logits.device), float("-inf"))

    def take(self, token: int) -> None:
        """Go on by a token.

        :raises GenerationError: When the grammar does not allow it.
        """
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise GenerationError(f"the answer's form failed: {_line(self._matcher.get_error())}")


class Grammars:
    """Begins answers of one model in any grammar. May be used from several threads.

    :param tokenizer: The model's.
    :param vocabulary: Number of its logits.
    :param end_tokens: Tokens that end an answer.
    """

    def __init__(self, tokenizer: Tokenizer, vocabulary: int, end_tokens: frozenset[int]) -> None:
        self._tokenizer, self._vocabulary = tokenizer, vocabulary
        self._end_tokens = end_tokens
        self._lock = Lock()
        self._words: Any = None
        self._begun: OrderedDict[Grammar, Any] = OrderedDict()

    def begin(self, grammar: Grammar) -> Constraint:
        """Return a grammar at its start.

        :raises GenerationError: When it does not go with the model.
        """
        from llguidance import LLMatcher

        with self._lock:
            if self._words is None:
                self._words = self._read_words()
            if grammar not in self._begun:
                matcher = LLMatcher(self._words, grammar.source, log_level=0)
                if matcher.is_error():
                    fault = _line(matcher.get_error())
                    raise GenerationError(f"the answer's form cannot be kept to: {fault}")
                self._begun[grammar] = matcher
                if len(self._begun) > _KEPT:
                    self._begun.popitem(last=False)
            self._begun.move_to_end(grammar)
            return Constraint(self._begun[grammar].deep_copy())

    def _read_words(self) -> Any:
        from llguidance import LLTokenizer

        count = max(self._vocabulary, self._tokenizer.get_vocab_size(with_added_tokens=True))
        try:
            return LLTokenizer(
                self._tokenizer.to_str(),
                n_vocab=count,
                eos_token=sorted(self._end_tokens) or None,
            )
        except Exception as error:  # the library raises its own, without a base
            raise GenerationError(
                f"the model's tokenizer cannot keep to a form: {_line(error)}"
            ) from error


def _line(fault: object) -> str:
    """Return what a fault says, in one line."""
    return " ".join(str(fault).split())[:300]
