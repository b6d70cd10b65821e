"""What the router sees where there are few documents, with adapters and without."""

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from answers import index_folder

from agent.assemble import open_pipeline
from agent.lab.sources import json_lines
from agent.router.decision import Route
from agent.router.memory import Memory
from agent.router.router import Router
from agent.workspace import Workspace
from pipelines.search import search

Features = dict[str, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """A question to few documents, as the router sees it.

    :param route: The one that it was written for.
    :param beside: With adapters beside the documents, and
    :param alone: without.
    :param passages: That there are.
    """

    question: str
    route: Route
    beside: Features
    alone: Features
    passages: int


def look_at_few(
    documents: Path,
    others: Sequence[tuple[str, Route]],
    adapters: Memory,
    *,
    together: int,
    each: int,
    most: int | None = None,
) -> Iterator[Seen]:
    """Yield what is seen of questions, where a few documents are all that there is.

    :param documents: JSON lines of ``name``, ``text`` and ``questions`` on it, as in ``lookups``.
    :param others: Further questions, and the route that they are written for.
    :param adapters: A memory whose adapters stand beside.
    :param together: Documents in one workspace.
    :param each: Of every workspace so many questions on its documents and as many that belong
        nowhere, and half as many of each other route.
    :param most: Workspaces; None for all that there are documents for.
    """
    chance = random.Random(together)
    rows = list(json_lines(documents))
    chance.shuffle(rows)
    rows = rows[: most and most * together]
    for at in range(0, len(rows), together):
        some = rows[at : at + together]
        own = [one["question"] for row in some for one in row["questions"]]
        asked: list[tuple[str, Route]] = [(one, "retrieval") for one in chance.sample(own, each)]
        for route in sorted({route for _, route in others}):
            those = [one for one in others if one[1] == route]
            asked += chance.sample(those, each if route == "abstain" else each // 2)
        with tempfile.TemporaryDirectory() as name:
            for row in some:
                Path(name, f"{row['name']}.md").write_text(row["text"], encoding="utf-8")
            workspace = Workspace(Path(name, "workspace"))
            index_folder(Path(name), workspace)
            yield from _seen(workspace, asked, adapters)


def _seen(
    workspace: Workspace, asked: Sequence[tuple[str, Route]], adapters: Memory
) -> Iterator[Seen]:
    with open_pipeline(workspace) as pipeline:
        router = Router.open(workspace, pipeline.get_component("question").embedder)
        alone = router.memory
        words = alone.words | adapters.words
        beside = replace(alone, adapters=adapters.adapters, words=words)
        for question, route in asked:
            hits = search(pipeline, question, top_k=10)
            told = []
            for router.memory in (beside, alone):
                told.append(router.look(question, probe=lambda _: hits))  # noqa: B023
            yield Seen(question, route, told[0], told[1], len(alone.passages))
