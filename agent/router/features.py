"""What the router sees of a question: cues in its words, and what it is near to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from agent.router.memory import Known, Memory, nearest
from pipelines.embed.embedder import Floats
from pipelines.search import Hit

Features = Mapping[str, float]

_WORD = re.compile(r"\w+")
# A run of blanks is looked at from its beginning only: a long one would take seconds else.
_PARTS = re.compile(
    r"[?!.;]\s+|(?:(?<!\s)\s*[,;:]|[,;:])?(?<!\s)\s+(?:and|but|also|then|plus)\b\s+|,\s+",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:latest|newest|current(?:ly)?|now|today|yesterday|tomorrow|recent(?:ly)?|"
    r"this (?:week|month|year)|last (?:week|month|year)|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
_IDENTIFIER = re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])[\w-]{3,}\b")
_SMALL = frozenset(
    [
        *(
            "a",
            "an",
            "and",
            "are",
            "as",
            "at",
            "be",
            "by",
            "can",
            "did",
            "do",
            "does",
            "for",
            "from",
        ),
        *("get", "have", "has", "how", "i", "if", "in", "is", "it", "may", "me", "my", "of", "on"),
        *("or", "our", "should", "that", "the", "their", "there", "this", "to", "us", "was", "we"),
        *("what", "when", "where", "which", "who", "why", "will", "with", "you", "your", "much"),
        *("many", "long", "would", "could", "must", "need", "tell", "please"),
    ]
)
_FEW = 3
_LEAST_PART = 3
_STEM = 5
_MOST_PARTS = 6

QUESTION = (
    "foreign",
    "adapter",
    "adapter_few",
    "adapter_words",
    "adapter_lead",
    "adapter_strange",
    "passages",
    "strange",
    "words",
    "parts",
    "times",
    "numbers",
    "identifiers",
    "titles",
    "follows",
    "stale",
)
"""Features of the first stage, from the question alone."""

PROBED = (
    *QUESTION,
    "found",
    "found_score",
    "found_lead",
    "found_spread",
    "found_words",
    "found_keywords",
    "part_adapter",
    "part_passages",
    "part_contrast",
)
"""Features of the second stage, after a look into the index."""


@dataclass(frozen=True, slots=True)
class Near:
    """The adapter that a question is nearest to.

    :param adapter: Its name; None where no adapter is registered.
    :param question: What it was trained on that is nearest.
    :param cosine: How near that is.
    :param second: The next adapter's name, and how near its nearest question is.
    """

    adapter: str | None
    question: str = ""
    cosine: float = 0.0
    second: tuple[str | None, float] = (None, 0.0)


def near(vector: Floats, memory: Memory, shares: Mapping[str, float]) -> Near:
    """Return the adapter that a question belongs to.

    :param vector: The question's.
    :param shares: Probability of each adapter's domain, which weighs beside nearness.
    """
    if not memory.adapters:
        return Near(None)
    cosines = {
        name: float((known.vectors @ vector).max()) if len(known.vectors) else 0.0
        for name, known in memory.adapters.items()
    }
    order = sorted(cosines, key=lambda name: -(cosines[name] + 0.3 * shares.get(name, 0.0)))
    best = memory.adapters[order[0]]
    text = best.questions[int((best.vectors @ vector).argmax())] if len(best.vectors) else ""
    second = (order[1], cosines[order[1]]) if len(order) > 1 else (None, 0.0)
    return Near(order[0], text, cosines[order[0]], second)


def of_question(
    text: str, vector: Floats, memory: Memory, found: Near, *, follows: bool, stale: float
) -> dict[str, float]:
    """Return the features of the first stage, by name.

    :param text: The question.
    :param vector: Its vector.
    :param found: The adapter that it is nearest to.
    :param follows: Whether a conversation goes before it.
    :param stale: Share of that adapter's documents that have changed since, from 0 to 1.
    """
    words = content_words(text)
    known: Known | None = memory.adapters.get(found.adapter or "")
    trained = _words_of(known.questions) if known else frozenset()
    return {
        "foreign": nearest(vector, memory.foreign),
        "adapter": found.cosine,
        "adapter_few": nearest(vector, known.vectors, _FEW) if known else 0.0,
        "adapter_words": shared(words, content_words(found.question)),
        "adapter_lead": found.cosine - found.second[1],
        "adapter_strange": 1 - shared(words, trained) if known else 0.0,
        "passages": nearest(vector, memory.passages, _FEW),
        "strange": 1 - shared(words, memory.words),
        "words": min(len(text.split()), 60) / 20,
        "parts": float(len(parts_of(text))),
        "times": float(bool(_TIME.search(text))),
        "numbers": float(bool(_NUMBER.search(text))),
        "identifiers": float(bool(_IDENTIFIER.search(text))),
        "titles": len(words & memory.titles) / max(1, len(words)),
        "follows": float(follows),
        "stale": stale,
    }


def of_index(
    text: str,
    hits: Sequence[Hit],
    parts: Floats,
    memory: Memory,
    found: Near,
) -> dict[str, float]:
    """Return what the second stage adds, by name.

    :param hits: Passages found for the question, best first.
    :param parts: float32 [p, d]: vectors of the question's parts; of one, its own.
    """
    words = content_words(text)
    scores = [hit.score for hit in hits] or [0.0]
    known = memory.adapters.get(found.adapter or "")
    by_adapter = [nearest(part, known.vectors) if known else 0.0 for part in parts]
    by_passage = [nearest(part, memory.passages) for part in parts]
    leaning = [a - b for a, b in zip(by_adapter, by_passage, strict=True)] or [0.0]
    best = max((hit.vector or 0.0 for hit in hits[:_FEW]), default=0.0)
    shown = content_words(" ".join(f"{hit.title} {hit.headings} {hit.text}" for hit in hits[:1]))
    return {
        "found": best,
        "found_score": scores[0],
        "found_lead": scores[0] - scores[min(1, len(scores) - 1)],
        "found_spread": scores[0] - scores[-1],
        "found_words": shared(words, shown),
        "found_keywords": max((hit.bm25 or 0.0 for hit in hits), default=0.0) / max(1, len(words)),
        "part_adapter": max(by_adapter, default=0.0),
        "part_passages": max(by_passage, default=0.0),
        "part_contrast": max(leaning) - min(leaning),
    }


def parts_of(text: str) -> list[str]:
    """Return the parts of a question that could each be asked alone; one at least."""
    found = [part.strip() for part in _PARTS.split(text[:2000]) if part and part.strip()]
    long = [part for part in found if len(part.split()) >= _LEAST_PART]
    return long[:_MOST_PARTS] or [text]


def content_words(text: str) -> frozenset[str]:
    """Return the words of a text that say what it is about, cut to their beginnings."""
    return frozenset(
        word[:_STEM] for word in _WORD.findall(text.lower()) if word not in _SMALL and len(word) > 1
    )


@lru_cache(maxsize=256)
def _words_of(questions: tuple[str, ...]) -> frozenset[str]:
    return content_words(" ".join(questions))


def shared(words: frozenset[str], others: frozenset[str]) -> float:
    """Return the share of words that stand among others, from 0 to 1."""
    return len(words & others) / max(1, len(words))


def row(features: Features, names: Sequence[str]) -> Floats:
    """Return features as a row of numbers, in the order of their names."""
    return np.array([features.get(name, 0.0) for name in names], dtype=np.float32)
