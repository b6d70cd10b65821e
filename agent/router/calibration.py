"""Scores turned into probabilities: a temperature for classes, a logistic for the rest."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed.embedder import Floats

Array = NDArray[Any]
_ROUNDS = 50
# Standard deviations: what lies farther out than was seen says no more for that.
_FAR = 3.0
_SURE = 30.0
_TEMPERATURES = np.geomspace(0.05, 5.0, 200)


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression on standardised numbers.

    :param weights: One for each of the numbers.
    :param bias: Added to their sum.
    :param means: Of the numbers, and
    :param scales: their standard deviations, when it was fitted.
    """

    weights: tuple[float, ...]
    bias: float
    means: tuple[float, ...]
    scales: tuple[float, ...]

    def logit(self, values: Array) -> Array:
        """Return the logit of each row of [n, d]."""
        standard = _standard(values, np.array(self.means), np.array(self.scales))
        logits: Array = np.clip(standard @ np.array(self.weights) + self.bias, -_SURE, _SURE)
        return logits

    def shares(self, values: Array, count: int) -> Array:
        """Return what each of the first numbers of a row adds to the logit.

        :param values: [count].
        """
        means, scales = np.array(self.means[:count]), np.array(self.scales[:count])
        shares: Array = _standard(values, means, scales) * np.array(self.weights[:count])
        return shares

    def probability(self, values: Array) -> Floats:
        """Return the probability of each row of [n, d]."""
        raised: Floats = (1 / (1 + np.exp(-self.logit(values)))).astype(np.float32)
        return raised

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Logistic":
        """Return what :meth:`to_dict` wrote."""
        return cls(
            tuple(content["weights"]),
            float(content["bias"]),
            tuple(content["means"]),
            tuple(content["scales"]),
        )


def _standard(values: Array, means: Array, scales: Array) -> Array:
    standard: Array = np.clip((values - means) / scales, -_FAR, _FAR)
    return standard


def fit_logistic(
    values: Array, positive: Array, *, share: float | None = None, penalty: float = 1.0
) -> Logistic:
    """Fit a logistic regression by Newton's method.

    :param values: [n, d].
    :param positive: [n]: whether it is so, or the probability that it is.
    :param share: How often it is so where it is to be used; None for as often as here.
    :param penalty: On the squares of the weights.
    """
    values = np.asarray(values, dtype=np.float64)
    target = np.asarray(positive, dtype=np.float64)
    means, scales = values.mean(axis=0), values.std(axis=0) + 1e-6
    inputs = np.hstack([_standard(values, means, scales), np.ones((len(values), 1))])
    weight = np.ones(len(target))
    seen = target.mean()
    if share is not None and 0 < seen < 1:
        weight = np.where(target > 0.5, share / seen, (1 - share) / (1 - seen))
    ridge = np.diag([*[penalty] * values.shape[1], 1e-6])
    found = np.zeros(inputs.shape[1])
    for _ in range(_ROUNDS):
        told = 1 / (1 + np.exp(-np.clip(inputs @ found, -_SURE, _SURE)))
        slope = inputs.T @ (weight * (told - target)) + ridge @ found
        bend = (inputs * (weight * told * (1 - told))[:, None]).T @ inputs + ridge
        step = np.linalg.solve(bend, slope)
        # Far from the end Newton's step may overshoot.
        found -= step * min(1.0, 5.0 / max(1e-9, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-6:
            break
    return Logistic(tuple(map(float, found[:-1])), float(found[-1]), tuple(means), tuple(scales))


def fit_temperature(logits: Array, wanted: Sequence[int] | Array) -> float:
    """Return what to divide logits [n, k] by, so that their softmax is likeliest to be right."""
    gold = np.asarray(wanted)
    rows = np.arange(len(gold))

    def doubt(temperature: float) -> float:
        cooled = logits / temperature
        return float((np.logaddexp.reduce(cooled, axis=1) - cooled[rows, gold]).mean())

    return float(min(_TEMPERATURES, key=doubt))
