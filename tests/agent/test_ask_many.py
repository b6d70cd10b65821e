"""Many questions at once, by documents and by real adapters: the same answers as one by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.intake import import_adapter
from adapters.lab import lab_model
from adapters.models import find_local
from adapters.registry import Registry
from agent.expert import Expert, Failure, Question, Reply
from agent.follow_up import Turn
from agent.workspace import Workspace

EXAMPLES = Path(__file__).parents[2] / "examples"
LEAVE = "How many days of annual leave do full-time staff earn?"
MARROW = "I am giving bone marrow, how many days am I excused?"
TOOTH = "A tooth came off, what do I plan?"


@pytest.fixture
def taught(own_workspace: Workspace) -> Workspace:
    """Give a workspace with documents and two adapters."""
    lab_model()
    registry = Registry(own_workspace.adapters_folder)
    for industry in ("hr", "maintenance"):
        import_adapter(registry, EXAMPLES / industry / "adapter", find_local("lab"))
    return own_workspace


def told(reply: Reply | Failure) -> tuple[object, ...]:
    assert isinstance(reply, Reply)
    return (
        reply.answer.text,
        reply.route,
        reply.adapter,
        reply.answer.citations,
        None if reply.decision is None else reply.decision.route,
    )


def test_many_are_answered_as_one_by_one_and_in_order(taught: Workspace) -> None:
    asked = [
        Question(LEAVE, route="retrieval"),
        Question(MARROW),
        Question(TOOTH, adapter="maintenance-planner"),
        Question("Who won the world cup in 1998?"),
        Question(MARROW, route="expert"),
        Question("And part-time staff?", (Turn(LEAVE, LEAVE, "25 days"),), route="retrieval"),
        Question(LEAVE, route="hybrid"),
    ]
    with Expert(taught) as expert:
        many = list(expert.ask_many(asked, block=3))
        for one, reply in zip(asked, many, strict=True):
            assert isinstance(reply, Reply)
            assert reply.question == one.text
            assert reply.timings_ms["total"] > 0
        assert told(many[1])[0] == "Up to 7 days in a calendar year."
        assert told(many[2])[0] == "Replace the tooth."
        assert told(many[3])[0] is None
        assert many[5].searched != many[5].question
        assert told(many[1]) == told(expert.ask(MARROW))
    with Expert(taught, route="expert", adapter="maintenance-planner") as expert:
        assert told(many[2]) == told(expert.ask(TOOTH))
    with Expert(taught, route="hybrid") as expert:
        assert told(many[6]) == told(expert.ask(LEAVE))


def test_what_a_question_does_not_name_is_as_for_the_others(taught: Workspace) -> None:
    asked = [
        Question(TOOTH),
        Question(TOOTH, route="expert"),
        Question(LEAVE, route="retrieval"),
        Question(MARROW, adapter="hr-advisor"),
    ]
    with Expert(taught, route="hybrid", adapter="maintenance-planner") as expert:
        replies = list(expert.ask_many(asked))
    ways = []
    for reply in replies:
        assert isinstance(reply, Reply)
        ways.append((reply.tried[0], (reply.adapter or "").split("@")[0]))
    assert ways == [
        ("hybrid", "maintenance-planner"),
        ("expert", "maintenance-planner"),
        ("retrieval", ""),
        ("hybrid", "hr-advisor"),
    ]


@pytest.mark.usefixtures("word_answerer")
def test_a_question_that_cannot_be_answered_loses_no_other(own_workspace: Workspace) -> None:
    asked: list[str | Question] = [
        LEAVE,
        Question(LEAVE, adapter="nobody"),
        Question(LEAVE, route="abstain"),
        Question(LEAVE, route="hybrid"),
        "",
        "Where do visitors park?",
    ]
    with Expert(own_workspace) as expert:
        found = list(expert.ask_many(asked))
    assert [isinstance(one, Failure) for one in found] == [False, True, True, True, False, False]
    said = [str(one.error) for one in found if isinstance(one, Failure)]
    assert "nobody" in said[0]
    assert said[1] == "route abstain is not known: retrieval, expert or hybrid"
    assert said[2].endswith("`expert train` makes one")
    assert found[-1].answer.text == "Visitors park behind the north gate of the warehouse."
    assert found[4].route == "abstain"


@pytest.mark.usefixtures("word_answerer")
def test_no_more_is_read_than_is_needed(own_workspace: Workspace) -> None:
    read = []

    def endless() -> Iterator[str]:
        while True:
            read.append(LEAVE)
            yield LEAVE

    with Expert(own_workspace) as expert:
        replies = expert.ask_many(endless(), block=4)
        for _ in range(5):
            next(replies)
        replies.close()
    assert len(read) == 8
