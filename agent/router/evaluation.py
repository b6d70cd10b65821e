"""What a router did with the questions of a suite, and what that comes to."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from agent.router.decision import ROUTES
from agent.router.statistics import (
    Comparison,
    auroc,
    auroc_interval,
    calibration_error,
    calibration_interval,
    interval,
    paired_bootstrap,
)

_ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Routed:
    """What the router did with one question.

    :param question: The question.
    :param wanted: The route that the suite names; None when only success is known.
    :param taken: The route that the router chose.
    :param confidence: Probability, as the router has it, that this route succeeds.
    :param out_of_scope: Probability that the question is none of the workspace's.
    :param reasons: Why it chose so.
    :param stage: 1 when the documents were not looked at to choose, 2 when they were.
    :param latency_ms: How long the choice took.
    :param success: How right each route's answer is, from 0 to 1; None when only the wanted
        route is known.
    :param costs: What each route's answer costs.
    """

    question: str
    wanted: str | None
    taken: str
    confidence: float
    out_of_scope: float
    reasons: tuple[str, ...]
    stage: int
    latency_ms: float
    success: Mapping[str, float] | None
    costs: Mapping[str, float]

    @property
    def best(self) -> tuple[str, ...]:
        """The routes that are right: the wanted one, or those that succeed most."""
        if self.wanted is not None:
            return (self.wanted,)
        most = max(self.success.values()) if self.success else 0.0
        return ordered(name for name, value in (self.success or {}).items() if value == most)

    @property
    def sent_right(self) -> bool:
        """Whether the route taken is among the right ones; of an unjudged question, True."""
        return not self.best or self.taken in self.best

    @property
    def correct(self) -> float | None:
        """What the confidence is to foretell: success where it is known, else being right."""
        if self.success is not None:
            return self.success.get(self.taken, 0.0)
        return None if self.wanted is None else float(self.sent_right)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a router did with a suite.

    :param routed: Its questions, in order.
    :param router_version: Which router.
    :param curve: What other prices of a cost come to: λ, mean cost, success.
    """

    routed: tuple[Routed, ...]
    router_version: str
    curve: tuple[tuple[float, float, float], ...]

    @property
    def judged(self) -> tuple[Routed, ...]:
        """The questions with a wanted route."""
        return tuple(one for one in self.routed if one.wanted is not None)

    @property
    def tried(self) -> tuple[Routed, ...]:
        """The questions with a known success of every route."""
        return tuple(one for one in self.routed if one.success is not None)

    @property
    def routes(self) -> tuple[str, ...]:
        """All routes that are wanted or taken."""
        return ordered(route for pair in self.confusion() for route in pair)

    def figures(self) -> dict[str, float]:
        """Return what the router is judged by; what cannot be known is not among it.

        ``right`` is the share sent the wanted way, ``precision_ROUTE`` and ``recall_ROUTE`` are
        of those, ``success`` is how right the answers of the routes taken are, and
        ``stage_2`` the share for which the documents were looked at. ``calibration_error`` is
        of the confidence in that success or, where it is not known, in the wanted route.
        ``auroc_out_of_scope`` is of questions whose wanted route is to abstain. Of times the
        middle and the 95th of a hundred are given.
        """
        found: dict[str, float] = {"questions": len(self.routed)}
        found |= {name: float(np.mean(each)) for name, each in self._means().items()}
        if sure := self.confidences():
            found["calibration_error"] = calibration_error(*sure)
        if scopes := self._scopes():
            found["auroc_out_of_scope"] = auroc(*scopes)
        if self.routed:
            times = [one.latency_ms for one in self.routed]
            found["latency_p50_ms"], found["latency_p95_ms"] = map(
                float, np.percentile(times, [50, 95])
            )
        return found

    def intervals(self, *, seed: int = 0, resamples: int = 1000) -> dict[str, tuple[float, float]]:
        """Return the 95 % bootstrap interval of each figure that has one."""
        found = {
            name: interval(each, seed=seed, resamples=resamples)
            for name, each in self._means().items()
        }
        if sure := self.confidences():
            found["calibration_error"] = calibration_interval(*sure, seed=seed, resamples=resamples)
        if scopes := self._scopes():
            found["auroc_out_of_scope"] = auroc_interval(*scopes, seed=seed, resamples=resamples)
        return found

    def confusion(self) -> dict[tuple[str, str], int]:
        """Count the questions by wanted route and route taken."""
        return dict(Counter((one.wanted, one.taken) for one in self.judged if one.wanted))

    def sent_wrong(self) -> list[Routed]:
        """Return the questions that another route was right for, the surest first."""
        wrong = [one for one in self.routed if not one.sent_right]
        return sorted(wrong, key=lambda one: -one.confidence)

    def confidences(self) -> tuple[list[float], list[float]] | None:
        """Return how sure the router was, and how right, where that is known.

        None when it is of no question.
        """
        known = [(one.confidence, one.correct) for one in self.routed if one.correct is not None]
        return ([sure for sure, _ in known], [right for _, right in known]) if known else None

    def successes(self, choose: Callable[[Routed], str] = lambda one: one.taken) -> list[float]:
        """Return how right each tried question is answered, in order.

        :param choose: Names the route of a question; the one that was taken by default.
        """
        return [(one.success or {}).get(choose(one), 0.0) for one in self.tried]

    def chosen(self) -> tuple[float, float] | None:
        """Return success and mean cost of the routes taken; None when no success is known."""
        return self._of(lambda one: one.taken) if self.tried else None

    def fixed_routes(self) -> dict[str, tuple[float, float]]:
        """Return success and mean cost if every question took the same route.

        Routes whose success or cost some question lacks are left out.
        """
        if not self.tried:
            return {}
        known = set.intersection(*({*(one.success or {})} & {*one.costs} for one in self.tried))
        return {route: self._of(_always(route)) for route in ordered(known)}

    def oracle(self) -> tuple[float, float] | None:
        """Return success and mean cost of the cheapest best route of each question.

        None when no success is known.
        """
        return self._of(oracle_route) if self.tried else None

    def compared(self, *, seed: int = 0) -> dict[str, Comparison]:
        """Compare the success of the routes taken with each fixed route and with the oracle."""
        others = {route: _always(route) for route in self.fixed_routes()}
        if self.tried:
            others["oracle"] = oracle_route
        return {
            name: paired_bootstrap(self.successes(), self.successes(choose), seed=seed)
            for name, choose in others.items()
        }

    def _of(self, choose: Callable[[Routed], str]) -> tuple[float, float]:
        costs = [one.costs.get(choose(one), 0.0) for one in self.tried]
        return float(np.mean(self.successes(choose))), float(np.mean(costs))

    def _means(self) -> dict[str, list[float]]:
        """Return each figure that is a mean, as what it is the mean of."""
        found: dict[str, list[float]] = {}
        if self.judged:
            found["right"] = [float(one.sent_right) for one in self.judged]
        if self.tried:
            found["success"] = self.successes()
        costs = [one.costs[one.taken] for one in self.routed if one.taken in one.costs]
        if costs:
            found["mean_cost"] = costs
        for route in self.routes:
            taken = [one.wanted == route for one in self.judged if one.taken == route]
            wanted = [one.taken == route for one in self.judged if one.wanted == route]
            if taken:
                found[f"precision_{route}"] = [*map(float, taken)]
            if wanted:
                found[f"recall_{route}"] = [*map(float, wanted)]
        if self.routed:
            found["stage_2"] = [float(one.stage == 2) for one in self.routed]
        return found

    def _scopes(self) -> tuple[list[float], list[float]] | None:
        outside = [one.out_of_scope for one in self.judged if one.wanted == _ABSTAIN]
        inside = [one.out_of_scope for one in self.judged if one.wanted != _ABSTAIN]
        return (outside, inside) if outside and inside else None


def oracle_route(one: Routed) -> str:
    """Return the cheapest of the routes that succeed most with a tried question."""
    success = one.success or {}
    return min(success, key=lambda route: (-success[route], one.costs.get(route, 0.0), route))


def _always(route: str) -> Callable[[Routed], str]:
    return lambda _: route


def ordered(routes: Iterable[str]) -> tuple[str, ...]:
    """Return different routes: the known ones as they are always listed, then others."""
    found = set(routes)
    return (*(r for r in ROUTES if r in found), *sorted(found.difference(ROUTES)))
