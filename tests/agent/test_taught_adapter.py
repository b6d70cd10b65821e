"""What an adapter was taught is asked for in other words, where nothing else answers, and in parts."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.card import AdapterCard
from adapters.registry import Registry
from agent.assemble import open_indexer
from agent.expert import Expert
from agent.routes import Routes
from agent.workspace import Workspace
from pipelines.closed_book import NOT_TAUGHT

HR = Path(__file__).parents[2] / "examples" / "hr"
PAGES = (
    "hiring-staying-or-changing-jobs__term-extensions.md",
    "hiring-staying-or-changing-jobs__external-details.md",
    "hiring-staying-or-changing-jobs__assignee-detail.md",
    "getting-started__index.md",
)
TERM = (
    "We hired an IT specialist by direct hire on a term. For how long at most can she stay "
    "altogether, and how far ahead of the end of a term does PeopleOps get in touch with her boss?"
)
DETAIL = (
    "I'm going on a detail to another agency: which Tock line do I use then, and how long does it "
    "take on average to process such a detail?"
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with some pages and the HR adapter, which knows what they do not say."""
    folder = tmp_path_factory.mktemp("hr")
    (folder / "docs").mkdir()
    for name in PAGES:
        shutil.copy(HR / "documents" / "markdown" / name, folder / "docs")
    workspace = Workspace(folder / ".expert")
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([folder / "docs"])
    Registry(workspace.adapters_folder).publish(HR / "adapter", AdapterCard.read(HR / "adapter"))
    return workspace


@pytest.fixture(scope="module")
def expert(workspace: Workspace) -> Iterator[Expert]:
    with Expert(workspace) as opened:
        yield opened


def test_the_examples_cards_keep_what_was_taught() -> None:
    for industry in ("hr", "maintenance", "health"):
        card = AdapterCard.read(HR.parent / industry / "adapter")
        rows = (HR.parent / industry / "know_how.jsonl").read_text(encoding="utf-8").splitlines()
        taught = {row["question"]: row["answer"] for row in map(json.loads, rows)}
        assert dict(zip(card.questions, card.question_answers, strict=True)) == taught


def test_an_answer_to_another_question_gives_way(workspace: Workspace) -> None:
    routes = Routes(workspace)
    pieces: list[str] = []
    adapter = routes.expert("hr-advisor")
    adapter.warm_up()
    recalled = adapter.recall("Poll volunteering is supported with what leave?")
    assert recalled.text == "4 hours of Administrative Leave per leave year."
    assert recalled.said != recalled.text
    assert "poll worker" in recalled.written["asked_again"]["question"]
    assert recalled.written["asked_again"]["reply"] == recalled.text
    # What is given is told once, and whole.
    answer = adapter.run("Poll volunteering is supported with what leave?", pieces.append)["answer"]
    assert pieces == [answer.text] == [recalled.text]
    assert 0.4 < answer.confidence < 0.9
    # A question in the words taught is answered at once, and surely.
    known = adapter.run("How many days of military leave does a reservist get yearly?")["answer"]
    assert known.text == "15 Military Leave days each year."
    assert known.confidence > 0.9
    assert "asked_again" not in known.written
    routes.close()


def test_what_was_not_taught_is_withheld(workspace: Workspace) -> None:
    with Expert(workspace, adapter="hr-advisor") as asked:
        reply = asked.ask("Who won the football cup in 1998?")
        assert reply.answer.abstained
        assert (reply.answer.reason or "").startswith(f"{NOT_TAUGHT}: the nearest it knows is “")
        assert reply.answer.confidence < 0.1


def test_without_what_was_taught_the_model_s_own_word_counts(
    workspace: Workspace, tmp_path: Path
) -> None:
    bare = Workspace(tmp_path / ".expert")
    card = AdapterCard.read(HR / "adapter").model_copy(update={"question_answers": ()})
    Registry(bare.adapters_folder).publish(HR / "adapter", card)
    with Expert(bare, adapter="hr-advisor") as asked:
        answer = asked.ask("Who won the football cup in 1998?").answer
    assert answer.text
    assert answer.confidence > 0.3


def test_parts_that_an_adapter_answers_alike_are_looked_up(expert: Expert) -> None:
    reply = expert.ask(TERM)
    assert [part.route for part in reply.parts] == ["expert", "retrieval"]
    assert "8 years" in (reply.answer.text or "")
    assert "6-7 months" in (reply.answer.text or "")
    assert reply.answer.citations[-1].document == PAGES[0]


def test_a_part_is_asked_without_what_was_said_before_where_that_has_no_answer(
    expert: Expert,
) -> None:
    reply = expert.ask(DETAIL)
    assert [part.route for part in reply.parts] == ["expert", "retrieval"]
    assert "#1280" in (reply.answer.text or "")
    assert "2.5-3 months" in (reply.answer.text or "")
    assert reply.parts[1].question.startswith("I'm going on a detail to another agency. how long")


def test_an_adapter_that_is_sure_answers_where_the_documents_do_not(expert: Expert) -> None:
    reply = expert.ask("Should I search the web for somebody I will interview?")
    assert reply.tried == ("retrieval", "expert")
    assert (reply.route, reply.adapter) == ("expert", "hr-advisor@1")
    assert reply.answer.text == "No, do not check candidates on social media or Google."
    assert reply.answer.confidence >= 0.7
