"""``expert measure`` over a small real index."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.answerers import MEASURED
from agent.workspace import Workspace

Expert = Callable[..., object]
LEAVE = "How many days of annual leave do full-time staff earn?"
LINES = [
    {"question": LEAVE, "accepted": ["25 days"], "gold_files": ["leave.md"]},
    {"question": LEAVE, "accepted_all": ["25", "annual leave"], "gold_files": ["leave.md"]},
    {"question": LEAVE, "answer": "25 days."},
    {"question": "Who won the world cup in 1998?", "accepted": []},
]


@pytest.fixture
def measure(expert: Expert, own_workspace: Workspace, word_answerer: object) -> Expert:
    """Run ``expert measure`` on lines."""

    def run(lines: list[object], *arguments: str) -> object:
        Path("in.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return expert("--workspace", str(own_workspace.path), "measure", "in.jsonl", *arguments)

    return run


def test_what_says_nothing_of_right_answers_is_left_out(
    measure: Expert, own_workspace: Workspace
) -> None:
    done = measure(LINES, "--answerer", "quote", "--json")
    assert done.code == 0
    assert done.err == ('expert: in.jsonl: 1 questions without "accepted" are left out\n')
    assert (done.json["quote"]["questions"], done.json["quote"]["unanswerable"]) == (2, 1)
    assert done.json["quote"]["right"] == 1.0
    none = measure(LINES[2:3], "--json")
    assert (none.code, none.out) == (1, "")
    assert none.err.startswith("expert: in.jsonl: no question says")
    assert not (own_workspace.path / MEASURED).exists()


def test_where_failures_go_is_looked_at_first(measure: Expert) -> None:
    done = measure(LINES, "--failures", "no/such.jsonl")
    assert (done.code, done.out) == (2, "")
    assert "there is no folder no" in done.err
    Path("folder").mkdir()
    done = measure(LINES, "--failures", "folder")
    assert (done.code, done.out) == (2, "")
    assert "is a directory" in done.err


def test_bad_lines_are_named_and_the_others_asked(measure: Expert) -> None:
    done = measure([LINES[0], {"answer": "x"}], "--answerer", "quote", "--json")
    assert done.code == 1
    assert "in.jsonl: line 2: question: field required; left out" in done.err
    assert done.json["quote"]["questions"] == 1


def test_which_document_is_right_is_told_only_of_questions_that_say_it(measure: Expert) -> None:
    alone = [{"question": LEAVE, "accepted": ["25 days"]}, {"question": LEAVE, "accepted": ["9 x"]}]
    done = measure(alone, "--answerer", "quote", "--json", "--failures", "failed.jsonl")
    assert "file" not in done.json["quote"]
    assert done.json["quote"]["passage"] == 0.5
    (failed,) = map(json.loads, Path("failed.jsonl").read_text().splitlines())
    assert failed["lost_at"] == "passage"
    (row,) = [line for line in measure(alone).out.splitlines() if "right document" in line]
    assert row.split()[-2:] == ["–", "–"]
    other = {"question": LEAVE, "accepted": ["25 days"], "gold_files": ["ave.md"]}
    done = measure([*alone, other, LINES[0]], "--answerer", "quote", "--json")
    assert done.json["quote"]["file"] == 0.5


def test_traces_are_left_to_the_questions_of_the_user(
    measure: Expert, own_workspace: Workspace
) -> None:
    assert measure(LINES, "--answerer", "quote").code == 0
    assert not (own_workspace.path / "runs/traces.sqlite").exists()


def test_without_questions_that_have_an_answer_nothing_is_chosen(
    measure: Expert, own_workspace: Workspace
) -> None:
    done = measure(LINES[3:], "--json")
    assert set(done.json) == {"quote", "phi3"}
    assert not (own_workspace.path / MEASURED).exists()
