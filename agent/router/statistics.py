"""How good a router is, in numbers: ranking, calibration, and how far each could be chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = Sequence[float] | NDArray[Any]
Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence.

    :param low: Confidences in it are above this (0 itself is in the first),
    :param high: and at most this.
    :param mean_confidence: How sure the router was of them.
    :param accuracy: How right they were.
    :param count: How many there are.
    """

    low: float
    high: float
    mean_confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One way against another, on the same questions.

    :param difference: By how much ours is better, on average.
    :param low: Lower end of that difference's 95 % interval.
    :param high: Its upper end.
    :param p_better: Share of the resamples in which ours is better; a tie counts half.
    """

    difference: float
    low: float
    high: float
    p_better: float


def auroc(positive: Values, negative: Values) -> float:
    """Return how probably a positive is above a negative; ties count half (Mann-Whitney).

    :raises ValueError: When there are no positives or no negatives.
    """
    above, below = _floats(positive), _floats(negative)
    ordered = np.sort(below)
    less = np.searchsorted(ordered, above, side="left")
    not_more = np.searchsorted(ordered, above, side="right")
    return float((less + not_more).mean() / 2 / len(below))


def reliability(confidence: Values, correct: Values, bins: int = 10) -> list[Bin]:
    """Return bins of equal width over confidence; those without an answer are left out.

    :param correct: How right each answer was, from 0 to 1.
    :raises ValueError: When there is nothing, or not one of each for the other.
    """
    sure, right = _pair(confidence, correct)
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.digitize(sure, edges[1:-1], right=True)
    found = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            means = float(sure[inside].mean()), float(right[inside].mean())
            low, high = float(edges[number]), float(edges[number + 1])
            found.append(Bin(low, high, *means, int(inside.sum())))
    return found


def calibration_error(confidence: Values, correct: Values, bins: int = 15) -> float:
    """Return the expected calibration error, over bins of equal width.

    Guo et al., On Calibration of Modern Neural Networks, 2017 (arXiv 1706.04599).

    :param correct: How right each answer was, from 0 to 1.
    :raises ValueError: When there is nothing, or not one of each for the other.
    """
    sure, right = _pair(confidence, correct)
    place = np.digitize(sure, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True)
    # A bin's share times its gap is the sum of its differences over all.
    gaps = np.bincount(place, weights=right - sure, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


def interval(
    values: Values, *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """Return the bootstrap interval of a mean over questions.

    :param values: One of each question.
    :raises ValueError: When there are none.
    """
    each = _floats(values)
    return interval_of(
        lambda at: float(each[at].mean()), len(each), seed=seed, resamples=resamples, level=level
    )


def interval_of(
    statistic: Callable[[Places], float],
    count: int,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the bootstrap interval of whatever is figured from questions.

    :param statistic: Figures it from the places of those drawn, some of them several times.
    :param count: How many questions there are.
    """
    return _ends(_resampled(statistic, count, seed, resamples), level)


def auroc_interval(
    positive: Values,
    negative: Values,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the bootstrap interval of :func:`auroc`; both kinds keep their numbers."""
    above, below = _floats(positive), _floats(negative)
    generator = np.random.default_rng(seed)
    found = [
        auroc(generator.choice(above, len(above)), generator.choice(below, len(below)))
        for _ in range(resamples)
    ]
    return _ends(np.array(found), level)


def calibration_interval(
    confidence: Values,
    correct: Values,
    *,
    bins: int = 15,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the bootstrap interval of :func:`calibration_error`.

    Noise can only add to that error, and a resample has more of it than the questions have:
    the interval is the basic one, mirrored at what was measured, which takes that back.
    """
    sure, right = _pair(confidence, correct)
    error = calibration_error(sure, right, bins)
    found = _resampled(
        lambda at: calibration_error(sure[at], right[at], bins), len(sure), seed, resamples
    )
    low, high = _ends(found, level)
    return max(0.0, 2 * error - high), min(1.0, max(0.0, 2 * error - low))


def paired_bootstrap(
    ours: Values, theirs: Values, seed: int = 0, resamples: int = 2000
) -> Comparison:
    """Compare two ways of answering by what each made of the same questions.

    :raises ValueError: When there is nothing, or not one of each for the other.
    """
    mine, others = _pair(ours, theirs)
    each = mine - others
    means = _resampled(lambda at: float(each[at].mean()), len(each), seed, resamples)
    better = ((means > 0).mean() + (means >= 0).mean()) / 2
    return Comparison(float(each.mean()), *_ends(means, 0.95), float(better))


def _resampled(
    statistic: Callable[[Places], float], count: int, seed: int, resamples: int
) -> Floats:
    generator = np.random.default_rng(seed)
    # One at a time: all at once would take gigabytes of a large suite.
    return np.array([statistic(generator.integers(count, size=count)) for _ in range(resamples)])


def _ends(found: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _floats(values: Values) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if not found.size:
        raise ValueError("there is nothing to measure")
    return found


def _pair(one: Values, other: Values) -> tuple[Floats, Floats]:
    first, second = _floats(one), _floats(other)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} of one and {len(second)} of the other do not pair")
    return first, second
