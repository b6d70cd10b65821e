"""The measures against definitions worked out by hand or in another way."""

import itertools

import numpy as np
import pytest

from agent.router.statistics import (
    auroc,
    auroc_interval,
    calibration_error,
    calibration_interval,
    interval,
    interval_of,
    paired_bootstrap,
    reliability,
)


def test_auroc_counts_pairs_and_half_of_ties() -> None:
    assert auroc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auroc([0.1], [0.2, 0.3]) == 0.0
    assert auroc([0.5, 0.5], [0.5]) == 0.5
    generator = np.random.default_rng(1)
    positive, negative = generator.integers(0, 20, 40) / 20, generator.integers(0, 15, 60) / 20
    pairs = itertools.product(positive, negative)
    by_hand = np.mean([(p > n) + (p == n) / 2 for p, n in pairs])
    assert auroc(positive, negative) == pytest.approx(by_hand)


def test_calibration_error_is_the_mean_gap_of_bins() -> None:
    # Two sure at .95, one of them right; two at .25, both wrong.
    sure, right = [0.95, 0.95, 0.25, 0.25], [1, 0, 0, 0]
    assert calibration_error(sure, right) == pytest.approx((0.45 + 0.25) / 2)
    assert calibration_error([1.0, 0.0], [1, 0]) == 0.0
    assert calibration_error([0.5, 0.5], [1, 0]) == 0.0
    assert calibration_error([0.5], [0.8]) == pytest.approx(0.3)


def test_calibration_error_is_what_its_bins_say() -> None:
    generator = np.random.default_rng(2)
    sure = generator.random(500)
    right = generator.random(500) < sure**2
    bins = reliability(sure, right, bins=15)
    by_bins = sum(b.count * abs(b.accuracy - b.mean_confidence) for b in bins) / 500
    assert calibration_error(sure, right) == pytest.approx(by_bins)


def test_a_bin_holds_its_upper_end_and_empty_ones_are_left_out() -> None:
    first, second, last = reliability([0.0, 0.1, 0.11, 1.0], [0, 1, 1, 1])
    assert (first.low, first.high, first.count, first.accuracy) == (0.0, 0.1, 2, 0.5)
    assert first.mean_confidence == pytest.approx(0.05)
    assert second.count == 1
    assert (last.low, last.high, last.count) == (0.9, 1.0, 1)


def test_an_interval_of_any_figure_draws_its_places() -> None:
    values = np.random.default_rng(3).random(200)
    assert interval_of(lambda at: float(values[at].mean()), 200) == interval(values)
    low, high = interval_of(lambda at: float(np.median(values[at])), 200)
    assert low < np.median(values) < high
    assert interval_of(lambda at: 1.0, 3) == (1.0, 1.0)


def test_an_interval_holds_its_mean_and_is_of_the_seed_alone() -> None:
    values = np.random.default_rng(3).random(200) < 0.7
    low, high = interval(values, seed=5)
    assert low < values.mean() < high
    # The normal approximation, which is good here.
    half = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 200)
    assert (high - low) / 2 == pytest.approx(half, rel=0.15)
    assert interval(values, seed=5) == (low, high)
    assert interval(values, seed=6) != (low, high)
    assert interval(values, seed=5, level=0.5)[0] > low
    assert interval([1.0]) == (1.0, 1.0)


def test_intervals_of_other_measures_hold_what_is_true() -> None:
    generator = np.random.default_rng(4)
    sure = generator.random(400)
    right = generator.random(400) < 0.8 * sure
    low, high = calibration_interval(sure, right)
    assert low < 0.1 < high
    assert high - low < 0.1
    # It is calibrated, and the error measured is noise: resamples have more of it.
    right = generator.random(400) < sure
    assert calibration_interval(sure, right)[0] < calibration_error(sure, right) / 2
    low, high = auroc_interval(generator.normal(1, 1, 100), generator.normal(0, 1, 100))
    assert low < 0.76 < high
    assert high - low < 0.2


def test_paired_bootstrap_says_who_is_better() -> None:
    generator = np.random.default_rng(5)
    theirs = generator.random(300) < 0.5
    ours = theirs | (generator.random(300) < 0.2)
    found = paired_bootstrap(ours, theirs)
    assert found.difference == pytest.approx(ours.mean() - theirs.mean())
    assert 0 < found.low < found.difference < found.high
    assert found.p_better == 1.0
    assert paired_bootstrap(theirs, ours).p_better == 0.0
    same = paired_bootstrap(ours, ours)
    assert (same.difference, same.low, same.high, same.p_better) == (0, 0, 0, 0.5)
    # The same questions: what is common to both is no noise.
    spread = generator.random(300)
    assert paired_bootstrap(spread + 0.01, spread).low == pytest.approx(0.01)


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(ValueError, match="nothing to measure"):
        auroc([], [0.1])
    with pytest.raises(ValueError, match="nothing to measure"):
        interval([])
    with pytest.raises(ValueError, match="2 of one and 1 of the other do not pair"):
        paired_bootstrap([0, 1], [1])
