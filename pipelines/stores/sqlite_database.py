"""Connections to the store's one SQLite file, and its errors as a user should read them.

Write-ahead logging lets any number of processes read while one writes. Every commit is
synced to the disk, so that neither a killed process nor a power cut loses one.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from adapters.sqlite_reading import log_size, may_write
from pipelines.errors import StoreError
from pipelines.stores import sqlite_schema

MEMORY = ":memory:"

_BUSY_SECONDS = 60.0
_CACHE_KIB = 16_384
_PAGE_BYTES = 8_192
# The log is cut back to this size once its pages are in the file.
_LOG_BYTES = 64 * 1024 * 1024

_ADVICE = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database; name another file",
    sqlite3.SQLITE_CORRUPT: "is damaged; delete it and index again",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full; free some space and try again",
    sqlite3.SQLITE_READONLY: "is read-only; make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its folder exists and is accessible",
    sqlite3.SQLITE_PERM: "cannot be opened; check its permissions",
    sqlite3.SQLITE_BUSY: "is being written by another process; try again when it is done",
    sqlite3.SQLITE_LOCKED: "is being written by another process; try again when it is done",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check the disk",
    sqlite3.SQLITE_TOOBIG: "cannot hold a document this large; split it",
}


class Database:
    """Reading and writing transactions on one file.

    Safe to share between threads: each reading transaction has a connection of its own,
    writing ones take turns. A forked child process must open its own.

    :param path: The file, or ``:memory:`` for a database that goes with this object.
    :param read_only: Neither create the file nor write documents to it.
    :raises StoreError: When the file cannot be opened, is no store of ours, or was
        written by a newer version.
    """

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._write_lock = threading.RLock()
        # As the file was when it was opened without locks, which a folder closed to writing
        # leaves no room for; None where locks are held.
        self._seen: tuple[int, ...] | None = None
        with self._errors():
            self._writer = self._open_first()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state of the file throughout.

        That state is chosen by the first statement, not by entering.
        """
        with self._errors():
            if self.path == MEMORY:
                with self._write_lock, _transaction(self._writer, "BEGIN"):
                    yield self._writer
                return
            self._follow()
            idle, seen = self._idle, self._seen
            try:
                connection = idle.pop()
            except IndexError:
                connection = self._connect()
            try:
                with self._unchanged(seen), _transaction(connection, "BEGIN"):
                    yield connection
            finally:
                if self._closed or idle is not self._idle:
                    connection.close()
                else:
                    idle.append(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection that writes; all of it is committed, or nothing.

        :raises StoreError: When the store is read-only, or another process keeps writing.
        """
        if self.read_only:
            raise StoreError(f"the document store {self.path} was opened for reading only")
        with self._errors(), self._write_lock, _transaction(self._writer, "BEGIN IMMEDIATE"):
            yield self._writer

    def vacuum(self) -> None:
        """Rewrite the file without its unused pages; needs as much free disk space again."""
        with self._errors(), self._write_lock:
            self._writer.execute("VACUUM")

    def close(self) -> None:
        """Close what is open; reading transactions under way close theirs when they end."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        with self._write_lock:
            self._writer.close()

    def _open_first(self) -> sqlite3.Connection:
        if self.path == MEMORY:
            connection = self._connect()
            sqlite_schema.migrate(connection, self.path)
            return connection
        file = Path(self.path)
        if file.is_dir():
            raise StoreError(f"{self.path} is a folder; a document store is a file")
        if self.read_only and not file.exists():
            raise StoreError(f"there is no document store at {self.path}; index documents first")
        if may_write(file if file.exists() else file.parent):
            self._seen = None
            with closing(self._connect(migrating=True)) as connection:
                sqlite_schema.migrate(connection, self.path)
            return self._connect()
        seen = _state(file)
        self._seen = None if may_write(file.parent) or seen[-1] else seen
        connection = self._connect()
        sqlite_schema.require_current(connection, self.path)
        return connection

    def _follow(self) -> None:
        """Open the file anew where no lock kept another process from writing it, and one has."""
        file = Path(self.path)
        if self._seen is None or self._seen == _state(file):
            return
        with self._write_lock:
            if self._seen is None or self._seen == _state(file):
                return
            idle, self._idle = self._idle, []
            for connection in (*idle, self._writer):
                connection.close()
            try:
                self._writer = self._open_first()
            except BaseException:
                self._seen = ()  # tried again by the next reader
                raise

    @contextmanager
    def _unchanged(self, seen: tuple[int, ...] | None) -> Iterator[None]:
        """Refuse what is read while the file changes, where no lock keeps it from changing."""
        try:
            yield
        except (sqlite3.Error, StoreError):
            self._refuse_changed(seen)
            raise
        self._refuse_changed(seen)

    def _refuse_changed(self, seen: tuple[int, ...] | None) -> None:
        # A log alone leaves the file as it is.
        if seen is not None and _state(Path(self.path))[:-1] != seen[:-1]:
            raise StoreError(f"the document store {self.path} {_ADVICE[sqlite3.SQLITE_BUSY]}")

    def _connect(self, *, migrating: bool = False) -> sqlite3.Connection:
        if self.path == MEMORY:
            target = MEMORY
        else:
            mode = f"mode={self._mode(migrating)}" if self._seen is None else "immutable=1"
            target = f"file:{quote(str(Path(self.path).absolute()))}?{mode}"
        connection = sqlite3.connect(
            target,
            uri=target != MEMORY,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA temp_store = MEMORY")
            if migrating:
                connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            else:
                connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
                connection.execute("PRAGMA synchronous = FULL")
                if self.read_only:
                    connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _mode(self, migrating: bool) -> str:
        if migrating and not self.read_only:
            return "rwc"
        # Readers of a write-ahead log need to lock it, so even they open it for writing.
        return "rw" if may_write(Path(self.path)) else "ro"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except UnicodeEncodeError as error:
            raise StoreError(
                f"text that is not valid Unicode ({error.reason}) cannot be stored; clean it first"
            ) from error
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            file = Path(self.path)
            if code == sqlite3.SQLITE_CANTOPEN and log_size(file) and not may_write(file.parent):
                code = sqlite3.SQLITE_BUSY  # just begun or ended: the log has no locks beside it
            # The low byte is the error, the others say where it came from.
            advice = _ADVICE.get(code & 0xFF) if code is not None else None
            raise StoreError(
                f"the document store {self.path} {advice or f'failed: {error}'}"
            ) from error


def _state(file: Path) -> tuple[int, ...]:
    """Return what changes when a file is written, and last the size of its log."""
    try:
        facts = file.stat()
    except OSError:
        return (0,)
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, log_size(file)


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite rolls back by itself after some errors, a full disk among them.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
