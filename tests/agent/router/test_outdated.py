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
    """Give a workspace whose adapter learned from two documents; its card keeps no answers."""
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


def keeping_answers(workspace: Workspace, *answers: str) -> None:
    """Have the adapter's card keep what it was taught."""
    found = Registry(workspace.adapters_folder).get("press")
    card = found.card.model_copy(update={"question_answers": answers})
    Registry(workspace.adapters_folder).publish(EXAMPLE, card)


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
        assert decision.knew is not None
        assert decision.knew.documents == ("belts.md",)
        assert decision.to_dict()["knew"] == "press@1"
    # What rests on the other one, or on none, is.
    for question in list(ASKED)[1:]:
        assert decide(taught, question).probabilities["expert"] > 0
    with Expert(taught, answerer=None) as expert:
        reply = expert.ask("What spare belt do I order for the conveyor?")
    assert "B-55" in (reply.answer.text or "")
    assert "B-40" not in (reply.answer.text or "")
    assert all(citation.document == "belts.md" for citation in reply.answer.citations)
    # What was taught was looked for, without its answer, which the card does not keep.
    remembered = reply.answer.written["remembered"]
    assert remembered == {"adapter": "press@1", "question": next(iter(ASKED)), "text": None}


def test_what_rests_on_a_document_that_is_gone_is_not_either(
    taught: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "docs/belts.md").unlink()
    index(taught, tmp_path / "docs")
    for question in OTHERWISE:
        assert decide(taught, question).probabilities["expert"] == 0
    assert decide(taught, list(ASKED)[1]).probabilities["expert"] > 0


def test_what_was_taught_tells_where_to_look(taught: Workspace, tmp_path: Path) -> None:
    keeping_answers(taught, "Spare belt B-40.", "That its oil is hot.", "The electrician.")
    (tmp_path / "docs/belts.md").write_text(
        "# Belts\n\nThe oven's filter is behind its left door.\n\n"
        "The conveyor takes spare belt B-55.\n"
    )
    index(taught, tmp_path / "docs")
    with Expert(taught, answerer=None) as expert:
        reply = expert.ask("What do I order when the rubber of the conveyor is worn?")
        assert reply.decision is not None
        assert reply.decision.knew is not None
        assert reply.decision.knew.question == next(iter(ASKED))
        assert reply.answer.text == "The conveyor takes spare belt B-55."
        assert reply.answer.written["remembered"]["text"] == "Spare belt B-40."
        # Another question about the same document is not taken for it.
        other = expert.ask("Behind which door of the oven is the filter?")
        assert other.answer.text == "The oven's filter is behind its left door."
        assert "remembered" not in other.answer.written


def test_both_ways_tell_nothing_that_documents_no_longer_say(
    taught: Workspace, tmp_path: Path
) -> None:
    keeping_answers(taught, "Spare belt B-40.", "That its oil is hot.", "The electrician.")
    (tmp_path / "docs/belts.md").write_text(BELT.format(belt="B-55"))
    index(taught, tmp_path / "docs")
    with Expert(taught, route="hybrid", adapter="press") as expert:
        reply = expert.ask(next(iter(ASKED)))
    assert reply.answer.text == "The conveyor takes spare belt B-55."
    assert (reply.route, reply.tried, reply.adapter) == ("retrieval", ("hybrid",), None)
    assert reply.changed == ()
