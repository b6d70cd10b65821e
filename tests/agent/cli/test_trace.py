"""``expert trace``."""

import json
from collections.abc import Callable

import pytest

from agent.workspace import Workspace

Run = Callable[..., object]
LEAVE = "How many days of annual leave do full-time staff earn?"


@pytest.fixture
def run(expert: Run, own_workspace: Workspace, word_answerer: object) -> Run:
    return lambda *arguments: expert("--workspace", str(own_workspace.path), *arguments)


def test_the_last_answers_are_listed_and_each_is_shown(run: Run) -> None:
    assert run("trace").out == "No traces: nothing was asked, or trace.keep is 0.\n"
    asked = run("ask", LEAVE, "--route", "retrieval", "--json").json
    run("ask", "Who won the world cup in 1998?", "--route", "retrieval")
    listed = run("trace", "--json").json["traces"]
    assert [one["abstained"] for one in listed] == [True, False]
    assert listed[1]["trace"] == asked["trace"]
    assert run("trace").out.splitlines()[0] == f"{asked['trace']}\tretrieval\t{LEAVE}"
    assert len(run("trace", "--withheld", "--json").json["traces"]) == 1
    whole = run("trace", asked["trace"], "--json").json
    assert whole["citations"] == asked["citations"]
    shown = run("trace", asked["trace"]).out
    for part in (f"Question    {LEAVE}", "Passages    *", "Taken       retrieval", "█"):
        assert part in shown
    last = run("trace", "last").out
    assert "No answer   the documents found do not answer this" in last


def test_a_question_is_shown_as_it_was_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    question = "What does [/b] end in [red]annual leave[/red]?"
    run("ask", question, "--route", "retrieval")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    assert question in run("trace").out


def test_traces_are_removed_when_that_is_confirmed(run: Run) -> None:
    run("ask", LEAVE)
    assert run("trace", "--clear", "--yes").out == "1 trace removed\n"
    assert json.loads(run("trace", "--json").out) == {"traces": []}
    assert run("trace", "--clear", "last").code == 2


def test_an_unknown_trace_is_one_line(run: Run) -> None:
    done = run("trace", "nothing")
    assert (done.code, done.out) == (1, "")
    assert done.err == "expert: there is no trace nothing: `expert trace` lists them\n"
