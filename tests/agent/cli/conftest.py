import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.cli import run


@pytest.fixture
def expert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    """Run a command in an empty folder; gives its exit code, output and parsed JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXPERT_WORKSPACE", raising=False)

    def call(*arguments: str) -> SimpleNamespace:
        capsys.readouterr()
        code = run(list(arguments))
        out, err = capsys.readouterr()
        parsed = json.loads(out) if "--json" in arguments and out else None
        return SimpleNamespace(code=code, out=out, err=err, json=parsed)

    return call
