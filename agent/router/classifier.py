"""Which class a question belongs to, or none: calibrated heads on one encoder pass."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.cache import write_whole
from agent.errors import RouterError
from agent.router.calibration import Logistic
from agent.router.tuned import TunedLayers
from pipelines.embed.embedder import Floats, QueryEncoding, TokenStates

HEADS, FACTS, LAYERS = "heads.safetensors", "classifier.json", "layers.onnx"
NEAREST = 5
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Heads:
    """What was learned on top of a question's features.

    :param weights: float32 [d, k] and
    :param bias: float32 [k] of the classes.
    :param out_weights: float32 [d] and
    :param out_bias: of the logit of belonging to none.
    :param prototypes: float32 [p, d], normalised: what questions of the classes are like.
    :param temperature: Divides the classes' logits (arXiv 1706.04599).
    """

    weights: Floats
    bias: Floats
    out_weights: Floats
    out_bias: float
    prototypes: Floats
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class Scores:
    """What a classifier says of questions.

    :param classes: [n, k]: probability of each class, should the question belong to one.
    :param out_of_scope: [n]: probability that it belongs to none.
    """

    classes: Floats
    out_of_scope: Floats


class Classifier:
    """Tells the class of questions, or that they belong to none.

    :param labels: The classes, in the order of their scores.
    :param heads: What was learned.
    :param out_of_scope: Weighs the signs that a question belongs to none; see :func:`signs`.
    :param layers: Tuned layers of the encoder; None where its own vectors are used.
    """

    def __init__(
        self,
        labels: Sequence[str],
        heads: Heads,
        out_of_scope: Logistic,
        layers: TunedLayers | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self._heads, self._out_of_scope, self._layers = heads, out_of_scope, layers

    @property
    def tuned(self) -> bool:
        """Whether it has tuned layers of its own, which need token states."""
        return self._layers is not None

    def run(self, questions: Sequence[QueryEncoding]) -> Scores:
        """Return the scores of questions.

        :raises RouterError: When the layers need token states and the encoder gives none.
        """
        features = features_of(questions, self._layers)
        logits, found = signs(features, self._heads)
        return Scores(
            softmax(logits / self._heads.temperature), self._out_of_scope.probability(found)
        )

    def save(self, folder: Path, layers: bytes | None = None) -> None:
        """Write it into a folder.

        :param layers: The graph of its layers; None where it has none.
        """
        from safetensors.numpy import save

        heads = self._heads
        tensors = {
            "weights": heads.weights,
            "bias": heads.bias,
            "out_weights": heads.out_weights,
            "prototypes": heads.prototypes,
        }
        tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        facts = {
            "labels": self.labels,
            "out_bias": heads.out_bias,
            "temperature": heads.temperature,
            "out_of_scope": self._out_of_scope.to_dict(),
            "tuned": layers is not None,
        }
        write_whole(folder / HEADS, save(tensors))
        write_whole(folder / FACTS, json.dumps(facts).encode())
        if layers is not None:
            write_whole(folder / LAYERS, layers)

    @classmethod
    def load(cls, folder: Path) -> "Classifier":
        """Return the classifier in a folder.

        :raises RouterError: When it cannot be read.
        """
        from safetensors.numpy import load_file

        try:
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            tensors = load_file(folder / HEADS)
            heads = Heads(**tensors, out_bias=facts["out_bias"], temperature=facts["temperature"])
            layers = TunedLayers(folder / LAYERS) if facts["tuned"] else None
            return cls(facts["labels"], heads, Logistic.from_dict(facts["out_of_scope"]), layers)
        except Exception as error:  # safetensors and ONNX Runtime raise bare Exception
            raise RouterError(
                f"the router in {folder} is damaged ({error}): run `expert router fit`"
            ) from None


def features_of(questions: Sequence[QueryEncoding], layers: TunedLayers | None) -> Floats:
    """Return float32 [n, d]: what the heads stand on, normalised.

    That is the encoder's vector beside the mean of its token states, which tell more than the
    vector alone, where there are any; and with tuned layers their vector before both.
    """
    plain = plain_features(questions)
    if layers is None:
        return plain
    tuned = layers.run(_with_states([question.tokens for question in questions]))
    return joined_features(tuned, plain)


def plain_features(questions: Sequence[QueryEncoding]) -> Floats:
    """Return float32 [n, d] of what the encoder itself gives, normalised."""
    vectors = np.stack([question.vector for question in questions])
    tokens = [question.tokens for question in questions]
    if any(one is None for one in tokens):
        return vectors
    means = np.stack([one.states.mean(axis=0) for one in _with_states(tokens)])
    return joined_features(vectors, means / np.linalg.norm(means, axis=1, keepdims=True))


def joined_features(first: Floats, second: Floats) -> Floats:
    """Return normalised features beside each other, normalised: their cosines' mean counts."""
    joined: Floats = np.hstack([first, second]).astype(np.float32) / np.float32(np.sqrt(2))
    return joined


def _with_states(tokens: Sequence[TokenStates | None]) -> list[TokenStates]:
    found = [one for one in tokens if one is not None]
    if len(found) < len(tokens):
        raise RouterError("this embedder gives no token states: run `expert router fit`")
    return found


def signs(features: Floats, heads: Heads) -> tuple[Floats, Floats]:
    """Return the classes' logits [n, k], and the signs [n, 6] of belonging to none.

    They are the trained logit, the doubt and the entropy of the classes' distribution, its
    negative log-sum-exp (energy, arXiv 2010.03759), and how far the nearest and the fifth
    nearest prototype are (arXiv 2204.06507).
    """
    # Of one row on one thread: to wake another takes longer.
    one = len(features) == 1
    product = np.einsum("nd,dk->nk", features, heads.weights) if one else features @ heads.weights
    logits: Floats = product + heads.bias
    out = features @ heads.out_weights + np.float32(heads.out_bias)
    shares = softmax(logits)
    near = np.vecdot(heads.prototypes, features)[None] if one else features @ heads.prototypes.T
    few = min(NEAREST, near.shape[1])
    nearest = -np.partition(-near, few - 1, axis=1)[:, :few]
    found = np.stack(
        [
            out,
            np.log(1 - shares.max(axis=1) + _LEAST),
            -(shares * np.log(shares + 1e-9)).sum(axis=1),
            -np.logaddexp.reduce(logits, axis=1),
            -nearest.max(axis=1),
            -nearest.min(axis=1),
        ],
        axis=1,
    )
    return logits, found.astype(np.float32)


def softmax(logits: NDArray[np.float32]) -> Floats:
    """Return the softmax of each row."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def thresholds(scores: Scores, wanted: Sequence[int]) -> float:
    """Return the probability from which a question counts as out of scope.

    It is the one at which in-scope questions told rightly, and out-of-scope ones told as
    such, are as many as can be in the worse of the two shares.

    :param wanted: Of each question the class it belongs to, -1 for none.
    """
    gold = np.asarray(wanted)
    right = scores.classes.argmax(axis=1) == gold
    inside = gold >= 0
    limits = np.unique(scores.out_of_scope)
    best = max(
        limits,
        key=lambda limit: min(
            float((right & (scores.out_of_scope < limit))[inside].mean()),
            float((scores.out_of_scope >= limit)[~inside].mean()),
        ),
    )
    return float(best)
