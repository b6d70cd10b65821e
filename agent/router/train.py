"""Train a classifier's heads, and on demand the encoder's last layers under them."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agent.errors import RouterError
from agent.router.calibration import fit_logistic, fit_temperature
from agent.router.classifier import Classifier, Heads, features_of, plain_features, signs
from agent.router.slips import Slips
from agent.router.tuned import TunedLayers, batches_of, padded
from pipelines.embed.embedder import Floats, QueryEncoding

# Normalised features are made this long, as softmax needs room.
_SCALE = 8.0
_SMOOTHING = 0.1
_BATCH = 64
_HEADS_RATE, _LAYERS_RATE = 3e-3, 3e-4
_FOLDS = 5
_FEW = 5_000
_HELD_OUT = 0.1
_PROTOTYPES, _MOST_PROTOTYPES = 5, 1024
# Questions that the scales of the tuned layers' int8 products are fixed by.
_SAMPLED = 512
# Mean cosine of vectors in int8 to those in fp32, below which the latter are kept.
_LEAST_COSINE = 0.99

Progress = Callable[[int, int], None]
"""Called with the steps done and their total."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Encoded questions with their classes.

    :param encodings: The questions.
    :param wanted: int64 [n]: the class of each, -1 for none.
    """

    encodings: Sequence[QueryEncoding]
    wanted: np.ndarray

    def __len__(self) -> int:
        return len(self.wanted)

    def at(self, places: np.ndarray) -> "Questions":
        """Return those at some places."""
        return Questions([self.encodings[place] for place in places], self.wanted[places])

    def with_slips(self, slips: Slips | None, places: np.ndarray) -> "Questions":
        """Return those at some places, and the same with slips."""
        part = self.at(places)
        if slips is None:
            return part
        there: np.ndarray = np.flatnonzero(np.isin(slips.of, places))
        more = [slips.encodings[place] for place in there]
        wanted = np.concatenate([part.wanted, self.wanted[slips.of[there]]])
        return Questions([*part.encodings, *more], wanted)


@dataclass(frozen=True, slots=True)
class Trained:
    """A classifier, and the graph of its tuned layers where it has some."""

    classifier: Classifier
    layers: bytes | None


def train(
    labels: Sequence[str],
    questions: Questions,
    *,
    slips: Slips | None = None,
    calibration: Questions | None = None,
    out_of_scope_share: float | None = None,
    body: nn.Module | None = None,
    epochs: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trained:
    """Train a classifier.

    :param labels: The classes.
    :param questions: What to learn from; of each class one at least, and some of none.
    :param slips: The questions once more, with slips of the finger; learned from beside them.
    :param calibration: Questions to calibrate on that are not learned from; without them a
        tenth of each class is held out, or every question is told by heads that have not seen it.
    :param out_of_scope_share: Share of questions out of scope where it is to be used; None for
        that among the calibration questions.
    :param body: The encoder's layers to tune a copy of; see :func:`last_layers`. None to learn
        heads alone.
    :param epochs: Times that each question is learned from.
    :param seed: Of the first weights and the order.
    :param progress: Told how far it is.
    """
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    every, kept = questions, np.arange(len(questions))
    if calibration is None and (body is not None or len(questions) > _FEW):
        held = _held_out(every.wanted, chance)
        calibration, kept = every.at(np.flatnonzero(held)), np.flatnonzero(~held)
    questions = every.with_slips(slips, kept)
    net = _Net(len(labels), questions, None)
    _learn(net, questions, epochs, seed, None if body is not None else progress)
    heads, graph = net.heads(), None
    if body is not None:
        net = _Net(len(labels), questions, body)
        _learn(net, questions, epochs, seed, progress)
        # Neither knows what the other does: their logits are added.
        samples = questions.at(chance.permutation(len(questions))[:_SAMPLED])
        heads, graph = _added(net.heads(), heads), net.export(samples)
    layers = _layers(graph)
    features = features_of(questions.encodings, layers)
    heads = replace(heads, prototypes=_prototypes(features, questions.wanted, chance))
    if calibration is not None:
        logits, found = signs(features_of(calibration.encodings, layers), heads)
        wanted = calibration.wanted
    else:
        logits, found, wanted = _cross_fitted(labels, every, slips, epochs, seed, chance)
    inside = wanted >= 0
    if inside.any():
        heads = replace(heads, temperature=fit_temperature(logits[inside], wanted[inside]))
    out_of_scope = fit_logistic(found, ~inside, share=out_of_scope_share)
    return Trained(Classifier(labels, heads, out_of_scope, layers), graph)


def last_layers(folder: Path) -> nn.Module:
    """Return the layers of an encoder above the states that it gives, as a module.

    :param folder: The sentence-transformers model.
    :raises RouterError: When its layers are not laid out as BERT's are.
    """
    from pipelines.embed.torch_model import SentenceEncoder

    body: Any = SentenceEncoder(folder).body
    layers = getattr(getattr(body, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList):
        raise RouterError("this embedder's layers cannot be tuned: fit without --tune")
    return nn.ModuleList(list(layers)[round(len(layers) * 2 / 3) :])


def _held_out(wanted: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return which questions are held out: a tenth of each class, one at least of two or more."""
    held = np.zeros(len(wanted), dtype=bool)
    for label in np.unique(wanted):
        places = chance.permutation(np.flatnonzero(wanted == label))
        held[places[: max(round(_HELD_OUT * len(places)), int(len(places) > 1))]] = True
    return held


