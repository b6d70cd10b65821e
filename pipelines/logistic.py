"""A logistic regression that was fitted elsewhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Logistic:
    """Weighs features into a probability.

    :param intercept: The log odds of features that are all 0.
    :param weights: Log odds for each unit of a feature.
    :param typical: What stands in for each feature where it is not known (NaN); may be empty
        where all always are.
    """

    intercept: float
    weights: tuple[float, ...]
    typical: tuple[float, ...] = ()

    def log_odds(self, features: Sequence[float]) -> float:
        """Return the log odds of these features."""
        known = [
            self.typical[n] if math.isnan(value) else value for n, value in enumerate(features)
        ]
        weighed = zip(self.weights, known, strict=True)
        return self.intercept + sum(weight * value for weight, value in weighed)

    def probability(self, features: Sequence[float]) -> float:
        """Return the probability of these features."""
        return sigmoid(self.log_odds(features))


def sigmoid(log_odds: float) -> float:
    """Return the probability of log odds, 0 and 1 themselves aside."""
    return 1 / (1 + math.exp(-max(min(log_odds, 50.0), -50.0)))


def logistic(stored: Mapping[str, Any]) -> Logistic:
    """Return a regression as it is stored in JSON."""
    return Logistic(stored["intercept"], tuple(stored["weights"]), tuple(stored.get("typical", ())))
