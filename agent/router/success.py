"""How likely each route serves a question, from what is seen of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adapters.cache import write_whole
from agent.errors import RouterError
from agent.router.calibration import Logistic, fit_logistic
from agent.router.classifier import plain_features
from agent.router.features import PROBED, QUESTION, Features, row
from pipelines.embed.embedder import QueryEncoding

FILE = "success.json"
SHIPPED = Path(__file__).parent / "weights" / FILE
DOCUMENTS = SHIPPED.with_name("documents.json")
"""Heads for a workspace that has no adapter."""
FEW_DOCUMENTS = SHIPPED.with_name("few_documents.json")
"""The same where there are few documents: among few passages the best are less near."""
STAGES: Mapping[int, tuple[str, ...]] = {1: QUESTION, 2: PROBED}
ALONE: Mapping[int, tuple[str, ...]] = {
    stage: tuple(name for name in names if "adapter" not in name and name != "part_contrast")
    for stage, names in STAGES.items()
}
"""The features that need no adapter."""
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
# Of the many numbers of an encoding each may say little.
_ENCODED_PENALTIES = (100.0, 300.0, 1000.0, 3000.0)
_FOLDS = 5
# Up to so many passages the heads for few documents decide (docs/decisions.md).
_FEW_PASSAGES = 800


def shipped(*, adapters: bool, passages: int) -> Path:
    """Return the heads that ship for a workspace.

    :param adapters: Whether it has any.
    :param passages: That it has.
    """
    if adapters:
        return SHIPPED
    return FEW_DOCUMENTS if passages <= _FEW_PASSAGES else DOCUMENTS


@dataclass(frozen=True, slots=True)
class Success:
    """Of each stage and route a logistic regression on what the stage sees.

    :param heads: By stage and route.
    :param names: Of each stage the features that they see.
    :param encoded: Whether they see the question's encoding beside them.
    """

    heads: Mapping[int, Mapping[str, Logistic]]
    names: Mapping[int, tuple[str, ...]] = field(default_factory=lambda: STAGES)
    encoded: bool = False

    def probabilities(
        self, features: Features, stage: int, encoding: QueryEncoding | None = None
    ) -> dict[str, float]:
        """Return of each route how likely it serves the question.

        :param encoding: The question's; needed where the heads see it.
        """
        values = row(features, self.names[stage])[None]
        if self.encoded and encoding is not None:
            values = np.hstack([values, plain_features([encoding])])
        return {
            route: float(head.probability(values)[0]) for route, head in self.heads[stage].items()
        }

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        content = {
            "encoded": self.encoded,
            "features": {str(stage): list(names) for stage, names in self.names.items()},
            "heads": {
                str(stage): {route: head.to_dict() for route, head in heads.items()}
                for stage, heads in self.heads.items()
            },
        }
        write_whole(path, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Success":
        """Return what was written.

        :raises RouterError: When it cannot be read, or is of other features.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            names = {int(stage): tuple(names) for stage, names in content["features"].items()}
            if any(not set(names[stage]) <= set(STAGES[stage]) for stage in STAGES):
                raise ValueError("it was fitted on other features")
            heads = {
                int(stage): {route: Logistic.from_dict(head) for route, head in heads.items()}
                for stage, heads in content["heads"].items()
            }
            return cls(heads, names, bool(content["encoded"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RouterError(
                f"the router in {path.parent} cannot be read ({error}): run `expert router fit`"
            ) from None


def fit_success(
    seen: Sequence[Features],
    served: Mapping[str, Sequence[float | None]],
    encodings: Sequence[QueryEncoding] | None = None,
    *,
    names: Mapping[int, tuple[str, ...]] = STAGES,
) -> Success:
    """Fit the heads on what routes did with questions.

    The penalty on weights is the one under which questions left out are likeliest.

    :param seen: Features of each question, of both stages.
    :param served: Of each route and question how well it served, from 0 to 1; None where it
        was not tried.
    :param encodings: The questions', for heads that see them, which takes some hundred
        outcomes; None for the features alone.
    :param names: Of each stage the features to see.
    :raises RouterError: When a route never served, or always.
    """
    heads: dict[int, dict[str, Logistic]] = {}
    penalties = _PENALTIES if encodings is None else _ENCODED_PENALTIES
    for stage, listed in names.items():
        rows = np.stack([row(features, listed) for features in seen])
        if encodings is not None:
            rows = np.hstack([rows, plain_features(encodings)])
        heads[stage] = {}
        for route, values in served.items():
            tried = [place for place, value in enumerate(values) if value is not None]
            target = np.array([values[place] for place in tried], dtype=float)
            if len(set(target.round(3))) < 2:
                raise RouterError(
                    f"all of {len(tried)} outcomes of {route} are alike: give more questions"
                )
            heads[stage][route] = best_logistic(rows[tried], target, penalties)
    return Success(heads, names, encodings is not None)


def best_logistic(
    values: np.ndarray, target: np.ndarray, penalties: Sequence[float] = _PENALTIES, seed: int = 0
) -> Logistic:
    """Return the logistic regression whose penalty does best on questions left out."""
    fold = np.random.default_rng(seed).permutation(len(target)) % _FOLDS

    def doubt(penalty: float) -> float:
        total = 0.0
        for number in range(_FOLDS):
            kept, told = fold != number, fold == number
            if len(set(target[kept])) < 2 or not told.any():
                continue
            found = fit_logistic(values[kept], target[kept], penalty=penalty)
            p = np.clip(found.probability(values[told]).astype(float), 1e-6, 1 - 1e-6)
            total -= float((target[told] * np.log(p) + (1 - target[told]) * np.log(1 - p)).sum())
        return total

    return fit_logistic(values, target, penalty=min(penalties, key=doubt))
