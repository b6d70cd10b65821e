import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.catalog import Catalog, CatalogEntry
from pipelines.errors import StoreError

ENTRY = CatalogEntry("/docs", "a.md", "open", 10, 123, "ab", "1", passages=("p1", "p2"))


def test_entries_come_back_as_written(tmp_path: Path) -> None:
    done = replace(ENTRY, document="b.md", status="done", title="B", notices=("repaired",))
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        catalog.put([(ENTRY, None), (done, "Grüße\n")])
    with Catalog(tmp_path / "catalog.sqlite", read_only=True) as catalog:
        assert list(catalog.entries("/docs")) == [ENTRY, done]
        assert list(catalog.entries("/other")) == []
        assert catalog.get("/docs", "b.md") == done
        assert catalog.text("/docs", "b.md") == "Grüße\n"
        assert catalog.text("/docs", "a.md") is None
        assert catalog.count() == {"open": 1, "done": 1}
        assert catalog.unfinished() == {"a.md"}


def test_putting_again_replaces_and_removing_forgets(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        catalog.put([(ENTRY, None)])
        closed = replace(ENTRY, status="done", passages=("p2",))
        catalog.put([(closed, "text")])
        assert list(catalog.entries()) == [closed]
        catalog.remove([("/docs", "a.md")])
        assert list(catalog.entries()) == []


def test_a_newer_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match=r"made by a newer phi-expert \(catalogue 99\): upgrade"):
        Catalog(path)
    path.write_text("not a database, but long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="file is not a database"):
        Catalog(path)


def test_reading_does_not_create_a_catalogue(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        Catalog(tmp_path / "catalog.sqlite", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_entries_of_one_folder_in_a_root(tmp_path: Path) -> None:
    names = ("sub", "sub-way/a.md", "sub.md", "sub/a.md", "sub/more/b.md", "sub0")
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        catalog.put([(replace(ENTRY, document=name), None) for name in names])
        catalog.put([(replace(ENTRY, root="/other", document="sub/c.md"), None)])
        found = [entry.document for entry in catalog.entries("/docs", "sub")]
        assert found == ["sub/a.md", "sub/more/b.md"]
        assert sorted(catalog.roots()) == ["/docs", "/other"]
