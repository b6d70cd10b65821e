"""The routes a question can take: each answers it in its own way, from parts that they share."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agent.answerers import chosen_agent
from agent.assemble import open_answerer, open_generator, open_pipeline, open_store
from agent.router.decision import Decision
from agent.spans import span
from agent.workspace import Workspace
from pipelines.answer import Answer, Answerer, nearest
from pipelines.evidence import Evidence
from pipelines.search import Found, Hit, retrieve

if TYPE_CHECKING:
    from haystack import Pipeline
    from haystack.tools.tool import Tool

    from agent.router.router import Router
    from pipelines.agent_answerer import AgentAnswerer
    from pipelines.closed_book import AdapterAnswerer
    from pipelines.generators import PhiChatGenerator

OnText = Callable[[str], None]
OUT_OF_SCOPE = "neither the documents nor an adapter seem to be about this"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with the way to it.

    :param question: As it was asked.
    :param searched: As it was searched for; differs for a follow-up question.
    :param answer: The answer, or the abstention.
    :param route: Which route answered: ``retrieval``, ``expert``, ``hybrid`` or ``abstain``.
    :param adapter: Name and version of the adapter that wrote, or None.
    :param hits: The passages found, best first.
    :param evidence: What of them the answerer was given.
    :param timings_ms: Milliseconds of each step.
    :param decision: How the router chose; None where the caller did.
    :param tried: The routes that were taken, in turn: two where the first had no answer.
    :param trace: Id of its trace; None where none is kept.
    :param changed: Documents that have changed since the adapter that wrote learned from them.
    """

    question: str
    searched: str
    answer: Answer
    route: str
    adapter: str | None
    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    timings_ms: Mapping[str, float]
    decision: Decision | None = None
    tried: tuple[str, ...] = ()
    trace: str | None = None
    changed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as ``expert ask --json`` prints it."""
        return {
            "question": self.question,
            "answer": self.answer.text,
            "abstained": self.answer.abstained,
            "reason": self.answer.reason,
            "route": self.route,
            "tried": list(self.tried),
            "adapter": self.adapter,
            "confidence": round(self.answer.confidence, 4),
            "citations": [
                {
                    "document": citation.document,
                    "title": citation.title,
                    "page": citation.page,
                    "start": citation.start,
                    "end": citation.end,
                    "quote": citation.quote,
                    "score": round(citation.score, 4),
                }
                for citation in self.answer.citations
            ],
            "decision": None if self.decision is None else self.decision.to_dict(),
            "timings_ms": {name: round(value, 2) for name, value in self.timings_ms.items()},
            "usage": dict(self.answer.usage),
            "answerer": self.answer.answerer,
            "dropped_citations": self.answer.dropped_citations,
            "missing": list(self.answer.missing),
            "claims": [
                {"text": claim.text, "support": round(claim.support, 4), "fault": claim.fault}
                for claim in self.answer.claims
            ],
            "searched": self.searched,
            "trace": self.trace,
            "changed_documents": list(self.changed),
        }


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a route.

    :param route: The route; ``agent`` where the model called tools.
    :param took: Milliseconds of its steps.
    :param changed: Documents that have changed since the adapter that wrote learned from them.
    """

    route: str
    answer: Answer
    adapter: str | None = None
    found: Found = field(default_factory=lambda: Found([], []))
    took: Mapping[str, float] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """How a route answers; several threads may ask at once.

    :param route: The route.
    :param tell: Returns the answer to a question from what was found, and who wrote it.
    :param is_written: Whether a language model writes it, which it does for several at once.
    :param changed: Documents that have changed since the adapter that writes learned from them.
    """

    route: str
    tell: Callable[[str, Found, OnText | None], tuple[Answer, str | None]]
    is_written: bool = False
    changed: tuple[str, ...] = ()

    def answer(self, searched: str, found: Found, on_text: OnText | None = None) -> Answered:
        """Answer a question from what was found."""
        started = time.perf_counter()
        with span("expert.answer", route=self.route) as opened:
            answer, adapter = self.tell(searched, found, on_text)
            opened.set_tags(
                {
                    "answerer": answer.answerer,
                    "abstained": answer.abstained,
                    "adapter": adapter or "",
                }
            )
        took = {"answer": 1000 * (time.perf_counter() - started)}
        return Answered(self.route, answer, adapter, found, took, self.changed)


def _withheld(searched: str, found: Found, on_text: OnText | None) -> tuple[Answer, None]:
    near = nearest(found.evidence)
    return Answer(None, 0.0, reason=OUT_OF_SCOPE, nearest=near), None


