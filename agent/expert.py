"""The façade: ask a question of a workspace's documents."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agent.assemble import open_answerer, open_generator, open_pipeline
from agent.follow_up import Turn, standalone
from agent.printable import printable
from agent.workspace import Workspace
from pipelines.answer import Answer, Answerer
from pipelines.evidence import Evidence
from pipelines.search import Hit, retrieve

if TYPE_CHECKING:
    from haystack import Pipeline


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with the way to it.

    :param question: As it was asked.
    :param searched: As it was searched for; differs for a follow-up question.
    :param answer: The answer, or the abstention.
    :param route: Which route answered: ``retrieval``, ``expert`` or ``abstain``.
    :param adapter: Name of the adapter that wrote, or None.
    :param hits: The passages found, best first.
    :param evidence: What of them the answerer was given.
    :param timings_ms: Milliseconds of each step.
    """

    question: str
    searched: str
    answer: Answer
    route: str
    adapter: str | None
    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    timings_ms: Mapping[str, float]

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
            "decision": None,
            "timings_ms": {name: round(value, 2) for name, value in self.timings_ms.items()},
            "usage": dict(self.answer.usage),
            "answerer": self.answer.answerer,
            "dropped_citations": self.answer.dropped_citations,
            "searched": self.searched,
        }


class Expert:
    """Answers questions from a workspace; a context manager, opened once for many questions.

    :param workspace: The workspace; it must hold an index.
    :param answerer: ``quote``, ``phi3``, or None for the one that the settings choose.
    :param adapter: An adapter that answers by itself, from what it has learned, such as
        ``hr`` or ``hr@3``; the documents are not looked at then.
    :raises WorkspaceError: When nothing is indexed, and no adapter is given.
    :raises AdapterError: When there is no such adapter.
    """

    def __init__(
        self, workspace: Workspace, *, answerer: str | None = None, adapter: str | None = None
    ) -> None:
        self.workspace = workspace
        with ExitStack() as opened:
            self._way: _Documents | _Adapter
            if adapter is None:
                self._way = _Documents(
                    opened.enter_context(open_pipeline(workspace)),
                    opened.enter_context(open_answerer(workspace, answerer)),
                )
            else:
                self._way = _Adapter(workspace, adapter)
            # Only now: an answerer that cannot be opened must not leave the index open.
            self._resources = opened.pop_all()

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
        self._way.warm_up()

    def close(self) -> None:
        """Close the index and what else is open."""
        self._resources.close()

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
        return self._way.ask(question, standalone(question, history), on_text)


class _Documents:
    """The route by way of the documents."""

    def __init__(self, pipeline: "Pipeline", answerer: Answerer) -> None:
        self._pipeline, self._answerer = pipeline, answerer

    def warm_up(self) -> None:
        self._pipeline.warm_up()
        self._answerer.warm_up()

    def ask(self, question: str, searched: str, on_text: Callable[[str], None] | None) -> Reply:
        started = time.perf_counter()
        found = retrieve(self._pipeline, searched)
        retrieved = time.perf_counter()
        answer = self._answerer.run(searched, found.evidence, on_text)["answer"]
        done = time.perf_counter()
        return Reply(
            question=question,
            searched=searched,
            answer=answer,
            route="abstain" if answer.abstained else "retrieval",
            adapter=None,
            hits=tuple(found.hits),
            evidence=tuple(found.evidence),
            timings_ms={
                "retrieve": 1000 * (retrieved - started),
                "answer": 1000 * (done - retrieved),
                "total": 1000 * (done - started),
            },
        )


class _Adapter:
    """The route by way of an adapter alone."""

    def __init__(self, workspace: Workspace, adapter: str) -> None:
        from adapters.registry import Registry
        from pipelines.closed_book import AdapterAnswerer

        # Before the model is loaded, which takes a while.
        card = Registry(workspace.adapters_folder).get(adapter).card
        # It has learned to make up for what NF4 rounds away, which another precision does not.
        precision = "nf4" if card.method == "qlora" else None
        self._answerer = AdapterAnswerer(open_generator(workspace, precision), adapter)

    def warm_up(self) -> None:
        self._answerer.warm_up()

    def ask(self, question: str, searched: str, on_text: Callable[[str], None] | None) -> Reply:
        started = time.perf_counter()
        written = self._answerer.run(searched, on_text)
        took = 1000 * (time.perf_counter() - started)
        answer = written["answer"]
        return Reply(
            question=question,
            searched=searched,
            answer=answer,
            route="abstain" if answer.abstained else "expert",
            adapter=written["adapter"],
            hits=(),
            evidence=(),
            timings_ms={"answer": took, "total": took},
        )
