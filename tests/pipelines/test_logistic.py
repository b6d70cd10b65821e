import math

import pytest

from pipelines.logistic import Logistic, logistic


def test_features_are_weighed_into_a_probability() -> None:
    model = Logistic(-1.0, (2.0, 0.5))
    assert model.log_odds([1.0, 2.0]) == 2.0
    assert model.probability([1.0, 2.0]) == pytest.approx(1 / (1 + math.exp(-2)))
    assert 0 < model.probability([-1e9, 0.0]) < model.probability([1e9, 0.0]) <= 1


def test_what_is_not_known_counts_as_what_is_usual() -> None:
    model = Logistic(0.0, (1.0, 1.0), (3.0, 4.0))
    assert model.log_odds([1.0, math.nan]) == model.log_odds([1.0, 4.0])


def test_a_feature_too_many_is_an_error() -> None:
    with pytest.raises(ValueError, match="longer"):
        Logistic(0.0, (1.0,)).log_odds([1.0, 2.0])


def test_it_is_read_from_json() -> None:
    assert logistic({"intercept": 1.0, "weights": [2.0]}) == Logistic(1.0, (2.0,))
