"""Semantic-router at the questions that ours is asked, with the same encoder.

    PYTHON benchmarks/routing_rival.py JOB.json

It runs in an environment of its own (`uv pip install semantic-router sentence-transformers`),
since it needs a newer openai than Haystack allows, and prints one JSON object. It is given what
its documentation asks for: every training question as an utterance, a calibrator fitted on
held-out questions, None among them, and a threshold on the confidence. The threshold and how the
scores of a route's utterances are joined are those that do best on the held-out questions, by the
rule by which ours finds its own.
"""

import importlib.metadata
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import PrivateAttr
from semantic_router import IndexedRouter, Route
from semantic_router.encoders.local import LocalEncoder
from semantic_router.index import LocalIndex

AGGREGATIONS = ("mean", "max", "sum")
_WARM_UP = 50


class Remembering(LocalEncoder):
    """Encodes questions in batches beforehand, so that only asking one by one is timed."""

    _known: dict[str, list[float]] = PrivateAttr(default_factory=dict)

    def learn(self, texts: Sequence[str]) -> None:
        self._known.update(zip(texts, super().__call__(list(texts)), strict=True))

    def forget(self) -> None:
        self._known.clear()

    def __call__(self, docs: list[str]) -> list[list[float]]:
        if all(text in self._known for text in docs):
            return [self._known[text] for text in docs]
        return super().__call__(docs)


def asked(router: IndexedRouter, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the best route of each question, and how sure the router is of it."""
    found = [router(text, threshold=0.0) for text in texts]
    return np.array([str(one.name) for one in found]), np.array([one.confidence for one in found])


def shares(
    names: np.ndarray, sure: np.ndarray, gold: np.ndarray, limit: float
) -> tuple[float, ...]:
    """Return the share of in-scope questions told rightly, and of others told to be none."""
    inside = gold != ""
    right = (names == gold) & (sure >= limit)
    return float(right[inside].mean()), float((sure < limit)[~inside].mean())


def main() -> None:
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # Its empty name would be no route: None is the class "" here.
    held_out = [(text, label or "") for text, label in job["validation"]]
    test = [(text, label or "") for text, label in job["test"]]
    encoder = Remembering(name=job["model"], device="cpu")
    routes = [Route(name=name, utterances=texts) for name, texts in job["train"].items()]
    encoder.learn([text for texts in job["train"].values() for text in texts])
    encoder.learn([text for text, _ in held_out + test])
    gold = np.array([label for _, label in held_out])
    best: tuple[float, float, str, IndexedRouter] | None = None
    for aggregation in AGGREGATIONS:
        router = IndexedRouter(
            encoder=encoder, routes=routes, index=LocalIndex(), aggregation=aggregation
        )
        router.fit([text for text, _ in held_out], [label or None for _, label in held_out])
        names, sure = asked(router, [text for text, _ in held_out])
        limits = [*np.unique(sure), 1.1]
        worse = [min(shares(names, sure, gold, limit)) for limit in limits]
        at = int(np.argmax(worse))
        if best is None or worse[at] > best[0]:
            best = worse[at], float(limits[at]), aggregation, router
    assert best is not None
    _, limit, aggregation, router = best
    names, sure = asked(router, [text for text, _ in test])
    in_scope, recall = shares(names, sure, np.array([label for _, label in test]), limit)
    encoder.forget()
    router.confidence_threshold = limit
    taken = []
    for text in job["timed"]:
        started = time.perf_counter()
        router(text)
        taken.append((time.perf_counter() - started) * 1e3)
    figures = {
        "in_scope": in_scope,
        "oos_recall": recall,
        "p50_ms": float(np.median(taken[min(_WARM_UP, len(taken) // 2) :])),
        "aggregation": aggregation,
        "version": importlib.metadata.version("semantic-router"),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
