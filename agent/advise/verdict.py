"""The rule that says which way to use, how sure that is, or how many more questions it takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.router.statistics import Comparison, paired_bootstrap

MATTERS = 0.1
"""So many more right answers are worth a training and its upkeep."""
USEFUL = 0.1
"""A way that answers no larger share rightly is of no use."""
Outcome = Literal["use", "open", "none"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a way.

    :param scores: How right it was on each question, from 0 to 1; of all ways on the same ones.
    :param is_trained: Whether it needs an adapter, which must be trained, kept and trained again.
    :param told_old: Share of changed facts that it tells as they were; None where not measured.
    :param seconds: Seconds that it takes for a question; None where not measured.
    """

    scores: Sequence[float]
    is_trained: bool
    told_old: float | None = None
    seconds: float | None = None

    @property
    def mean(self) -> float:
        """How right it was on average."""
        return sum(self.scores) / len(self.scores)

    @property
    def upkeep(self) -> tuple[bool, float, float]:
        """What of equally right ways is to be low: training, stale answers, time."""
        return self.is_trained, self.told_old or 0.0, self.seconds or 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which way to use.

    :param outcome: ``use`` it; ``open`` where questions are too few to tell; ``none`` where no
        way is of use.
    :param way: The one to use; with ``open`` the one to begin with, with ``none`` the best.
    :param best: The most right one.
    :param against: The way to use less each other, with its 95 % interval.
    :param more: Questions more that would tell; 0 unless open.
    """

    outcome: Outcome
    way: str
    best: str
    against: Mapping[str, Comparison]
    more: int = 0

    @property
    def is_clear(self) -> bool:
        """Whether it is better than every other way by more than chance."""
        return all(found.low > 0 for found in self.against.values())


def decide(candidates: Mapping[str, Candidate]) -> Verdict:
    """Say which way to use.

    The most right way is used unless another is as right as far as can be told (the paired 95 %
    bootstrap interval of their difference holds 0) and costs less upkeep: no training before
    training, then fewer stale answers, then less time. If that other may yet be worse by more
    than :data:`MATTERS`, nothing is decided: questions are too few. Nor is any way advised where
    the best is right on no more than :data:`USEFUL` of the questions.

    :param candidates: By name, at least one.
    """
    best = min(candidates, key=lambda way: (-candidates[way].mean, candidates[way].upkeep))
    if candidates[best].mean <= USEFUL:
        return Verdict("none", best, best, _against(candidates, best))
    lead = _against(candidates, best)
    alike = [best, *(way for way, found in lead.items() if found.low <= 0)]
    way = min(alike, key=lambda one: (candidates[one].upkeep, -candidates[one].mean))
    against = _against(candidates, way)
    if way != best and lead[way].high > MATTERS:
        count = len(candidates[best].scores)
        return Verdict("open", way, best, against, _more(lead[way], count))
    return Verdict("use", way, best, against)


def _against(candidates: Mapping[str, Candidate], way: str) -> dict[str, Comparison]:
    return {
        other: paired_bootstrap(candidates[way].scores, candidate.scores)
        for other, candidate in candidates.items()
        if other != way
    }


def _more(lead: Comparison, count: int) -> int:
    """Return how many more questions would narrow the interval until it tells.

    It tells when its lower end leaves 0 behind, or its upper end comes down to what matters;
    its width falls with the square root of the number of questions.
    """
    half = (lead.high - lead.low) / 2
    gap = max(lead.difference, MATTERS - lead.difference)
    return max(10, 10 * math.ceil(count * ((half / gap) ** 2 - 1) / 10))
