"""How long each step of an answer takes, by the spans that Haystack's tracing is sent.

    python benchmarks/end_to_end_stages.py WORKSPACE ANSWERER QUESTION

prints the steps' milliseconds in a fresh process, where everything is loaded first, as JSON.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STAGES = ("route", "retrieve", "rerank", "evidence", "answer", "ground", "other")
_STEPS = {
    "expert.route": "route",
    "expert.retrieve": "retrieve",
    "expert.answer": "answer",
    "expert.ground": "ground",
    "haystack.pipeline.run": "retrieve",
    "question": "retrieve",
    "retriever": "retrieve",
    "reranker": "rerank",
    "evidence": "evidence",
}


def traced() -> Any:
    """Have spans timed; return what times them."""
    from haystack import tracing
    from haystack.tracing import Span, Tracer

    class Untold(Span):
        def set_tag(self, key: str, value: Any) -> None:
            pass

    class Stages(Tracer):
        """Sums up each step's own time, without that of the steps in it."""

        def __init__(self) -> None:
            self.ms = dict.fromkeys(STAGES, 0.0)
            self._inner = [0.0]

        @contextmanager
        def trace(
            self, operation_name: str, tags: dict[str, Any] | None = None, parent_span: Any = None
        ) -> Iterator[Span]:
            name = (tags or {}).get("haystack.component.name", operation_name)
            self._inner.append(0.0)
            started = time.perf_counter()
            try:
                yield Untold()
            finally:
                took = 1000 * (time.perf_counter() - started)
                self.ms[_STEPS.get(name, "other")] += took - self._inner.pop()
                self._inner[-1] += took

        def current_span(self) -> Span | None:
            return None

        def told(self) -> dict[str, float]:
            """Return the steps' milliseconds since this was last asked for."""
            told, self.ms = self.ms, dict.fromkeys(STAGES, 0.0)
            return told

    stages = Stages()
    tracing.enable_tracing(stages)
    return stages


def answering(path: Path, answerer: str) -> Any:
    """Return a workspace whose router decides and whose look-ups an answerer answers."""
    from agent.workspace import Workspace

    workspace = Workspace(path)
    workspace.settings.answer.answerer = answerer  # type: ignore[assignment]
    return workspace


def main() -> None:
    path, answerer, question = sys.argv[1:]
    started = time.perf_counter()
    from agent.expert import Expert

    stages = traced()
    with Expert(answering(Path(path), answerer)) as expert:
        opened = time.perf_counter()
        expert.ask(question)
        asked = time.perf_counter()
    took = {"open": 1000 * (opened - started), "total": 1000 * (asked - started)}
    print(json.dumps(took | stages.told()))


if __name__ == "__main__":
    main()
