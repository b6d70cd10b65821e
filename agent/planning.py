"""Choose how questions are to be answered: by the caller's word, or by the router."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.asked import AskedPart, asked_apart
from agent.chain import Chain
from agent.compare import Comparison
from agent.errors import WorkspaceError
from agent.follow_up import Turn, standalone
from agent.printable import printable
from agent.router.decision import ROUTES, Decision, Fact
from agent.routes import Routes
from agent.steps import taken_apart
from pipelines.search import Hit
from pipelines.spans import span

# From this cosine on of the nearest question that an adapter was taught it may know the answer.
_NEAR = 0.5
# From this probability on that nothing can answer, documents are not asked (docs/decisions.md).
_HOPELESS = 0.9
FOR_TABLES = "it asks for a count, a sum, an extreme or rows of a table"
"""The reason of a decision that the index's tables took over."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to :meth:`agent.expert.Expert.ask_many`.

    :param text: The question; a follow-up is completed from the history.
    :param history: The conversation before it, oldest first.
    :param route: ``retrieval``, ``expert`` or ``hybrid``; None for the expert's own choice.
    :param adapter: Who writes; None for the expert's own choice.
    """

    text: str
    history: tuple[Turn, ...] = ()
    route: str | None = None
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a question is to be answered.

    :param question: The question, printable.
    :param searched: As it is searched for.
    :param route: The route it takes.
    :param adapter: Who writes, on the routes ``expert`` and ``hybrid``.
    :param decision: How the router chose; None where the caller did.
    :param took: Milliseconds that choosing took, on average of those chosen together.
    :param parts: What it asks for, one by one, where that is several things and documents can be
        asked; each is planned by itself.
    :param steps: The steps that it takes where one look into the documents cannot answer it, and
        its route looks there.
    :param knew: What it may ask for of what an adapter was taught and documents may say otherwise
        now.
    :param is_told: Whether the router did not choose the route.
    :param otherwise: Route and adapter to try where that one has no answer: the router's next
        best, or documents where it would rather have no answer but is not sure; None where the
        caller chose, or nothing is left.
    """

    question: str
    searched: str
    route: str
    adapter: str | None
    decision: Decision | None
    took: float
    otherwise: tuple[str, str | None] | None = None
    parts: tuple[AskedPart, ...] = ()
    steps: Comparison | Chain | None = None
    knew: Fact | None = None
    is_told: bool = False


