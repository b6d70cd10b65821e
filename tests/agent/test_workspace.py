"""What a workspace says when it cannot be written."""

from pathlib import Path

import pytest

from agent.errors import WorkspaceError
from agent.training import run_folder
from agent.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "work")
    made.create()
    return made


def test_an_index_that_cannot_be_locked_is_one_line(workspace: Workspace) -> None:
    (workspace.index_folder / "index.lock").mkdir()
    with (
        pytest.raises(WorkspaceError, match=r"cannot write .*index\.lock: is a directory"),
        workspace.index_lock(),
    ):
        pass


@pytest.mark.parametrize("in_the_way", ["training", "training/hr.lock/inner"])
def test_a_training_that_cannot_be_written_is_one_line(
    workspace: Workspace, in_the_way: str
) -> None:
    place = workspace.path / "runs" / in_the_way
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    with (
        pytest.raises(WorkspaceError, match=r"cannot write .*training(/hr\.lock)?: "),
        run_folder(workspace, "hr", resume=False, anew=False),
    ):
        pass


def test_one_process_at_a_time_trains_an_adapter(workspace: Workspace) -> None:
    with (
        run_folder(workspace, "hr", resume=False, anew=False) as folder,
        pytest.raises(WorkspaceError, match="hr is being trained by another process"),
        run_folder(workspace, "hr", resume=False, anew=False),
    ):
        pass
    assert folder == workspace.path / "runs/training/hr"
