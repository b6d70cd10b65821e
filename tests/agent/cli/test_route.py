"""``expert route`` and ``expert router`` in a workspace with documents and two adapters."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.router.versions import Versions
from agent.workspace import Workspace
from tests.agent.router.conftest import made, workspace  # noqa: F401

Expert = Callable[..., object]
KNOWN = "what does error E17 of the press mean"


@pytest.fixture
def run(expert: Expert, workspace: Workspace) -> Expert:  # noqa: F811
    return lambda *arguments: expert("--workspace", str(workspace.path), *arguments)


def test_a_route_is_shown_with_its_reasons(run: Expert) -> None:
    result = run("route", KNOWN)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "expert · press@1"
    assert any("press was trained on “What does error code E17" in line for line in lines)
    assert "\x1b" not in result.out


def test_the_contract_of_json(run: Expert) -> None:
    told = run("route", KNOWN, "--json").json
    assert list(told) == [
        *("route", "adapter", "probabilities", "domain", "out_of_scope", "expected_cost"),
        *("stage", "reasons", "router_version", "second_adapter", "knew"),
    ]


def test_a_file_comes_back_with_routes_and_its_bad_lines_named(run: Expert, tmp_path: Path) -> None:
    path, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text(f'{{"id": 7, "question": "{KNOWN}"}}\n[]\n\n{{"question": ""}}\n')
    result = run("route", "--file", str(path), "-o", str(target))
    assert result.code == 1
    assert "in.jsonl: line 2: question: is missing or no text; left out" in result.err
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(line.get("id"), line["route"]) for line in lines] == [(7, "expert"), (None, "abstain")]


def test_half_a_character_is_routed_too_and_a_wrong_target_named(
    run: Expert, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"question": "\\ud800 is this it?"}\n')
    result = run("route", "--file", str(path), "-o", str(tmp_path / "out.jsonl"))
    assert (result.code, result.err) == (0, "")
    assert json.loads((tmp_path / "out.jsonl").read_text())["question"] == "\ud800 is this it?"
    lost = run("route", "--file", str(path), "-o", str(tmp_path / "none" / "out.jsonl"))
    assert (lost.code, lost.err.count("\n")) == (1, 1)
    assert "out.jsonl: No such file or directory" in lost.err


def test_a_failure_leaves_the_output_as_it_was(run: Expert, tmp_path: Path) -> None:
    path, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    target.write_text("before\n")
    target.chmod(0o640)
    path.write_bytes(b'{"question": "is this it?"}\n\xff\n')
    lost = run("route", "--file", str(path), "-o", str(target))
    assert (lost.code, lost.err) == (1, f"expert: {path}: not UTF-8\n")
    assert target.read_text() == "before\n"
    path.write_text('{"question": "is this it?"}\n')
    assert run("route", "--file", str(path), "-o", str(target)).code == 0
    assert json.loads(target.read_text())["question"] == "is this it?"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.glob(".writing-*")) == []
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert run("route", "--file", str(path), "-o", str(tmp_path / "pipe")).code == 0
    assert json.loads(os.read(reader, 60_000))["question"] == "is this it?"
    os.close(reader)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("route",), "give a QUESTION or --file"),
        (("route", "x", "--file", "y"), "give a QUESTION or --file"),
        (("route", "x", "-o", "y"), "-o goes with --file"),
        (("route", "--file", "y", "-o", "./y"), "--file and -o must be two files"),
        (("router", "learn"), "Missing option '--suite'"),
        (("ask", "x", "--route", "abstain"), "'abstain' is not one of"),
        (("ask", "x", "--route", "retrieval", "--adapter", "pay"), "--adapter goes with"),
        (("ask", "x", "--route", "expert", "--answerer", "quote"), "--answerer goes with"),
    ],
)
def test_wrong_usage_exits_with_2(run: Expert, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_show_fit_explain_eval_and_rollback(run: Expert, tmp_path: Path) -> None:
    assert run("router", "show", "--json").json["router_version"] == "default"
    assert run("router", "fit", "--json").json["router_version"] == "0001"
    shown = run("router", "show")
    assert "pay@1 (6 questions)" in shown.out
    explained = run("router", "explain", KNOWN, "--json").json
    assert explained["examples"][0]["adapter"] == "press"
    assert explained["weighed"]
    assert "nearest trained questions:" in run("router", "explain", KNOWN).out
    suite = tmp_path / "suite.jsonl"
    suite.write_text(
        f'{{"question": "{KNOWN}", "route": "expert", "accepted": ["stop"]}}\n'
        '{"question": "who won the world cup in 1998", "route": "abstain"}\n'
    )
    report = tmp_path / "report.html"
    told = run("router", "eval", "--suite", str(suite), "--report", str(report), "--json").json
    assert told["right"] == 1.0
    assert report.read_text().startswith("<!doctype html>")
    assert run("router", "rollback").out == "Router default is in use.\n"
    last = run("router", "rollback")
    assert last.code == 1
    assert "there is none to go back to" in last.err


def test_a_damaged_router_can_be_fitted_anew(
    run: Expert,
    workspace: Workspace,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write(folder: Path) -> None:
        (folder / "words.json").write_text("{")

    monkeypatch.setattr("agent.router.fit.FOREIGN", tmp_path / "foreign.txt")
    (tmp_path / "foreign.txt").write_text("Who painted the Mona Lisa?\nHow do I bake bread?\n")
    Versions(workspace.path / "router").add(write, {}, use=True)
    # Its words are read for a question that has a slip.
    damaged = run("route", f"{KNOWN} Zzyxq")
    assert (damaged.code, damaged.err.count("\n")) == (1, 1)
    assert "run `expert router fit`" in damaged.err
    assert run("router", "fit", "--json").json["router_version"] == "0002"
    assert run("route", f"{KNOWN} Zzyxq", "--json").json["router_version"] == "0002"


def test_asking_follows_the_router(run: Expert) -> None:
    told = run("ask", "who won the football world cup in 1998", "--json")
    assert told.code == 3
    assert told.json["route"] == "abstain"
    assert told.json["decision"]["route"] == "abstain"
    assert told.json["reason"] == "neither the documents nor an adapter seem to be about this"
    looked_up = run("ask", "How often is the coolant pump greased?", "--json")
    assert looked_up.json["route"] == "retrieval"
    assert "400 operating hours" in looked_up.json["answer"]
    assert "route" in looked_up.json["timings_ms"]
