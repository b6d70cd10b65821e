"""The façade: ask a question of a workspace's documents and adapters."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from agent.errors import WorkspaceError
from agent.follow_up import Turn, standalone
from agent.printable import printable
from agent.router.decision import ROUTES, Decision
from agent.routes import Reply, Routes
from agent.workspace import Workspace

if TYPE_CHECKING:
    from agent.router.router import Router

__all__ = ["Expert", "Reply"]


class Expert:
    """Answers questions from a workspace; a context manager, opened once for many questions.

    Where the workspace has adapters, its router chooses each question's route, unless the
    caller does.

    :param workspace: The workspace; it must hold an index or an adapter.
    :param answerer: ``quote``, ``phi3``, or None for the one that the settings choose, on the
        route ``retrieval``, which it chooses when no route is given.
    :param adapter: An adapter that answers by itself, from what it has learned, such as
        ``hr`` or ``hr@3``; with the route ``hybrid`` it writes what the documents say.
    :param route: ``retrieval``, ``expert`` or ``hybrid`` for every question; the router chooses
        the adapter where none is given. None to have the router choose the route.
    :raises WorkspaceError: When nothing is indexed and no adapter registered, or a route or
        adapter is not fitting.
    :raises AdapterError: When there is no such adapter.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        answerer: str | None = None,
        adapter: str | None = None,
        route: str | None = None,
    ) -> None:
        self.workspace = workspace
        if route is not None and (route not in ROUTES or route == "abstain"):
            raise WorkspaceError(f"route {route} is not known: retrieval, expert or hybrid")
        if route == "retrieval" and adapter is not None:
            raise WorkspaceError("route retrieval takes no adapter: leave it out, or take hybrid")
        if route is None:
            route = "expert" if adapter is not None else "retrieval" if answerer else None
        if route is None and not _has_adapters(workspace):
            route = "retrieval"
        self._route, self._adapter = route, adapter
        self._routes = Routes(workspace, answerer)
        self._router: Router | None = None
        try:
            self._open()
        except BaseException:
            self._routes.close()
            raise

    def _open(self) -> None:
        if self._adapter is not None:
            self._routes.expert(self._adapter)
        if self._route in ("retrieval", "hybrid"):
            _ = self._routes.pipeline
        if self._route == "retrieval":
            _ = self._routes.answerer
        if self._route is None or (self._route != "retrieval" and self._adapter is None):
            self._router = self._routes.router
            if self._route is not None and not self._router.memory.adapters:
                raise WorkspaceError(
                    f"route {self._route} needs an adapter: `expert train` makes one"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def warm_up(self) -> None:
        """Load what the first question would have to wait for."""
        if self._routes.has_documents and self._route != "expert":
            self._routes.pipeline.warm_up()
            self._routes.answerer.warm_up()
        if self._adapter is not None and self._route == "expert":
            self._routes.expert(self._adapter).warm_up()

    def close(self) -> None:
        """Close the index and what else is open."""
        self._routes.close()

    def decide(self, question: str, *, history: Sequence[Turn] = ()) -> Decision | None:
        """Return how the router would answer a question; None where there is no router."""
        if self._router is None:
            return None
        searched = standalone(printable(question), history)
        probe = (lambda text: self._routes.find(text).hits) if self._routes.has_documents else None
        return self._router.decide(searched, follows=bool(history), probe=probe)

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer a question.

        :param question: The question; a follow-up is completed from the history. What no text
            holds, such as control characters, is left out.
        :param history: The conversation so far, oldest first.
        :param on_text: Told each piece of a language model's reply as it is written.
        """
        question = printable(question)
        searched = standalone(question, history)
        started = time.perf_counter()
        decision = self.decide(question, history=history)
        decided = 1000 * (time.perf_counter() - started)
        route, adapter = self._route, self._adapter
        if decision is not None:
            if route is None:
                route, adapter = decision.route, decision.adapter
            else:
                adapter = self._likeliest(decision)
        assert route is not None  # noqa: S101 - chosen by the caller or by the router
        done = self._routes.take(route, adapter, searched, on_text)
        took = dict(done.took) if decision is None else {"route": decided, **done.took}
        took["total"] = 1000 * (time.perf_counter() - started)
        return Reply(
            question=question,
            searched=searched,
            answer=done.answer,
            route="abstain" if done.answer.abstained else route,
            adapter=done.adapter,
            hits=tuple(done.found.hits),
            evidence=tuple(done.found.evidence),
            timings_ms=took,
            decision=decision,
        )

    def _likeliest(self, decision: Decision) -> str:
        """Return the adapter of the domain that a question most likely belongs to."""
        assert self._router is not None  # noqa: S101 - it has decided
        name = max(decision.domain, key=lambda name: decision.domain[name])
        return self._router.memory.adapters[name].reference


def _has_adapters(workspace: Workspace) -> bool:
    from adapters.registry import Registry

    return bool(Registry(workspace.adapters_folder).names())
