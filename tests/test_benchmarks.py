"""The benchmarks import what is there, as nothing else runs all of them, and read their data."""

import ast
import importlib
import json
from pathlib import Path

import pytest

from agent.workspace import Workspace

ROOT = Path(__file__).parents[1]
OURS = ("agent", "pipelines", "adapters")


def names_of(module: str) -> set[str]:
    """Return what a module of ours defines or imports at its top level, and its submodules."""
    path = ROOT / Path(*module.split("."))
    folder = {one.stem for one in path.iterdir()} if path.is_dir() else set()
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    defined = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {one.asname or one.name for one in node.names}
    return folder | defined


@pytest.mark.parametrize("script", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_a_benchmark_imports_what_there_is(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            module = node.module or ""
            missing = {one.name for one in node.names} - names_of(module)
            assert not missing, f"{script.name}: {module} has no {', '.join(missing)}"


def test_references_that_say_nothing_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    index_squad = importlib.import_module("answers").index_squad
    asked = [
        {"id": str(n), "question": question, "answers": [{"text": one} for one in answers]}
        for n, (question, answers) in enumerate(
            [
                ("Who came?", ["Ann", "Ann", "."]),
                ("Who left?", []),
                ("Which mark ends it?", ["."]),
                ("  ", ["Ann"]),
            ]
        )
    ]
    paragraph = {"context": "Ann came.", "qas": asked}
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": [{"title": "A_day", "paragraphs": [paragraph]}]}))
    found = index_squad(file, Workspace(tmp_path / "workspace"))
    assert [(one.id, one.accepted, one.gold_files) for one in found] == [
        ("0", ("Ann",), ("A day.txt",)),
        ("1", (), ("A day.txt",)),
    ]
