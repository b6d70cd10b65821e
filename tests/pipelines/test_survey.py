from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipelines.catalog import Catalog, CatalogEntry
from pipelines.errors import ConversionError
from pipelines.survey import survey

AsAnyone = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        yield catalog


def know(catalog: Catalog, root: Path, *documents: str) -> None:
    catalog.put(
        [(CatalogEntry(str(root), name, "done", 1, 1, "0", "r"), None) for name in documents]
    )


def gone(catalog: Catalog, path: Path) -> list[str]:
    return [entry.document for entry in survey(catalog, [path], max_bytes=1_000)[1]]


def test_what_is_in_a_folder_that_cannot_be_listed_is_not_gone(
    tmp_path: Path, catalog: Catalog, as_anyone: AsAnyone
) -> None:
    root = tmp_path / "docs"
    (root / "shut").mkdir(parents=True)
    (root / "shut/kept.md").write_text("kept")
    (root / "shutter.md").write_text("open")
    know(catalog, root, "gone.md", "shut/kept.md", "shutter.md", "shutters/gone.md")
    (root / "shut").chmod(0)
    try:
        with as_anyone(root):
            assert gone(catalog, root) == ["gone.md", "shutters/gone.md"]
    finally:
        (root / "shut").chmod(0o755)
    assert gone(catalog, root) == ["gone.md", "shutters/gone.md"]


def test_a_folder_that_is_gone_may_be_named_if_it_was_indexed(
    tmp_path: Path, catalog: Catalog
) -> None:
    know(catalog, tmp_path / "docs", "a.md", "hr/b.md")
    assert gone(catalog, tmp_path / "docs") == ["a.md", "hr/b.md"]
    with pytest.raises(ConversionError, match="no such file or folder"):
        survey(catalog, [tmp_path / "never"], max_bytes=1_000)
