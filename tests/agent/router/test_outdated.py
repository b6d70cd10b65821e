"""A fact changes in a document after an adapter learned it: its memory is not asked for that."""

from contextlib import closing
from pathlib import Path

import pytest

from adapters.card import AdapterCard
from adapters.registry import Registry
from agent.assemble import open_indexer
from agent.expert import Expert
from agent.freshness import IndexedDocuments
from agent.routes import Routes
from agent.workspace import Workspace
from tests.agent.router.conftest import EXAMPLE

BELT = "# Belts\n\nThe conveyor takes spare belt {belt}.\n"
LAMP = "# Lamps\n\nThe red lamp on the press says that its oil is hot.\n"
ASKED = {
    "Which spare belt fits the conveyor?": ("belts.md",),
    "What does the red lamp on the press say?": ("lamps.md",),
    "Who may open the control cabinet?": (),
}
OTHERWISE = ("which belt does the conveyor take", "What spare belt do I order for the conveyor?")


def index(workspace: Workspace, folder: Path) -> IndexedDocuments:
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([folder])
    known = IndexedDocuments.of(workspace)
    assert known is not None
    return known


@pytest.fixture
def taught(tmp_path: Path) -> Workspace:
    """Give a workspace whose adapter learned from two documents."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/belts.md").write_text(BELT.format(belt="B-40"))
    (tmp_path / "docs/lamps.md").write_text(LAMP)
    workspace = Workspace(tmp_path / ".expert")
    sources, _ = index(workspace, tmp_path / "docs").sources(["belts.md", "lamps.md"])
    card = AdapterCard.read(EXAMPLE).model_copy(
        update={
            "name": "press",
            "questions": tuple(ASKED),
            "sources": sources,
            "question_sources": tuple(ASKED.values()),
        }
    )
    Registry(workspace.adapters_folder).publish(EXAMPLE, card)
    return workspace


def decide(workspace: Workspace, question: str):
    with closing(Routes(workspace)) as routes:
        return routes.router.decide(question, probe=lambda text: routes.find(text).hits)


def test_what_rests_on_a_changed_document_is_not_told_from_memory(
    taught: Workspace, tmp_path: Path
) -> None:
    assert decide(taught, next(iter(ASKED))).route == "expert"
    (tmp_path / "docs/belts.md").write_text(BELT.format(belt="B-55"))
    index(taught, tmp_path / "docs")
    for question in (*OTHERWISE, next(iter(ASKED))):
        decision = decide(taught, question)
        assert decision.route in ("retrieval", "hybrid")
        assert decision.probabilities["expert"] == 0
        assert decision.reasons[0].endswith("from documents that have changed: belts.md")
        assert decision.knew == ("press@1" if decision.route == "retrieval" else None)
    # What rests on the other one, or on none, is.
    for question in list(ASKED)[1:]:
        assert decide(taught, question).probabilities["expert"] > 0
    with Expert(taught, answerer=None) as expert:
        reply = expert.ask("What spare belt do I order for the conveyor?")
    assert "B-55" in (reply.answer.text or "")
    assert "B-40" not in (reply.answer.text or "")
    assert all(citation.document == "belts.md" for citation in reply.answer.citations)
    # What the adapter remembers, rightly or not, was looked for; a trace tells it.
    assert reply.answer.written["remembered"]["adapter"] == "press@1"
    assert reply.timings_ms["recall"] > 0


def test_what_rests_on_a_document_that_is_gone_is_not_either(
    taught: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "docs/belts.md").unlink()
    index(taught, tmp_path / "docs")
    for question in OTHERWISE:
        assert decide(taught, question).probabilities["expert"] == 0
    assert decide(taught, list(ASKED)[1]).probabilities["expert"] > 0
