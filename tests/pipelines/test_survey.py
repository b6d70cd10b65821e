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


def both(catalog: Catalog, *paths: Path, **options: object) -> tuple[list[str], list[str]]:
    """Return where the files found and the entries gone are, each as root's name and document."""
    found, gone = survey(catalog, paths, max_bytes=1_000, **options)
    return (
        [f"{file.root.name}:{file.document}" for file in found],
        [f"{Path(entry.root).name}:{entry.document}" for entry in gone],
    )


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name in ("a.md", "hr/b.md", ".private/c.md"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
    return tmp_path / "docs"


def test_a_file_is_given_once_and_by_the_outer_folder(docs: Path, catalog: Catalog) -> None:
    everything = ["docs:a.md", "docs:hr/b.md"]
    (docs.parent / "link").symlink_to(docs / "hr")
    for paths in ([docs, docs / "hr"], [docs / "hr", docs], [docs.parent / "link", docs, docs]):
        assert both(catalog, *paths) == (everything, [])
    assert both(catalog, docs, docs / "hr/b.md") == (everything, [])


def test_what_is_known_of_an_outer_folder_keeps_to_it(docs: Path, catalog: Catalog) -> None:
    know(catalog, docs, "a.md", "hr/b.md", "hr/gone.md")
    for path in (docs / "hr", docs / "hr/b.md"):
        assert both(catalog, path)[0] == ["docs:hr/b.md"]
    assert both(catalog, docs / "hr")[1] == ["docs:hr/gone.md"]
    assert both(catalog, docs / "hr/gone.md") == ([], ["docs:hr/gone.md"])
    (docs / "hr/b.md").unlink()
    (docs / "hr").rmdir()
    assert both(catalog, docs / "hr") == ([], ["docs:hr/b.md", "docs:hr/gone.md"])


def test_what_an_inner_folder_was_indexed_as_gives_way(docs: Path, catalog: Catalog) -> None:
    know(catalog, docs / "hr", "b.md", "gone.md")
    assert both(catalog, docs) == (["docs:a.md", "docs:hr/b.md"], ["hr:b.md", "hr:gone.md"])
    # Twice, as it may stand in an index made before.
    know(catalog, docs, "hr/b.md")
    assert both(catalog, docs / "hr") == (["docs:hr/b.md"], ["hr:b.md", "hr:gone.md"])


def test_what_a_scan_passes_over_stays_when_named_by_itself(docs: Path, catalog: Catalog) -> None:
    know(catalog, docs / ".private", "c.md")
    know(catalog, docs / "hr", "b.md")
    everything = ["docs:a.md", "hr:b.md", ".private:c.md"]
    assert both(catalog, docs, exclude=["hr"]) == (["docs:a.md"], [])
    paths = (docs, docs / "hr", docs / ".private")
    assert both(catalog, *paths, exclude=["hr"]) == (everything, [])
    # It is not known to whom it belongs from the file alone that was named beside it.
    know(catalog, docs, "a.md")
    assert both(catalog, *paths, exclude=["hr"]) == (everything, [])


def test_what_cannot_be_reached_is_not_gone(
    docs: Path, catalog: Catalog, as_anyone: AsAnyone
) -> None:
    know(catalog, docs / "hr", "b.md")
    (docs / "hr").chmod(0)
    try:
        with as_anyone(docs):
            with pytest.raises(ConversionError, match=r"b\.md: permission denied"):
                survey(catalog, [docs / "hr/b.md"], max_bytes=1_000)
            assert both(catalog, docs)[1] == []
    finally:
        (docs / "hr").chmod(0o755)
    with pytest.raises(ConversionError, match="file name too long"):
        survey(catalog, [docs / ("a" * 300)], max_bytes=1_000)
