"""Every code block in the documentation runs, in the order it stands in."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adapters.lab import lab_model
from agent.settings import load_settings
from agent.suite import read_suite

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples/README.md"]
)
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Shown, not run: what a command prints, and what is written for people only.
SHOWN = {"text", "console"}


def run_bash(code: str, folder: Path) -> None:
    # `make` would install and test all over again; that its targets exist is what counts.
    code = re.sub(r"^make ", f"make -C {ROOT} -n ", code, flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", code],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


@pytest.mark.timeout(1500)  # the README indexes whole collections
@pytest.mark.parametrize("name", DOCUMENTS)
def test_code_blocks_run(name: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    # As `make` leaves it in the checkout.
    (tmp_path / ".venv").symlink_to(sys.prefix)
    lab_model()
    for language, code in BLOCK.findall((ROOT / name).read_text(encoding="utf-8")):
        if language == "bash":
            run_bash(code, tmp_path)
        elif language == "python":
            (tmp_path / "block.py").write_text(code)
            run_bash("python block.py", tmp_path)
        elif language == "toml":
            (tmp_path / "block.toml").write_text(code)
            load_settings(tmp_path / "block.toml")
        elif language == "json":
            json.loads(code)
        elif language == "jsonl":
            (tmp_path / "suite.jsonl").write_text(code)
            assert not read_suite(tmp_path / "suite.jsonl").errors
        elif language == "yaml":
            yaml.safe_load(code)
        else:
            assert language in SHOWN, f"{name}: what is a {language or 'nameless'} block?"


@pytest.mark.parametrize("name", ["cli", "api"])
def test_a_reference_is_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    written = importlib.import_module(f"make_{name}_reference").reference()
    assert (ROOT / f"docs/{name}.md").read_text(encoding="utf-8") == written, "run `make docs`"
