from pathlib import Path

import pytest

from agent.answerers import MEASURED, chosen_answerer, record
from agent.assemble import open_answerer
from agent.errors import WorkspaceError
from agent.workspace import Workspace
from pipelines.errors import GroundingError


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace(tmp_path / "work")


def test_before_a_measurement_quote_is_the_default(workspace: Workspace) -> None:
    choice = chosen_answerer(workspace)
    assert choice.name == "quote"
    assert "expert measure" in choice.reason


@pytest.mark.parametrize(("quote", "phi3", "name"), [(0.6, 0.4, "quote"), (0.4, 0.6, "phi3")])
def test_the_one_that_measured_better_is_taken(
    workspace: Workspace, quote: float, phi3: float, name: str
) -> None:
    measured = {"quote": {"right": quote, "questions": 40}, "phi3": {"right": phi3}}
    record(workspace, measured)
    choice = chosen_answerer(workspace)
    assert choice.name == name
    assert choice.reason == f"of 40 questions quote was right on {quote:.0%}, lab on {phi3:.0%}"


def test_settings_win(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERT_ANSWER__ANSWERER", "phi3")
    assert chosen_answerer(workspace).name == "phi3"


def test_another_model_was_not_measured(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(workspace, {"quote": {"right": 0.1, "questions": 9}, "phi3": {"right": 0.9}})
    monkeypatch.setenv("EXPERT_MODEL__NAME", "/models/other")
    assert chosen_answerer(Workspace(workspace.path)).name == "quote"


def test_a_damaged_measurement_says_what_to_do(workspace: Workspace) -> None:
    workspace.create()
    (workspace.path / MEASURED).write_text("{}")
    with pytest.raises(WorkspaceError, match="run `expert measure` anew"):
        chosen_answerer(workspace)


def test_a_measurement_that_cannot_be_kept_is_one_line(workspace: Workspace) -> None:
    (workspace.path / MEASURED).mkdir(parents=True)
    with pytest.raises(WorkspaceError, match=r"cannot write .*answerers\.json: is a directory"):
        record(workspace, {"quote": {"right": 0.1, "questions": 9}, "phi3": {"right": 0.9}})


def test_a_model_of_inference_that_is_named_is_asked_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPERT_ANSWER__NLI", "./nowhere")
    with (
        open_answerer(workspace, "phi3") as answerer,
        pytest.raises(GroundingError, match=r"answer\.nli: no folder \./nowhere"),
    ):
        answerer.warm_up()
