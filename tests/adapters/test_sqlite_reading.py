"""Reading a SQLite file that others write, or that nobody here may."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from adapters.sqlite_reading import open_to_read

AsAnyone = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Give a file with a write-ahead log, in a folder of its own."""
    path = tmp_path / "folder with #/a.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (n)")
    yield path
    path.parent.chmod(0o755)


def numbers(path: Path) -> list[int]:
    with closing(open_to_read(path)) as db:
        return [n for (n,) in db.execute("SELECT n FROM t")]


def test_a_file_that_may_only_be_read_is_read(file: Path, as_anyone: AsAnyone) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO t VALUES (1)")
        db.commit()
    file.parent.chmod(0o555)
    with as_anyone(file.parent):
        assert numbers(file) == [1]
    assert list(file.parent.iterdir()) == [file]


def test_what_stands_only_in_the_log_is_read(file: Path, as_anyone: AsAnyone) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO t VALUES (1)")
        db.commit()
        assert numbers(file) == [1]
        file.parent.chmod(0o555)
        with as_anyone(file.parent):
            assert numbers(file) == [1]


def test_a_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        open_to_read(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []
