"""``expert lab``: data, training and scores from the command line, on a few real rows."""

import json
from pathlib import Path

import pytest

from adapters.lora_files import WEIGHTS
from agent.cli import run
from agent.lab.data import Files
from agent.workspace import Workspace

pytestmark = pytest.mark.timeout(600)


def test_data_is_built_trained_on_and_scored(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, target = str(tmp_path / "data"), tmp_path / "run"
    assert run(["lab", "data", data, "--squad", str(files.squad), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["measured"] == 0
    assert "give --squad2 too" in told.err
    again = ["lab", "data", data, "--squad", str(files.squad), "--squad2", str(files.squad2)]
    assert run(again) == 0
    assert "rows to learn from" in capsys.readouterr().out

    assert run(["lab", "train", data, str(target), "--examples", "4", "--rank", "2"]) == 0
    assert "held-out loss" in capsys.readouterr().out
    assert (target / WEIGHTS).is_file()

    asked = ["lab", "eval", "--squad", str(files.squad2), "--questions", "3", "--json"]
    assert run([*asked, "--model", "lab-bare", "--delta", str(target)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["asked"] == [3, 3]
    assert 0 <= found["f1"] <= 1


def test_bad_lines_are_named_and_the_others_searched_for(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, target = tmp_path / "suite.jsonl", tmp_path / "found.jsonl"
    suite.write_text('{"question": "Who won the cup?"}\n{"answer": "x"}\n')
    asked = ["--workspace", str(workspace.path), "lab", "evidence", str(suite), str(target)]
    assert run(asked) == 1
    told = capsys.readouterr()
    assert told.err == f"expert: {suite}: line 2: question: field required; left out\n"
    assert told.out == "1 of 1 questions, 0 with the answer\n"
    assert len(target.read_text().splitlines()) == 1


def test_training_without_data_says_how_to_build_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", "train", str(tmp_path), str(tmp_path / "run")]) == 1
    assert "build the data with `expert lab data`" in capsys.readouterr().err


def test_exporting_an_unfinished_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", "export", str(tmp_path), str(tmp_path / "delta")]) == 1
    assert "is no adapter" in capsys.readouterr().err


def test_a_training_that_was_cut_off_is_not_thrown_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "run" / "checkpoints" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    assert run(["lab", "train", str(tmp_path), str(tmp_path / "run")]) == 1
    assert "give --resume to go on with it, or --anew to begin again" in capsys.readouterr().err
    assert checkpoint.is_dir()
    assert run(["lab", "train", str(tmp_path), str(tmp_path / "run"), "--anew"]) == 1
    assert "build the data" in capsys.readouterr().err
