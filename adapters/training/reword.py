"""Questions in other words, so that an answer is learned and not the sound of its question."""

import random
from collections.abc import Sequence
from dataclasses import replace

from adapters.training.examples import Example

# fmt: off
_SMALL = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "could", "did", "do", "does", "for",
    "from", "get", "gets", "has", "have", "how", "i", "if", "in", "is", "it", "its", "long",
    "many", "may", "me", "much", "my", "of", "on", "or", "our", "that", "the", "their", "there",
    "they", "this", "to", "was", "we", "what", "when", "where", "which", "who", "will", "with",
    "would", "you", "your",
))
# fmt: on
_OPENINGS = ("", "", "", "Please tell me: ", "Quick question: ", "Hi, ", "Do you know ")
_DROPPED_SMALL, _DROPPED = 0.4, 0.15
_TURNED, _LOWERED, _UNMARKED = 0.4, 0.5, 0.4
# Longer ones are texts, whose order says something.
_MOST_WORDS = 40


def reworded(examples: Sequence[Example], times: int, seed: int) -> list[Example]:
    """Return examples several times over: first as they are, then with their questions changed.

    Some words are left out, small ones more often, the order of two parts is turned, and how
    it begins, its case and its question mark vary: in the spirit of EDA (arXiv 1901.11196),
    drawn anew each time that an example is learned from. Answers stay as they are; so do
    examples with passages, with several turns, or with a question of more than 40 words.

    :param times: How many times over, at least 1.
    :param seed: Of what is drawn.
    """
    chance = random.Random(seed)  # noqa: S311
    made = list(examples)
    for _ in range(times - 1):
        made += [_changed(example, chance) for example in examples]
    return made


def _changed(example: Example, chance: random.Random) -> Example:
    words = example.question.rstrip("?").split()
    # Sources stand on lines of their own; questions are on one.
    has_passages = bool(example.context) or "\n" in example.question
    if has_passages or not example.has_one_question or not 1 < len(words) <= _MOST_WORDS:
        return example
    question = _vary(words, chance)
    messages = tuple(
        replace(message, content=question) if message.role == "user" else message
        for message in example.messages
    )
    return replace(example, messages=messages)


def _vary(words: Sequence[str], chance: random.Random) -> str:
    kept = [
        word
        for word in words
        if chance.random() >= (_DROPPED_SMALL if word.lower() in _SMALL else _DROPPED)
    ] or list(words)
    if len(kept) > 3 and chance.random() < _TURNED:
        at = chance.randrange(1, len(kept))
        kept = kept[at:] + kept[:at]
    question = chance.choice(_OPENINGS) + " ".join(kept)
    if chance.random() < _LOWERED:
        question = question.lower()
    return question if chance.random() < _UNMARKED else f"{question}?"