def _added(first: Heads, second: Heads) -> Heads:
    """Return heads on joined features whose logits are the mean of both."""
    half = np.float32(np.sqrt(2) / 2)
    bias: Floats = (first.bias + second.bias) * np.float32(0.5)
    return Heads(
        np.concatenate([first.weights, second.weights]) * half,
        bias,
        np.concatenate([first.out_weights, second.out_weights]) * half,
        (first.out_bias + second.out_bias) / 2,
        np.zeros((0, len(first.out_weights) + len(second.out_weights)), dtype=np.float32),
    )


class _Tuned(nn.Module):
    """Layers, then the mean over tokens, normalised."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = copy.deepcopy(layers)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        seen = (1.0 - mask)[:, None, None, :] * -1e4
        for layer in self.layers:  # type: ignore[attr-defined]
            out = layer(states, attention_mask=seen)
            states = out[0] if isinstance(out, tuple) else out
        kept = mask.unsqueeze(-1)
        return functional.normalize((states * kept).sum(1) / kept.sum(1), dim=-1)


class _Net(nn.Module):
    """Features and the heads on them."""

    def __init__(self, classes: int, questions: Questions, body: nn.Module | None) -> None:
        super().__init__()
        self.tuned = None if body is None else _Tuned(body)
        self.fixed = None if body is not None else plain_features(questions.encodings)
        width = questions.encodings[0].tokens.states.shape[1] if body is not None else 0  # type: ignore[union-attr]
        width = width or self.fixed.shape[1]  # type: ignore[union-attr]
        self.drop = nn.Dropout(0.1)
        self.classes, self.out = nn.Linear(width, classes), nn.Linear(width, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        features = self.drop(features) * _SCALE
        return self.classes(features), self.out(features).squeeze(-1)

    def features(self, questions: Questions, places: np.ndarray) -> Tensor:
        if self.tuned is None:
            assert self.fixed is not None  # noqa: S101 - one of the two is there
            return torch.from_numpy(self.fixed[places])
        tokens = [questions.encodings[place].tokens for place in places]
        states, mask = padded([one.states for one in tokens if one is not None])
        features: Tensor = self.tuned(torch.from_numpy(states), torch.from_numpy(mask))
        return features

    def heads(self) -> Heads:
        with torch.no_grad():
            weights = (self.classes.weight.T * _SCALE).float().contiguous().numpy()
            out = (self.out.weight[0] * _SCALE).float().numpy()
            return Heads(
                weights.copy(),
                self.classes.bias.float().numpy().copy(),
                out.copy(),
                float(self.out.bias[0]),
                np.zeros((0, len(out)), dtype=np.float32),
            )

    def export(self, samples: Questions) -> bytes:
        """Return the tuned layers as an ONNX graph, BERT's operators fused.

        Products are in int8, unless that changes the vectors of the samples.
        """
        from pipelines.embed.export import fuse
        from pipelines.embed.quantise import quantise

        assert self.tuned is not None  # noqa: S101 - only called when it is
        width = self.classes.in_features
        example = torch.zeros(2, 7, width), torch.ones(2, 7)
        axes = {0: "texts", 1: "tokens"}
        with TemporaryDirectory() as folder:
            raw, fused, target = (
                Path(folder) / f"{name}.onnx" for name in ("raw", "fused", "int8")
            )
            torch.onnx.export(
                self.tuned.eval(),
                example,
                str(raw),
                input_names=["states", "mask"],
                output_names=["vector"],
                dynamic_axes={"states": axes, "mask": axes, "vector": {0: "texts"}},
                opset_version=17,
                dynamo=False,
            )
            fuse(raw, fused)
            quantise(fused, target, list(_in_batches(samples)))
            exact, rounded = (
                TunedLayers(path).run([one.tokens for one in samples.encodings if one.tokens])
                for path in (fused, target)
            )
            harmless = float((exact * rounded).sum(axis=1).mean()) >= _LEAST_COSINE
            return (target if harmless else fused).read_bytes()


def _in_batches(questions: Questions) -> Iterator[dict[str, Floats]]:
    """Yield the states of questions and their masks, as the tuned layers take them."""
    texts = [one.tokens for one in questions.encodings if one.tokens is not None]
    for places in batches_of(texts):
        states, mask = padded([texts[at].states for at in places])
        yield {"states": states, "mask": mask}


def _learn(
    net: _Net, questions: Questions, epochs: int, seed: int, progress: Progress | None
) -> None:
    heads = [*net.classes.parameters(), *net.out.parameters()]
    groups = [{"params": heads, "lr": _HEADS_RATE if net.tuned else _HEADS_RATE * 3}]
    if net.tuned is not None:
        groups.append({"params": list(net.tuned.parameters()), "lr": _LAYERS_RATE})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = epochs * -(-len(questions) // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.06 * steps)) * max(0.0, 1 - step / steps)
    )
    wanted = torch.from_numpy(questions.wanted)
    chance = np.random.default_rng(seed)
    done = 0
    net.train()
    for _ in range(epochs):
        for places in _batches(questions, chance):
            with torch.autocast("cpu", torch.bfloat16, enabled=net.tuned is not None):
                classes, out = net(net.features(questions, places))
            classes, out, gold = classes.float(), out.float(), wanted[places]
            inside = gold >= 0
            loss = functional.binary_cross_entropy_with_logits(out, (~inside).float())
            if inside.any():
                loss = loss + functional.cross_entropy(
                    classes[inside], gold[inside], label_smoothing=_SMOOTHING
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            done += 1
            if progress is not None:
                progress(done, steps)
    net.eval()


def _batches(questions: Questions, chance: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield places in batches of about equal length, in a new order."""
    order = chance.permutation(len(questions))
    lengths = np.array(
        [0 if one.tokens is None else len(one.tokens.states) for one in questions.encodings]
    )
    found = []
    for start in range(0, len(order), 20 * _BATCH):
        window = order[start : start + 20 * _BATCH]
        window = window[np.argsort(lengths[window], kind="stable")]
        found += [window[at : at + _BATCH] for at in range(0, len(window), _BATCH)]
    for at in chance.permutation(len(found)):
        yield found[at]


