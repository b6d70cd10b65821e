import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.errors import StoreError
from pipelines.stores.sqlite import SqliteDocumentStore
from pipelines.stores.sqlite_schema import STEPS, VERSION, migrate


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """A file as the first version left it, with a document."""
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, str(path), STEPS[:1])
        db.execute(
            "INSERT INTO documents VALUES (0, 'old', '', 'A dog', ?, NULL, 0)",
            ('{"page": 3, "columns": {"cost": 1.5}}',),
        )
        db.execute("INSERT INTO texts(rowid, context, content) VALUES (0, '', 'A dog')")
        db.execute("INSERT INTO blocks VALUES (0, 1, ?)", (bytes([2]) + bytes(511 * 4 + 3),))
        db.execute("UPDATE state SET generation = 1")
    return path


def test_an_older_file_is_brought_up_to_date(first_version: Path) -> None:
    with SqliteDocumentStore(first_version) as store:
        wanted = {"field": "meta.columns.cost", "operator": ">", "value": 1}
        assert [d.id for d in store.bm25_retrieval("dogs", filters=wanted)] == ["old"]
        store.check_integrity()
    with closing(sqlite3.connect(first_version)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(first_version: Path) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (done)")
        raise RuntimeError("killed")

    with closing(sqlite3.connect(first_version, isolation_level=None)) as db:
        with pytest.raises(RuntimeError):
            migrate(db, "s", (*STEPS[:1], fail))
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchone() is None


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    SqliteDocumentStore(path).count_documents()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"by a newer version of Phi Expert \(format 99, this"):
            SqliteDocumentStore(path, read_only=read_only).count_documents()


def test_another_programs_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "erp.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE work_orders (id)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is a database of another program"):
        SqliteDocumentStore(path).count_documents()
    assert path.read_bytes() == before
