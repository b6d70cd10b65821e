"""How well a model answers held-out questions, before and after it was trained."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from adapters.base import LanguageModel
from adapters.batch import Request
from adapters.generate import TextGenerator
from adapters.training.examples import Example
from adapters.training.squad import f1, same_words

_MOST_TOKENS = 128


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