def _by_expert(answerer: "AdapterAnswerer") -> Way:
    def tell(searched: str, found: Found, on_text: OnText | None) -> tuple[Answer, str | None]:
        told = answerer.run(searched, on_text)
        return told["answer"], told["adapter"]

    return Way("expert", tell, is_written=True)


def _from_documents(answerer: Answerer, adapter: str | None) -> Way:
    def tell(searched: str, found: Found, on_text: OnText | None) -> tuple[Answer, str | None]:
        return answerer.run(searched, found.evidence, on_text)["answer"], adapter

    route = "retrieval" if adapter is None else "hybrid"
    return Way(route, tell, is_written=hasattr(answerer, "generator"))


class Routes:
    """A workspace's routes; what a route needs is opened when it is first taken.

    :param workspace: The workspace.
    :param answerer: ``quote`` or ``phi3`` on the route ``retrieval``; None for the one that the
        settings choose.
    """

    def __init__(self, workspace: Workspace, answerer: str | None = None) -> None:
        self._workspace, self._answerer_name = workspace, answerer
        self._resources = ExitStack()
        # Held where the documents are looked into and where a part is opened, not while a
        # model writes.
        self.lock = threading.RLock()
        self._pipeline: Pipeline | None = None
        self._answerer: Answerer | None = None
        self._generators: dict[str | None, PhiChatGenerator] = {}
        self._experts: dict[str, AdapterAnswerer] = {}
        self._hybrids: dict[str, Answerer] = {}
        self._router: Router | None = None
        self._agent: AgentAnswerer | None = None
        self._ways: dict[tuple[str, str | None], Way] = {}
        self._found: tuple[str, Found] | None = None

    @property
    def pipeline(self) -> "Pipeline":
        """The retrieval pipeline.

        :raises WorkspaceError: When nothing is indexed.
        """
        if self._pipeline is None:
            self._pipeline = self._resources.enter_context(open_pipeline(self._workspace))
        return self._pipeline

    @property
    def router(self) -> "Router":
        """The workspace's router; it embeds questions by what retrieval embeds them with.

        :raises RouterError: When it cannot be read.
        """
        if self._router is None:
            from agent.router.router import Router

            embedder = None
            if self.has_documents:
                nodes = self.pipeline.graph.nodes
                instance = nodes["question"]["instance"] if "question" in nodes else None
                embedder = getattr(instance, "embedder", None)
            self._router = Router.open(self._workspace, embedder)
        return self._router

    @property
    def has_documents(self) -> bool:
        """Whether there is an index, or a pipeline of the user's own."""
        own = self._workspace.settings.retrieval.pipeline is not None
        return own or (self._workspace.index_folder / "catalog.sqlite").is_file()

    @property
    def takes_steps(self) -> bool:
        """Whether questions that need several steps are answered in them."""
        return self._workspace.settings.agent.mode != "off"

    @property
    def answerer(self) -> Answerer:
        """What answers on the route ``retrieval``."""
        if self._answerer is None:
            opened = open_answerer(self._workspace, self._answerer_name)
            self._answerer = self._resources.enter_context(opened)
        return self._answerer

    def find(self, searched: str) -> Found:
        """Search the documents, once for the same question."""
        if self._found is None or self._found[0] != searched:
            self._found = (searched, retrieve(self.pipeline, searched))
        return self._found[1]

    @property
    def agent(self) -> "AgentAnswerer | None":
        """What answers by calling tools; None where the settings leave it out."""
        with self.lock:
            if self._agent is None and chosen_agent(self._workspace).name == "on":
                from pipelines.agent_answerer import AgentAnswerer

                settings = self._workspace.settings
                self._agent = AgentAnswerer(
                    self._generator(None),
                    self._tools(),
                    steps=settings.agent.steps,
                    tokens=settings.agent.tokens,
                    threshold=settings.answer.threshold,
                )
            return self._agent

    def _tools(self) -> "list[Tool]":
        """Return what an agent may call here."""
        from adapters.registry import Registry
        from pipelines.agent_tools import SearchTool, adapter_tool, table_tool
        from pipelines.tables import Tables

        tools: list[Tool] = []
        if self.has_documents:
            tools.append(SearchTool(self.pipeline, lambda query: self.look("retrieval", query)))
        if self.has_documents and self._workspace.settings.retrieval.pipeline is None:
            store = self._resources.enter_context(
                closing(open_store(self._workspace, read_only=True))
            )
            tables = Tables(store)
            if tables.tables:
                tools.append(table_tool(tables))
        names = Registry(self._workspace.adapters_folder).names()
        if names:
            tools.append(adapter_tool({name: self.expert(name) for name in names}))
        return tools

    def work(self, searched: str, on_text: OnText | None) -> Answered | None:
        """Answer a question by an agent; None where there is none."""
        agent = self.agent
        if agent is None:
            return None
        started = time.perf_counter()
        with span("expert.agent", searched) as opened:
            worked = agent.run(searched, on_text)["worked"]
            opened.set_tag("abstained", worked.answer.abstained)
        return Answered(
            "agent",
            worked.answer,
            next(iter(worked.adapters), None),
            Found(list(worked.hits), list(worked.evidence)),
            {"agent": 1000 * (time.perf_counter() - started)},
        )

    def take(
        self, route: str, adapter: str | None, searched: str, on_text: OnText | None
    ) -> Answered:
        """Answer a question by a route.

        :param adapter: Who writes, on the routes ``expert`` and ``hybrid``.
        :raises WorkspaceError: When the route needs an index and there is none.
        :raises AdapterError: When there is no such adapter.
        """
        started = time.perf_counter()
        found = self.look(route, searched)
        retrieved = time.perf_counter()
        answered = self.way(route, adapter).answer(searched, found, on_text)
        took = {} if route == "expert" else {"retrieve": 1000 * (retrieved - started)}
        return replace(answered, took={**took, **answered.took})

    def look(self, route: str, searched: str) -> Found:
        """Return what the documents have on a question, where its route looks at them.

        Where it answers nothing it looks for the nearest place.
        """
        if route == "expert" or (route == "abstain" and not self.has_documents):
            return Found([], [])
        with span("expert.retrieve", searched) as opened, self.lock:
            found = self.find(searched)
            opened.set_tag("passages", len(found.hits))
            return found

    def way(self, route: str, adapter: str | None) -> "Way":
        """Return what answers on a route, ready to."""
        key = (route, adapter)
        with self.lock:
            if key not in self._ways:
                self._ways[key] = self._way(route, adapter)
            return self._ways[key]

    def _way(self, route: str, adapter: str | None) -> Way:
        if route == "abstain":
            return Way("abstain", _withheld)
        if route == "expert" and adapter is not None:
            expert = self.expert(adapter)
            expert.warm_up()
            return replace(_by_expert(expert), changed=self._changed(adapter))
        writes = adapter if route == "hybrid" else None
        answerer = self.answerer if writes is None else self.hybrid(writes)
        answerer.warm_up()
        changed = () if writes is None else self._changed(writes)
        return replace(_from_documents(answerer, writes), changed=changed)

    def _changed(self, adapter: str) -> tuple[str, ...]:
        """Return the documents that have changed since an adapter learned from them."""
        from adapters.registry import Registry
        from agent.freshness import freshness_of

        card = Registry(self._workspace.adapters_folder).get(adapter).card
        fresh = freshness_of(self._workspace, {adapter: card})[adapter]
        return fresh.documents if fresh is not None else ()

    def expert(self, adapter: str) -> "AdapterAnswerer":
        """Return what answers on the route ``expert``."""
        if adapter not in self._experts:
            from pipelines.closed_book import AdapterAnswerer

            self._experts[adapter] = AdapterAnswerer(self._generator(adapter), adapter)
        return self._experts[adapter]

    def hybrid(self, adapter: str) -> Answerer:
        """Return what answers on the route ``hybrid``."""
        if adapter not in self._hybrids:
            from pipelines.phi3 import Phi3Answerer

            threshold = self._workspace.settings.answer.threshold
            self._hybrids[adapter] = Phi3Answerer(
                self._generator(adapter), adapter, threshold=threshold
            )
        return self._hybrids[adapter]

    def _generator(self, adapter: str | None) -> "PhiChatGenerator":
        from adapters.registry import Registry

        precision = None
        if adapter is not None:
            # Before the model is loaded, which takes a while.
            card = Registry(self._workspace.adapters_folder).get(adapter).card
            # It learned to make up for what NF4 rounds away, which another precision does not.
            precision = "nf4" if card.method == "qlora" else None
        if precision not in self._generators:
            self._generators[precision] = open_generator(self._workspace, precision)
        return self._generators[precision]

    def close(self) -> None:
        """Close the index and what else is open."""
        self._resources.close()
