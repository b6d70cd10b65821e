"""Where a question goes, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Route = Literal["retrieval", "expert", "hybrid", "abstain"]
ROUTES: tuple[Route, ...] = get_args(Route)


@dataclass(frozen=True, slots=True)
class Fact:
    """What an adapter was taught, and documents may say otherwise now.

    :param adapter: The adapter, as ``hr@3``.
    :param question: The question that it was taught, and
    :param answer: its answer; None where the adapter's card does not keep it.
    :param documents: Those that it rests on.
    :param nearness: How near the question asked is to it, at most 1.
    """

    adapter: str
    question: str
    answer: str | None
    documents: tuple[str, ...]
    nearness: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Which route a question takes.

    :param route: ``retrieval``, ``expert``, ``hybrid`` or ``abstain``.
    :param adapter: The adapter that writes, as ``hr@3``, on the routes ``expert`` and ``hybrid``.
    :param probabilities: Of each route that there is, how likely it serves the question.
    :param domain: Of each adapter by name, how likely the question belongs to it.
    :param out_of_scope: How likely the question belongs to nothing here.
    :param expected_cost: Cost of the route taken, in the settings' unit.
    :param stage: 1 when the question alone decided, 2 when the index was looked at.
    :param reasons: Why, as sentences.
    :param router_version: The router that decided.
    :param second_adapter: Another adapter that the question may as well belong to, or None.
    :param features: What was seen of the question, by name.
    :param knew: What the question may ask for of what an adapter was taught before the documents
        that it rests on changed: they are looked at for what stands there now. Else None.
    :param nearest: The adapter that the question is nearest to, as ``hr@3``, whatever the route;
        None where there is none, or nothing was asked.
    """

    route: Route
    adapter: str | None
    probabilities: Mapping[str, float]
    domain: Mapping[str, float]
    out_of_scope: float
    expected_cost: float
    stage: int
    reasons: tuple[str, ...]
    router_version: str
    second_adapter: str | None = None
    features: Mapping[str, float] | None = None
    knew: Fact | None = None
    nearest: str | None = None

    @property
    def confidence(self) -> float:
        """How likely the route taken serves the question."""
        return self.probabilities.get(self.route, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as ``expert route --json`` prints it."""
        return {
            "route": self.route,
            "adapter": self.adapter,
            "probabilities": {name: round(p, 4) for name, p in self.probabilities.items()},
            "domain": {name: round(p, 4) for name, p in self.domain.items()},
            "out_of_scope": round(self.out_of_scope, 4),
            "expected_cost": round(self.expected_cost, 4),
            "stage": self.stage,
            "reasons": list(self.reasons),
            "router_version": self.router_version,
            "second_adapter": self.second_adapter,
            "knew": None if self.knew is None else self.knew.adapter,
        }
