"""Why a question takes its route, and what would send it elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.planning import FOR_TABLES
from agent.router.decision import Decision
from agent.router.router import Router, without_memory
from pipelines.embed.embedder import QueryEncoding

_FEW = 3
_STEPS = 41
_FAR = 3.0
_SAID = {
    "foreign": "nearness to everyday questions",
    "adapter": "nearness to what the adapter was trained on",
    "adapter_few": "nearness to the three nearest trained questions",
    "adapter_words": "words shared with the nearest trained question",
    "adapter_lead": "lead over the next adapter",
    "adapter_strange": "words that no question of the adapter has",
    "strange": "words that stand nowhere in the workspace",
    "passages": "nearness to the passages",
    "words": "length",
    "parts": "number of parts",
    "times": "words of time",
    "numbers": "numbers",
    "identifiers": "identifiers",
    "titles": "words of documents' titles",
    "follows": "a conversation before it",
    "stale": "changed documents of the adapter",
    "found": "nearness to the passages found",
    "found_score": "score of the best passage",
    "found_lead": "lead of the best passage",
    "found_spread": "spread of the passages' scores",
    "found_words": "words shared with the best passage",
    "found_keywords": "keyword score",
    "part_adapter": "nearness of a part to what the adapter was trained on",
    "part_passages": "nearness of a part to the passages",
    "part_contrast": "parts that lean different ways",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What a feature would have to be for another route.

    :param feature: Its name, and
    :param said: in words.
    :param now: What it is.
    :param then: What it would have to be.
    :param route: Where the question would go.
    """

    feature: str
    said: str
    now: float
    then: float
    route: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a question takes its route.

    :param decision: The decision.
    :param weighed: What spoke most for it against the next route: name, words, value, weight.
    :param examples: Trained questions that are nearest: adapter, question, cosine.
    :param changes: What would send it elsewhere, the smallest change first.
    """

    decision: Decision
    weighed: tuple[tuple[str, str, float, float], ...]
    examples: tuple[tuple[str, str, float], ...]
    changes: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``expert router explain --json`` prints it."""
        return {
            "decision": self.decision.to_dict(),
            "weighed": [
                {"feature": name, "meaning": said, "value": round(value, 4), "weight": round(w, 4)}
                for name, said, value, w in self.weighed
            ],
            "examples": [
                {"adapter": adapter, "question": question, "cosine": round(cosine, 4)}
                for adapter, question, cosine in self.examples
            ],
            "changes": [
                {
                    "feature": change.feature,
                    "meaning": change.said,
                    "now": round(change.now, 4),
                    "then": round(change.then, 4),
                    "route": change.route,
                }
                for change in self.changes
            ],
        }


def explain(router: Router, question: str, decision: Decision) -> Explanation:
    """Explain a decision.

    :param router: The one that decided.
    :param question: What it decided about.
    """
    features = decision.features
    if features is None:
        return Explanation(decision, (), (), ())
    encoding = router.embedder.embed_query(router.read(question))
    examples = _examples(router, encoding)
    if FOR_TABLES in decision.reasons:
        # Whatever the heads weigh, it would not go elsewhere.
        return Explanation(decision, (), examples, ())
    return Explanation(
        decision,
        _weighed(router, decision, features),
        examples,
        _changes(router, decision, features, encoding),
    )


def _weighed(
    router: Router, decision: Decision, features: Mapping[str, float]
) -> tuple[tuple[str, str, float, float], ...]:
    """Return the features that set the route taken most apart from the next one."""
    others = sorted(
        (route for route in decision.probabilities if route != decision.route),
        key=lambda route: -decision.probabilities[route],
    )
    if not others:
        return ()
    names = router.success.names[decision.stage]
    heads = router.success.heads[decision.stage]
    total = np.zeros(len(names))
    for sign, route in ((1, decision.route), (-1, others[0])):
        head = heads[route]
        count = len(names)
        values = np.array([features.get(name, 0.0) for name in names])
        total += sign * head.shares(values, count)
    order = np.argsort(-np.abs(total))[: 2 * _FEW]
    return tuple(
        (names[at], _SAID[names[at]], features.get(names[at], 0.0), float(total[at]))
        for at in order
    )


def _examples(router: Router, encoding: QueryEncoding) -> tuple[tuple[str, str, float], ...]:
    found = [
        (name, known.questions[at], float(cosine))
        for name, known in router.memory.adapters.items()
        for at, cosine in enumerate(known.vectors @ encoding.vector)
    ]
    return tuple(sorted(found, key=lambda one: -one[2])[:_FEW])


def _changes(
    router: Router, decision: Decision, features: Mapping[str, float], encoding: QueryEncoding
) -> tuple[Change, ...]:
    """Return for each feature the nearest value at which the route would be another."""
    stage = decision.stage
    head = next(iter(router.success.heads[stage].values()))
    # No head tells 0: the adapter's documents have changed, whatever the features are.
    is_outdated = decision.probabilities.get("expert") == 0
    found: list[tuple[float, Change]] = []
    for name, scale in zip(router.success.names[stage], head.scales, strict=False):
        now = features.get(name, 0.0)
        for step in sorted(_steps(), key=abs):
            then = now + step * scale
            heads = router.success.probabilities({**features, name: then}, stage, encoding)
            told: dict[str, float] = {route: heads[route] for route in router.routes}
            route, _ = router.policy.choose(without_memory(told) if is_outdated else told)
            if route != decision.route and scale > 1e-3:
                found.append((abs(step), Change(name, _SAID[name], now, then, route)))
                break
    found.sort(key=lambda one: one[0])
    return tuple(change for _, change in found[:_FEW])


def _steps() -> Sequence[float]:
    return [float(step) for step in np.linspace(-_FAR, _FAR, _STEPS) if step]
