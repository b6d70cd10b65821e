"""The benchmarks import what is there: nothing else runs all of them."""

import ast
from pathlib import Path

import pytest

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
