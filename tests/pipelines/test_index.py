"""The indexer on real files and databases, with the real embedder and store."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.catalog import Catalog, CatalogEntry
from pipelines.embed import open_embedder
from pipelines.index import Indexer
from pipelines.stores.sqlite import SqliteDocumentStore


class Heard:
    """A progress that notes what there is to do and can act when a file was converted."""

    def __init__(self, then: Callable[[str], None] = lambda _: None) -> None:
        self.then = then
        self.started: list[int] = []

    def start(self, documents: int, weight: int) -> None:
        self.started.append(documents)

    def advance(self, weight: int, document: str) -> None:
        self.then(document)

    def wrote(self, documents: int, passages: int) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "docs"
    path.mkdir()
    return path


@pytest.fixture
def indexer(tmp_path: Path) -> Iterator[Callable[..., Indexer]]:
    """Make indexers of one index."""
    embedder = open_embedder("minilm")
    store = SqliteDocumentStore(tmp_path / "passages.sqlite")
    with Catalog(tmp_path / "catalog.sqlite") as catalog:

        def make(**options: object) -> Indexer:
            made = Indexer(catalog, store, embedder, **options)
            made.store, made.catalog = store, catalog
            return made

        yield make
    store.close()


def texts(indexer: Indexer) -> set[str]:
    return {document.content for document in indexer.store.filter_documents()}


def test_a_file_that_changes_while_others_are_read_is_read_again(
    folder: Path, indexer: Callable[..., Indexer]
) -> None:
    (folder / "a.txt").write_text("The first one stays.")
    (folder / "b.txt").write_text("The old text.")

    def change(document: str) -> None:
        if document == "a.txt":
            time.sleep(1)  # by then the other one is converted as well
            (folder / "b.txt").write_text("The text of now.")

    indexer(progress=Heard(change)).index_paths([folder])
    after = indexer()
    after.index_paths([folder])
    assert texts(after) == {"The first one stays.", "The text of now."}


def test_a_file_that_took_too_long_is_tried_once_a_run(
    folder: Path, indexer: Callable[..., Indexer]
) -> None:
    (folder / "a.txt").write_text("It can be read.")
    heard = Heard()
    hasty = indexer(timeout_s=0.001, progress=heard)
    for _ in range(2):
        (skipped,) = hasty.index_paths([folder]).skipped
        assert skipped.reason == "conversion took longer than 0.001 s"
    assert heard.started == [1, 0]
    report = indexer().index_paths([folder])
    assert (report.documents, report.skipped) == (1, [])


def test_a_file_that_is_damaged_is_not_tried_again(
    folder: Path, indexer: Callable[..., Indexer]
) -> None:
    (folder / "a.pdf").write_bytes(b"%PDF-1.7\nthis is not really one")
    heard = Heard()
    for _ in range(2):
        assert len(indexer(progress=heard).index_paths([folder]).skipped) == 1
    assert heard.started == [1, 0]


def test_a_folder_that_is_gone_leaves_the_index(
    folder: Path, indexer: Callable[..., Indexer]
) -> None:
    (folder / "a.txt").write_text("It was here.")
    made = indexer()
    made.index_paths([folder])
    (folder / "a.txt").unlink()
    folder.rmdir()
    assert made.index_paths([folder]).removed == 1
    assert texts(made) == set()


def test_views_and_queries_stay_while_they_exist(
    tmp_path: Path, indexer: Callable[..., Indexer]
) -> None:
    with sqlite3.connect(tmp_path / "erp.db") as db:
        db.executescript(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);"
            "INSERT INTO orders VALUES (1, 'hose');"
            "CREATE TABLE assets (name TEXT); INSERT INTO assets VALUES ('digger');"
            "CREATE VIEW notes AS SELECT note FROM orders;"
        )
    url, query = f"sqlite:///{tmp_path}/erp.db", "SELECT id AS number FROM orders"
    made = indexer()
    made.index_tables(url, tables=["notes"], queries=[query])
    assert made.index_tables(url).removed == 0
    assert [e.document for e in made.catalog.entries()] == [query, "assets", "notes", "orders"]
    with sqlite3.connect(tmp_path / "erp.db") as db:
        db.executescript("DROP VIEW notes; DROP TABLE assets")
    assert made.index_tables(url).removed == 2
    assert [e.document for e in made.catalog.entries()] == [query, "orders"]


def test_a_table_that_fails_costs_no_other(tmp_path: Path, indexer: Callable[..., Indexer]) -> None:
    with sqlite3.connect(tmp_path / "erp.db") as db:
        db.executescript(
            "CREATE TABLE orders (note TEXT); INSERT INTO orders VALUES ('hose');"
            "CREATE VIEW broken AS SELECT note FROM nosuch;"
        )
    report = indexer().index_tables(f"sqlite:///{tmp_path}/erp.db", tables=["broken", "orders"])
    assert report.documents == 1
    assert [(s.path, s.reason) for s in report.skipped] == [
        ("broken", "the database says: no such table: main.nosuch")
    ]


def test_an_inner_folder_is_not_indexed_twice(
    folder: Path, indexer: Callable[..., Indexer]
) -> None:
    (folder / "hr").mkdir()
    (folder / "hr/leave.txt").write_text("Leave is 25 days.")
    made = indexer()
    assert made.index_paths([folder / "hr"]).documents == 1
    assert made.index_paths([folder, folder / "hr"]).documents == 1
    assert [(e.root, e.document) for e in made.catalog.entries()] == [(str(folder), "hr/leave.txt")]
    assert made.store.count_documents() == 1
    for paths in ([folder / "hr"], [folder / "hr/leave.txt"], [folder]):
        report = made.index_paths(paths)
        assert (report.unchanged, report.documents, report.removed) == (1, 0, 0)
    (folder / "hr/leave.txt").unlink()
    assert made.index_paths([folder / "hr"]).removed == 1
    assert texts(made) == set()


def test_what_stays_unreadable_is_not_written_again(
    tmp_path: Path, folder: Path, indexer: Callable[..., Indexer]
) -> None:
    (folder / "empty.md").touch()
    (folder / "link.md").symlink_to("nowhere.md")
    made = indexer()
    made.index_paths([folder])
    with sqlite3.connect(tmp_path / "catalog.sqlite") as db:
        version = db.execute("PRAGMA data_version").fetchone()
        assert len(made.index_paths([folder]).skipped) == 2
        assert db.execute("PRAGMA data_version").fetchone() == version
        (folder / "empty.md").write_bytes(b"\0" * 2_000)
        (folder / "link.md").unlink()
        made.index_paths([folder])
        assert db.execute("PRAGMA data_version").fetchone() != version


def test_a_database_is_one_however_its_path_is_spelled(
    tmp_path: Path, indexer: Callable[..., Indexer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, part in (("first", "hose"), ("second", "belt")):
        (tmp_path / name).mkdir()
        with sqlite3.connect(tmp_path / name / "erp.db") as db:
            db.execute("CREATE TABLE parts (name TEXT)")
            db.execute("INSERT INTO parts VALUES (?)", (part,))
    made = indexer()
    for name in ("first", "second"):
        monkeypatch.chdir(tmp_path / name)
        assert made.index_tables("sqlite:///erp.db").documents == 1
        for url in (f"sqlite:///{tmp_path}/{name}/erp.db", f"sqlite:///../{name}/erp.db"):
            assert made.index_tables(url).unchanged == 1
    assert sorted(texts(made)) == ["name: belt", "name: hose"]


def test_a_database_indexed_by_a_relative_address_is_not_kept_twice(
    tmp_path: Path, indexer: Callable[..., Indexer], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "erp.db") as db:
        db.executescript("CREATE TABLE a (name TEXT); INSERT INTO a VALUES ('hose');")
        db.executescript("CREATE TABLE b (name TEXT); INSERT INTO b VALUES ('belt');")
    monkeypatch.chdir(tmp_path)
    made, url = indexer(), "sqlite:///erp.db"
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.convert.database_address.absolute", lambda url: url)
        made.index_tables(url)
        made.catalog.put([(CatalogEntry(url, "dropped", "done", 0, 0, "0", "r"), None)])
    root = f"sqlite:///{tmp_path}/erp.db"
    made.index_tables(url, tables=["a"])
    assert [(e.root, e.document) for e in made.catalog.entries()] == [
        (root, "a"),
        (url, "b"),
        (url, "dropped"),
    ]
    made.index_tables(url)
    assert [(e.root, e.document) for e in made.catalog.entries()] == [(root, "a"), (root, "b")]
    assert len(texts(made)) == 2
