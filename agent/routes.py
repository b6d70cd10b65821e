"""The routes a question can take: each answers it in its own way, from parts that they share."""

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from agent.answerers import chosen_agent
from agent.assemble import (
    open_answerer,
    open_embedder,
    open_generator,
    open_pipeline,
    open_store,
)
from agent.reply import Answered
from agent.ways import OnText, Way, by_both, by_expert, from_documents, withheld
from agent.workspace import Workspace
from pipelines.answer import Answer, Answerer
from pipelines.cells import BETWEEN
from pipelines.counting import has_cue
from pipelines.search import Found, retrieve
from pipelines.spans import span

if TYPE_CHECKING:
    from haystack import Pipeline
    from haystack.tools.tool import Tool

    from adapters.registry import RegisteredAdapter
    from agent.router.router import Router
    from pipelines.agent_answerer import AgentAnswerer
    from pipelines.closed_book import AdapterAnswerer
    from pipelines.embed.embedder import Embedder
    from pipelines.generators import PhiChatGenerator
    from pipelines.tables.answer import TableAnswerer
    from pipelines.taught import Taught


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
        self._tables: TableAnswerer | None = None
        self._agent: AgentAnswerer | None = None
        self._ways: dict[tuple[str, str | None], Way] = {}
        self._found: tuple[object, Found] | None = None

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

            self._router = Router.open(self._workspace, self.embedder)
        return self._router

    def mended(self, searched: str, *, is_answered: bool) -> str | None:
        """Return a question with its slips mended; None where it has none that can be.

        A pipeline of the user's own finds in words that are not known here.

        :param is_answered: It was answered as it is written.
        """
        if self._workspace.settings.retrieval.pipeline is not None:
            return None
        with self.lock:
            return self.router.mended(searched, is_answered=is_answered)

    @property
    def embedder(self) -> "Embedder":
        """What retrieval embeds questions with, which the router does too."""
        nodes = self.pipeline.graph.nodes if self.has_documents else {}
        question = nodes["question"]["instance"] if "question" in nodes else None
        return getattr(question, "embedder", None) or open_embedder(self._workspace)

    @property
    def has_documents(self) -> bool:
        """Whether there is an index, or a pipeline of the user's own."""
        own = self._workspace.settings.retrieval.pipeline is not None
        return own or (self._workspace.index_folder / "catalog.sqlite").is_file()

    @property
    def tables(self) -> "TableAnswerer | None":
        """What answers from the index's tables; None where a pipeline of the user's own finds."""
        own = self._workspace.settings.retrieval.pipeline is not None
        with self.lock:
            if self._tables is None and self.has_documents and not own:
                from pipelines.tables.answer import TableAnswerer
                from pipelines.tables.tables import Tables

                store = open_store(self._workspace, read_only=True)
                self._resources.callback(store.close)
                tables = Tables(store, self._last_indexed)
                self._tables = TableAnswerer(tables, self._unfinished)
            return self._tables

    def tables_for(self, question: str, answer: "Answer | None" = None) -> "TableAnswerer | None":
        """Return :attr:`tables` for a question that may be one for them, else None."""
        quotes_rows = answer is not None and any(
            BETWEEN in citation.quote for citation in answer.citations
        )
        return self.tables if quotes_rows or has_cue(question) else None

    def _last_indexed(self) -> list[tuple[int, int]]:
        """Return when the catalogue was last written, for a glance at every question."""
        catalog = self._workspace.index_folder / "catalog.sqlite"
        found = []
        for file in (catalog, catalog.with_name(f"{catalog.name}-wal")):
            if file.is_file():
                facts = file.stat()
                found.append((facts.st_mtime_ns, facts.st_size))
        return found

    def _unfinished(self) -> frozenset[str]:
        from pipelines.catalog import Catalog

        with Catalog(self._workspace.index_folder / "catalog.sqlite", read_only=True) as catalog:
            return catalog.unfinished()

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
        """Search the documents, once for the same question as long as the index is the same."""
        key = (searched, self._last_indexed())
        if self._found is None or self._found[0] != key:
            self._found = (key, retrieve(self.pipeline, searched))
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
                    nli=settings.answer.nli,
                )
            return self._agent

    def _tools(self) -> "list[Tool]":
        """Return what an agent may call here."""
        from adapters.registry import Registry
        from pipelines.agent_tools import SearchTool, adapter_tool, table_tool

        tools: list[Tool] = []
        if self.has_documents:
            tools.append(SearchTool(self.pipeline, lambda query: self.look("retrieval", query)))
        if self.tables is not None and self.tables.tables.tables:
            tools.append(table_tool(self.tables.tables))
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
            return Way("abstain", withheld)
        if route == "expert" and adapter is not None:
            expert = self.expert(adapter)
            expert.warm_up()
            return replace(by_expert(expert), changed=self._changed(adapter))
        if route == "hybrid" and adapter is not None and not self._learned_to_read(adapter):
            expert, answerer = self.expert(adapter), self.answerer
            expert.warm_up()
            answerer.warm_up()
            way = by_both(answerer, expert, partial(self._is_outdated, adapter))
            return replace(way, changed=self._changed(adapter), tables_for=self.tables_for)
        writes = adapter if route == "hybrid" else None
        answerer = self.answerer if writes is None else self.hybrid(writes)
        answerer.warm_up()
        changed = () if writes is None else self._changed(writes)
        way = replace(from_documents(answerer, writes), changed=changed)
        return replace(way, tables_for=self.tables_for) if route == "retrieval" else way

    def _adapter(self, adapter: str) -> "RegisteredAdapter":
        from adapters.registry import Registry

        return Registry(self._workspace.adapters_folder).get(adapter)

    def _changed(self, adapter: str) -> tuple[str, ...]:
        """Return the documents that have changed since an adapter learned from them."""
        from agent.freshness import freshness_of

        card = self._adapter(adapter).card
        fresh = freshness_of(self._workspace, {adapter: card})[adapter]
        return fresh.documents if fresh is not None else ()

    def _learned_to_read(self, adapter: str) -> bool:
        """Whether an adapter was trained with passages, or nobody knows what it was taught."""
        knows = self.knows_what_was_taught(adapter)
        return not knows or bool(self._adapter(adapter).card.hyperparameters.get("with_retrieval"))

    def _is_outdated(self, adapter: str, question: str) -> bool:
        """Whether a question may ask for what an adapter learned from changed documents."""
        with self.lock:
            return self.router.is_outdated(adapter, question)

    def expert(self, adapter: str) -> "AdapterAnswerer":
        """Return what answers on the route ``expert``."""
        if adapter not in self._experts:
            from pipelines.closed_book import AdapterAnswerer

            self._experts[adapter] = AdapterAnswerer(
                self._generator(adapter),
                adapter,
                taught=self._taught(adapter),
                threshold=self._workspace.settings.answer.threshold,
            )
        return self._experts[adapter]

    def knows_what_was_taught(self, adapter: str) -> bool:
        """Whether an adapter's card keeps what it was taught, so that its memory can be judged."""
        from pipelines.taught import keeps_answers

        return keeps_answers(self._adapter(adapter).card)

    def _taught(self, adapter: str) -> "Taught | None":
        """Return what an adapter was taught; None where its card does not keep it."""
        from pipelines.taught import Taught

        if not self.knows_what_was_taught(adapter):
            return None
        found = self._adapter(adapter)
        card, embedder = found.card, self.router.embedder
        known = self.router.memory.adapters.get(found.name)
        if known is not None and known.questions == card.questions:
            vectors = known.vectors
        else:  # an older version of it
            vectors = np.stack([one.vector for one in embedder.embed_queries(card.questions)])
        return Taught.of(card, embedder, vectors, self.lock)

    def hybrid(self, adapter: str) -> Answerer:
        """Return what answers on the route ``hybrid``."""
        if adapter not in self._hybrids:
            from pipelines.phi3 import Phi3Answerer

            settings = self._workspace.settings.answer
            self._hybrids[adapter] = Phi3Answerer(
                self._generator(adapter), adapter, threshold=settings.threshold, nli=settings.nli
            )
        return self._hybrids[adapter]

    def _generator(self, adapter: str | None) -> "PhiChatGenerator":
        precision = None
        if adapter is not None:
            # Before the model is loaded, which takes a while.
            card = self._adapter(adapter).card
            # It learned to make up for what NF4 rounds away, which another precision does not.
            precision = "nf4" if card.method == "qlora" else None
        if precision not in self._generators:
            self._generators[precision] = open_generator(self._workspace, precision)
        return self._generators[precision]

    def close(self) -> None:
        """Close the index and what else is open."""
        self._resources.close()
