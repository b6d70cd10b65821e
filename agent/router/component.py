"""The router as a Haystack component: one output for each route."""

from pathlib import Path
from typing import Any

from haystack import component, default_from_dict, default_to_dict

from agent.planning import Planner
from agent.printable import printable
from agent.router.decision import Decision
from agent.routes import Routes
from agent.workspace import Workspace


@component
class QuestionRouter:
    """Sends a question to the output of the route that serves it best.

    Only the output of the route taken is given, so that in a pipeline only what is connected
    to it runs; ``decision`` always is, and ``adapter`` where one writes.

    :param workspace: Folder of the workspace whose router decides.
    """

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        self._routes: Routes | None = None

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component."""
        data: dict[str, Any] = default_to_dict(self, workspace=self.workspace)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "QuestionRouter":
        """Make a component of what :meth:`to_dict` returned."""
        router: QuestionRouter = default_from_dict(cls, data)
        return router

    def warm_up(self) -> None:
        """Open the router.

        :raises RouterError: When it cannot be read.
        """
        if self._routes is None:
            self._routes = Routes(Workspace(Path(self.workspace)))
        _ = self._routes.router

    @component.output_types(
        retrieval=str, expert=str, hybrid=str, abstain=str, adapter=str, decision=Decision
    )
    def run(self, question: str, follows: bool = False) -> dict[str, Any]:
        """Decide about a question.

        :param question: Any text.
        :param follows: Whether a conversation goes before it.
        :returns: The question under the route's name, the ``decision``, and the ``adapter``.
        """
        self.warm_up()
        routes = self._routes
        assert routes is not None  # noqa: S101 - opened just now
        (decision,) = Planner(routes, None, None).decide([printable(question)], [follows])
        found: dict[str, Any] = {decision.route: question, "decision": decision}
        if decision.adapter is not None:
            found["adapter"] = decision.adapter
        return found
