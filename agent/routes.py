"""The routes a question can take: each answers it in its own way, from parts that they share."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.assemble import open_answerer, open_generator, open_pipeline
from agent.router.decision import Decision
from agent.workspace import Workspace
from pipelines.answer import Answer, Answerer
from pipelines.evidence import Evidence
from pipelines.search import Found, Hit, retrieve

if TYPE_CHECKING:
    from haystack import Pipeline

    from agent.router.router import Router
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

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as ``expert ask --json`` prints it."""
        return {
            "question": self.question,
            "answer": self.answer.text,
            "abstained": self.answer.abstained,
            "reason": self.answer.reason,
            "route": self.route,
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
            "searched": self.searched,
        }


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a route.

    :param took: Milliseconds of its steps.
    """

    answer: Answer
    adapter: str | None = None
    found: Found = field(default_factory=lambda: Found([], []))
    took: Mapping[str, float] = field(default_factory=dict)


class Routes:
    """A workspace's routes; what a route needs is opened when it is first taken.

    :param workspace: The workspace.
    :param answerer: ``quote`` or ``phi3`` on the route ``retrieval``; None for the one that the
        settings choose.
    """

    def __init__(self, workspace: Workspace, answerer: str | None = None) -> None:
        self._workspace, self._answerer_name = workspace, answerer
        self._resources = ExitStack()
        self._pipeline: Pipeline | None = None
        self._answerer: Answerer | None = None
        self._generators: dict[str | None, PhiChatGenerator] = {}
        self._experts: dict[str, AdapterAnswerer] = {}
        self._hybrids: dict[str, Answerer] = {}
        self._router: Router | None = None
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

    def take(
        self, route: str, adapter: str | None, searched: str, on_text: OnText | None
    ) -> Answered:
        """Answer a question by a route.

        :param adapter: Who writes, on the routes ``expert`` and ``hybrid``.
        :raises WorkspaceError: When the route needs an index and there is none.
        :raises AdapterError: When there is no such adapter.
        """
        if route == "abstain":
            return Answered(Answer(None, 0.0, reason=OUT_OF_SCOPE))
        started = time.perf_counter()
        if route == "expert" and adapter is not None:
            written = self.expert(adapter).run(searched, on_text)
            return Answered(written["answer"], written["adapter"], took=_since(answer=started))
        found = self.find(searched)
        retrieved = time.perf_counter()
        hybrid = route == "hybrid" and adapter is not None
        answerer = self.hybrid(adapter) if hybrid and adapter is not None else self.answerer
        answer = answerer.run(searched, found.evidence, on_text)["answer"]
        took = {"retrieve": 1000 * (retrieved - started), **_since(answer=retrieved)}
        return Answered(answer, adapter if hybrid else None, found, took)

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

            self._hybrids[adapter] = Phi3Answerer(self._generator(adapter), adapter)
        return self._hybrids[adapter]

    def _generator(self, adapter: str) -> "PhiChatGenerator":
        from adapters.registry import Registry

        # Before the model is loaded, which takes a while.
        card = Registry(self._workspace.adapters_folder).get(adapter).card
        # It has learned to make up for what NF4 rounds away, which another precision does not.
        precision = "nf4" if card.method == "qlora" else None
        if precision not in self._generators:
            self._generators[precision] = open_generator(self._workspace, precision)
        return self._generators[precision]

    def close(self) -> None:
        """Close the index and what else is open."""
        self._resources.close()


def _since(**started: float) -> dict[str, float]:
    now = time.perf_counter()
    return {name: 1000 * (now - at) for name, at in started.items()}
