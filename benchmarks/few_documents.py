"""What the router sees of questions where there are few documents, and no adapter."""

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
from pipelines.embed.embedder import Floats
from pipelines.search import search

_SAME = 0.999


@dataclass(frozen=True, slots=True)
class Seen:
    """A question to few documents, as the router sees it.

    :param route: The one that it was written for.
    :param passages: That there are.
    """

    question: str
    route: Route
    features: dict[str, float]
    passages: int


def look_at_few(
    documents: Path,
    nowhere: Sequence[str],
    foreign: Floats,
    *,
    together: int,
    each: int,
    most: int | None = None,
) -> Iterator[Seen]:
    """Yield what is seen of questions, where a few documents are all that there is.

    :param documents: JSON lines of ``name``, ``text`` and ``questions`` on it, as in ``lookups``.
    :param nowhere: Questions that belong to no documents.
    :param foreign: Vectors of these, as they were before anything was said around them.
    :param together: Documents in one workspace.
    :param each: Of every workspace so many questions of each kind.
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
        asked += [(one, "abstain") for one in chance.sample(nowhere, each)]
        with tempfile.TemporaryDirectory() as name:
            for row in some:
                Path(name, f"{row['name']}.md").write_text(row["text"], encoding="utf-8")
            workspace = Workspace(Path(name, "workspace"))
            index_folder(Path(name), workspace)
            yield from _seen(workspace, asked, foreign)


def without(memory: Memory, foreign: Floats) -> Memory:
    """Return a memory that has not seen some foreign questions, such as are to be asked."""
    kept = (memory.foreign @ foreign.T).max(axis=1) < _SAME
    return replace(memory, foreign=memory.foreign[kept])


def _seen(
    workspace: Workspace, asked: Sequence[tuple[str, Route]], foreign: Floats
) -> Iterator[Seen]:
    with open_pipeline(workspace) as pipeline:
        router = Router.open(workspace, pipeline.get_component("question").embedder)
        router.memory = without(router.memory, foreign)

        def probe(text: str) -> list:
            return search(pipeline, text, top_k=10)

        for question, route in asked:
            features = router.look(question, probe=probe)
            yield Seen(question, route, features, len(router.memory.passages))
