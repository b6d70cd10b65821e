"""What is said of what is missing."""

import os
import tomllib
from itertools import dropwhile, takewhile
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent import doctor
from agent.workspace import Workspace

ROOT = Path(__file__).parents[2]


def test_the_disk_is_that_of_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=5e9)

    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    (check,) = named("disk", Workspace(tmp_path / "not/there/.expert"))
    assert (check.state, check.detail, asked) == ("ok", "5 GB free", [tmp_path])


def test_a_folder_that_is_gone_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    (check,) = named("disk", Workspace(Path(".expert")))
    assert (check.state, check.detail) == (
        "problem",
        "workspace .expert: No such file or directory",
    )


def test_a_driver_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexec sleep 60\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(doctor, "_DRIVER_WAIT_S", 0.2)
    (check,) = named("device", Workspace(tmp_path))
    assert check.state == "ok"
    assert "CPU cores" in check.detail


def named(name: str, workspace: Workspace) -> list[doctor.Check]:
    """Give the checks of a name, without making those after it."""
    until = takewhile(lambda check: check.name != "settings", doctor.diagnose(workspace))
    return [check for check in until if check.name == name]


def is_extra(check: doctor.Check) -> bool:
    return check.name.startswith("extra ")


def test_a_missing_extra_is_one_that_there_is_and_can_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    later = dropwhile(lambda check: not is_extra(check), doctor.diagnose(Workspace(tmp_path)))
    found = list(takewhile(is_extra, later))

    names = {check.name.removeprefix("extra ") for check in found}
    assert names == set(there) - {"dev", "bench"}
    for check in found:
        extra = check.name.removeprefix("extra ")
        assert check.state == "gap"
        assert check.advice == f"in the checkout: pip install -e '.[{extra}]'"
