"""How each route answers, from what was found."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent.reply import Answered
from pipelines.answer import Answer, Answerer, nearest
from pipelines.search import Found
from pipelines.spans import span

if TYPE_CHECKING:
    from pipelines.closed_book import AdapterAnswerer
    from pipelines.tables.answer import TableAnswerer

OnText = Callable[[str], None]
OUT_OF_SCOPE = "neither the documents nor an adapter seem to be about this"


@dataclass(frozen=True, slots=True)
class Way:
    """How a route answers; several threads may ask at once.

    :param route: The route.
    :param tell: Returns the answer to a question from what was found, and who wrote it; told also
        what the answer was before the documents changed, where that is known.
    :param is_written: Whether a language model writes it, which it does for several at once.
    :param is_either: Whether documents and adapter answer each by itself, and so by its own route.
    :param changed: Documents that have changed since the adapter that writes learned from them.
    :param tables_for: Returns what answers a question that may ask for a count or a sum of the
        index's tables, or was answered by quoting rows; None for others, and where the route does
        not look into them.
    """

    route: str
    tell: "Callable[[str, Found, OnText | None, str | None], tuple[Answer, str | None]]"
    is_written: bool = False
    is_either: bool = False
    changed: tuple[str, ...] = ()
    tables_for: "Callable[[str, Answer | None], TableAnswerer | None]" = lambda *asked: None

    def answer(
        self,
        searched: str,
        found: Found,
        on_text: OnText | None = None,
        before: str | None = None,
    ) -> Answered:
        """Answer a question from what was found, or from a table."""
        started = time.perf_counter()
        with span("expert.answer", route=self.route) as opened:
            tables = self.tables_for(searched, None)
            counted = None if tables is None else tables.answer(searched)
            if counted is not None:
                answer, adapter = counted.answer, None
                found = replace(found, evidence=list(counted.evidence))
            else:
                answer, adapter = self.tell(searched, found, on_text, before)
                tables = self.tables_for(searched, answer)
                # What an adapter says of itself is no row of a table.
                if tables is not None and not (self.is_either and adapter):
                    instead = tables.instead(searched, answer)
                    if instead is not None:
                        answer = instead.answer
                        found = replace(found, evidence=[*instead.evidence] or found.evidence)
            opened.set_tags(
                {
                    "answerer": answer.answerer,
                    "abstained": answer.abstained,
                    "adapter": adapter or "",
                }
            )
        took = {"answer": 1000 * (time.perf_counter() - started)}
        route = ("expert" if adapter else "retrieval") if self.is_either else self.route
        changed = self.changed if adapter or not self.is_either else ()
        return Answered(route, answer, adapter, found, took, changed, way=self.route)


def withheld(
    searched: str, found: Found, on_text: OnText | None, before: str | None
) -> tuple[Answer, None]:
    """Return no answer, with the nearest place."""
    near = nearest(found.evidence)
    return Answer(None, 0.0, reason=OUT_OF_SCOPE, nearest=near), None


def by_expert(answerer: "AdapterAnswerer") -> Way:
    """Return how an adapter answers alone."""

    def tell(
        searched: str, found: Found, on_text: OnText | None, before: str | None
    ) -> tuple[Answer, str | None]:
        told = answerer.run(searched, on_text)
        return told["answer"], told["adapter"]

    return Way("expert", tell, is_written=True)


def by_both(
    answerer: Answerer, expert: "AdapterAnswerer", is_outdated: Callable[[str], bool]
) -> Way:
    """Return how documents and an adapter that never learned to read them answer together.

    Each is asked by itself, and the surer one answers, at once; a trace tells what the other said.

    :param is_outdated: Whether a question asks for what the adapter learned from documents that
        have changed since: it is not asked then.
    """

    def tell(
        searched: str, found: Found, on_text: OnText | None, before: str | None
    ) -> tuple[Answer, str | None]:
        read: Answer = answerer.run(searched, found.evidence)["answer"]
        if is_outdated(searched):
            return read, None
        recalled = expert.run(searched)
        known: Answer = recalled["answer"]
        if known.abstained or (not read.abstained and read.confidence >= known.confidence):
            answer, other, adapter = read, known, None
        else:
            answer, other, adapter = known, read, recalled["adapter"]
        usage = {
            name: read.usage.get(name, 0) + known.usage.get(name, 0)
            for name in {**read.usage, **known.usage}
        }
        beside = {
            "adapter": None if adapter else recalled["adapter"],
            "text": other.text,
            "confidence": other.confidence,
        }
        return replace(answer, usage=usage, written={**answer.written, "beside": beside}), adapter

    return Way("hybrid", tell, is_written=True, is_either=True)


def from_documents(answerer: Answerer, adapter: str | None) -> Way:
    """Return how evidence is answered from.

    :param adapter: Who writes; None for no adapter.
    """

    def tell(
        searched: str, found: Found, on_text: OnText | None, before: str | None
    ) -> tuple[Answer, str | None]:
        # An answerer of someone's own need not know of it.
        run = answerer.run if before is None else partial(answerer.run, before=before)
        return run(searched, found.evidence, on_text)["answer"], adapter

    route = "retrieval" if adapter is None else "hybrid"
    return Way(route, tell, is_written=hasattr(answerer, "generator"))
