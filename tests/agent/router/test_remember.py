"""What an index is told by, also where it may only be read."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agent.errors import WorkspaceError
from agent.freshness import IndexedDocuments
from agent.router.remember import index_stamp
from agent.workspace import Workspace
from pipelines.catalog import Catalog, CatalogEntry

AsAnyone = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    made = Workspace(tmp_path / "work")
    made.create()
    with Catalog(made.index_folder / "catalog.sqlite") as catalog:
        catalog.put([(CatalogEntry("/docs", "a.md", "done", 10, 123, "0" * 64, "1"), "text")])
    return made


def test_an_index_that_may_only_be_read_is_the_same(
    workspace: Workspace, as_anyone: AsAnyone
) -> None:
    workspace.index_folder.chmod(0o555)
    with as_anyone(workspace.index_folder):
        stamp = index_stamp(workspace)
        known = IndexedDocuments.of(workspace)
    workspace.index_folder.chmod(0o755)
    assert stamp.startswith("1 documents")
    assert index_stamp(workspace) == stamp
    assert known is not None
    assert known.sources(["a.md"])[0][0].sha256 == "0" * 64


def test_a_damaged_catalogue_is_one_line(workspace: Workspace) -> None:
    (workspace.index_folder / "catalog.sqlite").write_text("no database, " * 100)
    with pytest.raises(WorkspaceError, match=r"cannot read the catalogue .*not a database"):
        index_stamp(workspace)
