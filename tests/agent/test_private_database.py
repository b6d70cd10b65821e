"""A file for its owner only, whoever keeps what in it."""

import sqlite3
import threading
from pathlib import Path

import pytest

from agent.errors import TraceError
from agent.private_database import PrivateDatabase

SCHEMA = ["CREATE TABLE notes (text TEXT)"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs/notes.sqlite"


def notes(path: Path, version: int = 1) -> PrivateDatabase:
    return PrivateDatabase(path, "notes", SCHEMA, error=TraceError, version=version)


def count(database: PrivateDatabase) -> int:
    with database.opened("read") as db:
        return int(db.execute("SELECT count(*) FROM notes").fetchone()[0])


def test_it_is_made_when_first_used_and_for_its_owner_only(path: Path) -> None:
    database = notes(path)
    assert not path.exists()
    write(database, "notes")
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    database.close()
    assert count(database) == 1
    with database.opened("read") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    database.close()


def write(database: PrivateDatabase, *tables: str) -> None:
    with database.transaction() as db:
        for table in tables:
            db.execute(f"INSERT INTO {table} VALUES ('a')")  # noqa: S608


def test_an_error_undoes_a_transaction_and_is_one_line(path: Path) -> None:
    database = notes(path)
    with pytest.raises(TraceError, match=r"cannot write the notes in .*notes\.sqlite \(no such"):
        write(database, "notes", "other")
    assert count(database) == 0


def test_threads_and_openers_write_side_by_side(path: Path) -> None:
    shared = notes(path)

    def add() -> None:
        for database in (shared, notes(path)):
            for _ in range(5):
                write(database, "notes")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(shared) == 40


def test_what_is_newer_something_else_or_no_database_is_refused(path: Path) -> None:
    with notes(path, version=2).opened("open"):
        pass
    with pytest.raises(TraceError, match=r"newer phi-expert \(notes 2\): upgrade"):
        count(notes(path))
    other = path.with_name("other.sqlite")
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE else_ (text TEXT)")
    with pytest.raises(TraceError, match="holds something else: move it away"):
        count(notes(other))
    (path.parent / "text.sqlite").write_text("x" * 100)
    with pytest.raises(TraceError, match="it is damaged, move it away"):
        count(notes(path.parent / "text.sqlite"))
    (path.parent / "file").write_text("")
    with pytest.raises(TraceError, match=r"cannot read the notes in .* \(file exists\)$"):
        count(notes(path.parent / "file/notes.sqlite"))
