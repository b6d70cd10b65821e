"""How well a model answers held-out questions, before and after it was trained."""

import collections
import re
import statistics
import string
from collections.abc import Sequence
from pathlib import Path

from adapters.base import LanguageModel
from adapters.batch import Request
from adapters.generate import TextGenerator
from adapters.training.examples import Example

_MOST_TOKENS = 128
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def answers(
    model: LanguageModel, examples: Sequence[Example], adapter: Path | None = None
) -> list[str]:
    """Return what a model answers to questions.

    :param examples: The questions and the answers wanted.
    :param adapter: Folder of the adapter to answer with; None for the base alone.
    :raises AdapterError: When it cannot be loaded.
    """
    loaded = None
    if adapter is not None:
        from adapters.lora import load_adapter

        decoder = model.decoder
        loaded = load_adapter(
            adapter,
            decoder.architecture,
            name=adapter.name,
            device=decoder.device,
            dtype=decoder.dtype,
        )
    requests = [
        Request(
            model.markup.render(example.to_dicts()[:-1]),
            max_new_tokens=min(
                _MOST_TOKENS, len(model.markup.encode_text(example.answer)) * 3 // 2 + 8
            ),
            adapter=loaded,
        )
        for example in examples
    ]
    return [one.text for one in TextGenerator(model).generate(requests)]


def answer_scores(
    model: LanguageModel, examples: Sequence[Example], adapter: Path | None = None
) -> dict[str, float]:
    """Return :func:`scores` of the :func:`answers`."""
    return scores(examples, answers(model, examples, adapter))


def scores(examples: Sequence[Example], written: Sequence[str]) -> dict[str, float]:
    """Return ``f1`` and ``exact``, each from 0 to 1, of answers to questions.

    :param examples: The questions and the answers wanted.
    :param written: What was answered.
    """
    pairs = [(text, example.answer) for text, example in zip(written, examples, strict=True)]
    return {
        "f1": statistics.fmean(f1(*pair) for pair in pairs),
        "exact": statistics.fmean(same_words(*pair) for pair in pairs),
    }


def f1(answer: str, wanted: str) -> float:
    """Return how far two answers share their words, as SQuAD counts it."""
    told, asked = collections.Counter(_words(answer)), collections.Counter(_words(wanted))
    same = (told & asked).total()
    return 2 * same / (told.total() + asked.total()) if same else 0.0


def same_words(answer: str, wanted: str) -> bool:
    """Return whether two answers are the same but for case, articles and punctuation."""
    return _words(answer) == _words(wanted)


def _words(text: str) -> list[str]:
    plain = "".join(character for character in text.lower() if character not in string.punctuation)
    return _ARTICLES.sub(" ", plain).split()
