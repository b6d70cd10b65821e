"""What the reranker knows of a candidate, and the small network that weighs it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.late_interaction import Comparison, Floats, QuestionTokens

# Similarities from which a question's word counts as met, and below which as missing.
_MET, _MISSING = 0.8, 0.5


def features(
    question: QuestionTokens,
    comparison: Comparison,
    bm25: Sequence[float | None],
    vector: Sequence[float | None],
) -> Floats:
    """Return what is known of each candidate for one question.

    Late interaction over the passage, its best sentence and its best two neighbouring
    sentences; how many of the question's words are met, missing or literally there; the
    scores and ranks of both searches. Most stand twice: as they are, and against the best
    candidate's.

    :param bm25: Keyword scores; None where keywords did not find the candidate.
    :param vector: Cosines; None where vectors did not find the candidate.
    :returns: float32 [candidates, features].
    """
    ours = _late(question, comparison)
    theirs = _searches(bm25, vector, ours[:, 0])
    return np.concatenate([ours, ours - ours.max(axis=0), theirs], axis=1)


def sentence_scores(question: QuestionTokens, comparison: Comparison) -> Floats:
    """Return how well each part of each passage meets the question, its context helping."""
    scores: Floats = comparison.parts @ question.weights
    return scores


def _late(question: QuestionTokens, comparison: Comparison) -> Floats:
    weights, best, first = question.weights, comparison.best, comparison.first
    whole = best @ weights
    sentence = comparison.parts @ weights
    top = np.maximum.reduceat(sentence, first)
    # A part and the next one of the same passage.
    last = np.append(first[1:], len(sentence)) - 1
    following = np.minimum(
        np.arange(len(sentence)) + 1, np.repeat(last, np.diff(_bounds(first, len(sentence))))
    )
    pairs = np.maximum(comparison.parts, comparison.parts[following]) @ weights
    ordered = np.sort(best, axis=1)
    heavy = np.argsort(-weights)[:3]
    columns = [
        whole,
        top,
        np.maximum.reduceat(pairs, first),
        comparison.held @ weights,
        ordered[:, :3].mean(axis=1),
        best.mean(axis=1),
        (best > _MET) @ weights,
        (best < _MISSING) @ weights,
        best[:, heavy[0]],
        best[:, heavy].mean(axis=1),
        np.sqrt(best**2 @ weights),
        np.log(comparison.lengths),
        comparison.context @ weights,
        np.add.reduceat(np.maximum(sentence - 0.5, 0), first)
        / np.sqrt(np.diff(_bounds(first, len(sentence)))),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _bounds(first: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    return np.append(first, end)


def _searches(bm25: Sequence[float | None], vector: Sequence[float | None], late: Floats) -> Floats:
    columns = []
    for scores in (bm25, vector):
        found = np.array([score is not None for score in scores])
        values = np.array([score if score is not None else np.nan for score in scores], np.float32)
        low, high = (np.nanmin(values), np.nanmax(values)) if found.any() else (0.0, 0.0)
        filled = np.where(found, values, low)
        rank = np.argsort(np.argsort(-filled, kind="stable"), kind="stable")
        columns += [
            found,
            (filled - low) / (high - low) if high > low else np.ones(len(filled)) * found.any(),
            filled / max(high, 1e-6),
            filled - high,
            np.log1p(rank),
        ]
    columns.append(np.log1p(np.argsort(np.argsort(-late, kind="stable"), kind="stable")))
    return np.stack(columns, axis=1).astype(np.float32)


class Scorer:
    """Two layers that turn features into one score; higher is better.

    :param arrays: ``scorer.mean``, ``scorer.scale``, ``scorer.hidden``,
        ``scorer.hidden_bias`` and ``scorer.out``, as trained.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._mean, self._scale = arrays["scorer.mean"], arrays["scorer.scale"]
        self._hidden, self._bias = arrays["scorer.hidden"], arrays["scorer.hidden_bias"]
        self._out = arrays["scorer.out"]

    def __call__(self, values: Floats) -> Floats:
        """Return the scores of candidates: float32 [n] for float32 [n, features]."""
        hidden = ((values - self._mean) * self._scale) @ self._hidden + self._bias
        scores: Floats = np.maximum(hidden, 0) @ self._out
        return scores
