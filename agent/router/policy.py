"""Which route to take: the likeliest to serve, less what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Takes the route of the highest P(success) − λ · cost.

    :param costs: Of each route, in any one unit.
    :param cost_weight: λ: how much success a unit of cost is worth.
    :param margin: Under this lead over the next route the question counts as undecided.
    """

    costs: Mapping[str, float]
    cost_weight: float = 0.02
    margin: float = 0.5

    def choose(self, probabilities: Mapping[str, float]) -> tuple[str, float]:
        """Return the route, and its lead over the next one.

        :param probabilities: Of each route that there is, that it serves.
        """
        values = {
            route: probability - self.cost_weight * self.costs.get(route, 0.0)
            for route, probability in probabilities.items()
        }
        # On a tie the cheaper one, then the one named first.
        order = sorted(values, key=lambda route: (-values[route], self.costs.get(route, 0.0)))
        lead = values[order[0]] - values[order[1]] if len(order) > 1 else 1.0
        return order[0], lead