def _cross_fitted(
    labels: Sequence[str],
    questions: Questions,
    slips: Slips | None,
    epochs: int,
    seed: int,
    chance: np.random.Generator,
) -> tuple[Floats, Floats, np.ndarray]:
    """Return logits and signs of questions, each from heads that have not learned from it."""
    fold = chance.permutation(len(questions)) % _FOLDS
    logits = np.zeros((len(questions), len(labels)), dtype=np.float32)
    found = np.zeros((len(questions), 6), dtype=np.float32)
    for number in range(_FOLDS):
        kept, told = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if not len(told):
            continue
        part = questions.with_slips(slips, kept)
        net = _Net(len(labels), part, None)
        _learn(net, part, epochs, seed, None)
        features = plain_features(part.encodings)
        heads = replace(net.heads(), prototypes=_prototypes(features, part.wanted, chance))
        logits[told], found[told] = signs(plain_features(questions.at(told).encodings), heads)
    return logits, found, questions.wanted


def _prototypes(features: Floats, wanted: np.ndarray, chance: np.random.Generator) -> Floats:
    """Return what the questions of each class are like: up to five means of each (k-means)."""
    classes = [features[wanted == label] for label in np.unique(wanted[wanted >= 0])]
    most = max(1, min(_PROTOTYPES, _MOST_PROTOTYPES // max(1, len(classes))))
    found: list[Floats] = []
    for members in classes:
        means = members[chance.permutation(len(members))[: min(most, len(members))]]
        for _ in range(10):
            nearest = (members @ means.T).argmax(axis=1)
            means = np.stack(
                [
                    members[nearest == place].mean(axis=0) if (nearest == place).any() else mean
                    for place, mean in enumerate(means)
                ]
            )
            means /= np.linalg.norm(means, axis=1, keepdims=True)
        found.append(means)
    joined: Floats = np.concatenate(found).astype(np.float32)
    return joined


def _layers(graph: bytes | None) -> TunedLayers | None:
    if graph is None:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layers.onnx"
        path.write_bytes(graph)
        return TunedLayers(path)
