"""What is said of what is missing."""

import tomllib
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest

from agent import doctor
from agent.workspace import Workspace

ROOT = Path(__file__).parents[2]


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