class Planner:
    """Chooses routes and adapters; the router is opened when it is first needed.

    :param routes: The workspace's routes.
    :param route: For every question that names none; None to have the router choose.
    :param adapter: For every question that names neither; None to have the router choose.
    :raises WorkspaceError: When route and adapter do not fit.
    """

    def __init__(self, routes: Routes, route: str | None, adapter: str | None) -> None:
        self._routes = routes
        self._route, self._adapter = checked(route, adapter)

    def decide(self, searched: Sequence[str], follows: Sequence[bool]) -> list[Decision]:
        """Return where questions go: where the router sends them, or to the tables.

        :param searched: The questions, printable and completed from their history.
        :param follows: Of each whether a conversation goes before it.
        """
        told = self._told(searched, follows)
        return [
            self._to_tables(decision) if self._is_for_tables(text) else decision
            for text, decision in zip(searched, told, strict=True)
        ]

    def _told(self, searched: Sequence[str], follows: Sequence[bool]) -> list[Decision]:
        """Return what the router makes of questions."""
        probe = self._probe if self._routes.has_documents else None
        with span("expert.route", questions=len(searched)), self._routes.lock:
            return self._routes.router.decide_many(searched, follows=follows, probe=probe)

    def plan(self, questions: Sequence[Question]) -> list[Plan]:
        """Return how to answer each question; the router sees those that it has to decide at once.

        :raises WorkspaceError: When a question's route and adapter do not fit, or there is none.
        """
        started = time.perf_counter()
        ways = [self.chosen(question) for question in questions]
        texts = [printable(question.text) for question in questions]
        searched = [
            standalone(
                text, question.history, self._is_counted if way[0] in (None, "retrieval") else None
            )
            for text, question, way in zip(texts, questions, ways, strict=True)
        ]
        unsettled = [n for n, way in enumerate(ways) if not is_settled(*way)]
        decisions: dict[int, Decision] = {}
        if unsettled:
            told = self._told(
                [searched[n] for n in unsettled], [bool(questions[n].history) for n in unsettled]
            )
            decisions = dict(zip(unsettled, told, strict=True))
        took = 1000 * (time.perf_counter() - started) / max(len(unsettled), 1)
        plans = []
        for n, (route, adapter) in enumerate(ways):
            decision = decisions.get(n)
            otherwise: tuple[str, str | None] | None = None
            knew = None
            parts: tuple[AskedPart, ...] = ()
            if decision is not None and route is None:
                route, adapter = decision.route, decision.adapter
                apart = route != "abstain" and self._routes.has_documents
                parts = self._asked_apart(searched[n]) if apart else ()
                if not parts and self._is_for_tables(searched[n]):
                    decision = self._to_tables(decision)
                    route, adapter = decision.route, None
                else:
                    otherwise, knew = self._next_best(decision), decision.knew
            elif decision is not None:
                adapter = self.likeliest(decision)
            assert route is not None  # noqa: S101 - chosen by the caller or by the router
            chosen = ways[n][0]
            if chosen in ("hybrid", "retrieval"):
                parts = self._asked_apart(searched[n])
            looks = route in ("retrieval", "hybrid") and self._routes.takes_steps
            steps = taken_apart(searched[n]) if looks and not parts else None
            plans.append(
                Plan(
                    question=texts[n],
                    searched=searched[n],
                    route=route,
                    adapter=adapter,
                    decision=decision,
                    took=took,
                    otherwise=otherwise,
                    parts=parts,
                    steps=steps,
                    knew=knew,
                    is_told=chosen is not None,
                )
            )
        return plans

    def _asked_apart(self, text: str) -> tuple[AskedPart, ...]:
        """Return the things that a question asks for, unless a table is asked for all at once.

        Nor is a question taken apart of which a table would answer a later part without the
        conditions of an earlier one: "how many orders were there in 2024, and what in total?"
        """
        parts = asked_apart(text)
        if not parts or (tables := self._routes.tables_for(text)) is None:
            return parts
        if tables.read(text).query is not None:
            return ()
        earlier: dict[str, bool] = {}
        for part in parts:
            query = tables.read(part.question).query
            if query is None:
                continue
            if earlier.get(query.table) and not query.filters:
                return ()
            earlier[query.table] = earlier.get(query.table, False) or bool(query.filters)
        return parts

    def _is_counted(self, text: str) -> bool:
        """Whether a text is read as a query of one of the index's tables."""
        tables = self._routes.tables_for(text)
        return tables is not None and tables.read(text).query is not None

    def _is_for_tables(self, searched: str) -> bool:
        """Whether a question is one for the index's tables, which no router learns from words."""
        tables = self._routes.tables_for(searched)
        return tables is not None and tables.is_asked(searched)

    def _to_tables(self, decision: Decision) -> Decision:
        cost = self._routes.router.policy.costs.get("retrieval", 0.0)
        reasons = (*decision.reasons, FOR_TABLES)
        return replace(
            decision,
            route="retrieval",
            adapter=None,
            second_adapter=None,
            expected_cost=cost,
            reasons=reasons,
            knew=None,
        )

    def likeliest(self, decision: Decision) -> str:
        """Return the adapter that a question is nearest to; any where it asks nothing.

        :raises WorkspaceError: When there is no adapter.
        """
        if not decision.domain:
            raise WorkspaceError(
                "routes expert and hybrid need an adapter: `expert train` makes one"
            )
        some = next(iter(decision.domain))
        return decision.nearest or self._routes.router.memory.adapters[some].reference

    def _next_best(self, decision: Decision) -> tuple[str, str | None] | None:
        if decision.route == "abstain":
            asks = self._routes.has_documents and not is_hopeless(decision)
            return ("retrieval", None) if asks else None
        served = decision.probabilities.get("expert", 0.0)  # 0 where its documents have changed
        near = (decision.features or {}).get("adapter", 0.0)
        if served and decision.route != "expert" and near >= _NEAR:
            return "expert", self.likeliest(decision)
        tried = {decision.route, "expert"}
        others = {r: p for r, p in decision.probabilities.items() if r not in tried}
        route = self._routes.router.policy.choose(others)[0] if others else "abstain"
        if route == "abstain":
            return None
        return route, None if route == "retrieval" else self.likeliest(decision)

    def chosen(self, question: Question) -> tuple[str | None, str | None]:
        """Return a question's route and adapter, for each that it names none the caller's.

        :raises WorkspaceError: When they do not fit.
        """
        route, adapter = question.route, question.adapter
        # An adapter that is named is not kept from answering by what is said for others.
        if route is None and (adapter is None or self._route != "retrieval"):
            route = self._route
        if adapter is None and route != "retrieval":
            adapter = self._adapter
        return checked(route, adapter)

    def _probe(self, text: str) -> Sequence[Hit]:
        return self._routes.find(text).hits


def is_hopeless(decision: Decision) -> bool:
    """Whether the router is too sure that nothing answers for documents to be asked."""
    return decision.route == "abstain" and decision.probabilities["abstain"] >= _HOPELESS


def checked(route: str | None, adapter: str | None) -> tuple[str | None, str | None]:
    """Return a caller's route and adapter; an adapter alone stands for the route ``expert``.

    :raises WorkspaceError: When a route is not known, or takes no adapter.
    """
    if route is not None and (route not in ROUTES or route == "abstain"):
        raise WorkspaceError(f"route {route} is not known: retrieval, expert or hybrid")
    if route == "retrieval" and adapter is not None:
        raise WorkspaceError("route retrieval takes no adapter: leave it out, or take hybrid")
    return ("expert" if route is None and adapter is not None else route), adapter


def is_settled(route: str | None, adapter: str | None) -> bool:
    """Whether nothing is left for the router to choose."""
    return route == "retrieval" or (route is not None and adapter is not None)
