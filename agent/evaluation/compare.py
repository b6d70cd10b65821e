"""Which way is best, by how much, and whether that is more than chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agent.evaluation.metrics import Judged, Measured
from agent.reply import Reply
from agent.router.statistics import Comparison, paired_bootstrap


@dataclass(frozen=True)
class Evaluation:
    """What each way made of the same questions.

    :param ways: By name, as they are listed.
    """

    ways: Mapping[str, Measured]

    @property
    def by(self) -> str:
        """What ways are judged by: ``right``, or ``f1`` where no accepted words are known."""
        asked = [one for one in next(iter(self.ways.values())).judged if one.question.has_answer]
        known = any(one.right is not None for one in asked) or not asked
        return "right" if known else "f1"

    @cached_property
    def order(self) -> list[str]:
        """The ways, best first; of equals the cheaper one."""
        figures = {way: measured.figures for way, measured in self.ways.items()}
        by = self.by
        return sorted(figures, key=lambda way: (-figures[way][by], figures[way].get("cost", 0.0)))

    @property
    def best(self) -> str:
        """The best way."""
        return self.order[0]

    @cached_property
    def compared(self) -> dict[str, dict[str, Comparison]]:
        """By how much the best way is better than each other, in ``right`` and ``f1``."""
        best, *others = self.order
        found: dict[str, dict[str, Comparison]] = {}
        for way in self.ways:
            if way in others:
                pairs = list(zip(self.ways[best].judged, self.ways[way].judged, strict=True))
                found[way] = {
                    name: paired_bootstrap([ours for ours, _ in both], [its for _, its in both])
                    for name in ("right", "f1")
                    if (both := [values for pair in pairs if (values := _values(name, *pair))])
                }
        return found

    def verdict(self) -> str:
        """Return in one sentence which way is best, for whoever is to decide."""
        best, *others = self.order
        figures = self.ways[best].figures
        by = self.by
        count = sum(getattr(one, by) is not None for one in self.ways[best].judged)
        name = _named(best)
        head = f"{name[0].upper()}{name[1:]}"
        measure = (
            f"right on {figures['right']:.1%} of {count} questions"
            if by == "right"
            else f"F1 {figures['f1']:.1%} on {count} questions"
        )
        if not others:
            return f"{head}: {measure}."
        found = {way: each[by] for way, each in self.compared.items()}
        parts = [f"{head} is best: {measure}, {_lead(found[others[0]], others[0])}"]
        if best == "router":
            parts.append(f"it {_price(self._cost(best), self._cost(others[0]), 's')}")
        elif "router" in found:
            parts.append(
                f"the router would {_loss(found['router'].difference)} and "
                f"{_price(self._cost('router'), self._cost(best))}"
            )
        return f"{'; '.join(parts)}."

    def worst(self) -> list[int]:
        """Return the places of the questions that some way got wrong, the worst first.

        Those that more ways got wrong are worse, and wrong answers are worse than none.
        """
        count = len(self.ways[self.best].judged)
        bad = [sum(_badness(each.judged[n]) for each in self.ways.values()) for n in range(count)]
        return sorted((n for n in range(count) if bad[n]), key=lambda n: -bad[n])

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as ``expert eval --json`` prints it."""
        ways = {
            way: {
                **measured.figures,
                **{f"{name}_interval": [*ends] for name, ends in measured.intervals.items()},
                "kinds": {kind: share for kind, (share, _) in measured.kinds().items()},
            }
            for way, measured in self.ways.items()
        }
        return {
            "questions": len(self.ways[self.best].judged),
            "ways": ways,
            "compared": {
                way: {name: _told(comparison) for name, comparison in each.items()}
                for way, each in self.compared.items()
            },
            "best": self.best,
            "verdict": self.verdict(),
        }

    def _cost(self, way: str) -> float:
        return self.ways[way].figures.get("cost", 0.0)


def _values(name: str, ours: Judged, theirs: Judged) -> tuple[float, float] | None:
    one, other = getattr(ours, name), getattr(theirs, name)
    return None if one is None or other is None else (one, other)


def _told(found: Comparison) -> dict[str, Any]:
    return {
        "difference": found.difference,
        "interval": [found.low, found.high],
        "p_better": found.p_better,
    }


def _named(way: str) -> str:
    return "the router" if way == "router" else f"always {way}"


def _lead(found: Comparison, other: str) -> str:
    if found.difference == 0:
        return f"the same as {_named(other)}"
    ends = f"95 % from {100 * found.low:+.1f} to {100 * found.high:+.1f}"
    chance = "more than chance" if found.low > 0 else "which may be chance"
    return f"{100 * found.difference:.1f} points more than {_named(other)} ({ends}: {chance})"


def _loss(difference: float) -> str:
    return f"lose {100 * difference:.1f} points" if difference else "lose nothing"


def _price(ours: float, theirs: float, ending: str = "") -> str:
    """Return what a way costs beside another: "save 20% of the cost"."""
    if not theirs:
        return f"cost{ending} {'more' if ours else 'as much'}"
    share = ours / theirs - 1
    if abs(share) < 0.005:
        return f"cost{ending} as much"
    if share < 0:
        return f"save{ending} {-share:.0%} of the cost"
    return f"cost{ending} {share:.0%} more"


def _badness(one: Judged) -> float:
    missed = 1 - (one.right if one.right is not None else one.f1 or 0.0)
    if isinstance(one.reply, Reply) and one.answer is not None:
        return missed * (1 + one.reply.answer.confidence)
    return missed
