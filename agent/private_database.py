"""A SQLite file of a workspace that holds what people asked: for its owner only."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.errors import AgentError

# The general error is what a missing table is.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class PrivateDatabase:
    """One file, opened when first used; several threads and processes may use it at once.

    :param path: The file; made, for its owner only, when first written.
    :param holds: What is in it, as errors call it, such as ``outcomes``.
    :param schema: Statements that make its tables and indexes.
    :param version: The schema's, from 1.
    :param error: Raised with one line when something goes wrong.
    :param wait_s: Seconds to wait for another process that writes.
    """

    def __init__(
        self,
        path: Path,
        holds: str,
        schema: Sequence[str],
        *,
        error: type[AgentError],
        version: int = 1,
        wait_s: float = 30.0,
    ) -> None:
        self.path = path
        self._holds, self._schema, self._version = holds, schema, version
        self._error, self._wait_s = error, wait_s
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; it is opened again when it is used again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextmanager
    def opened(self, action: str) -> Iterator[sqlite3.Connection]:
        """Give the database, each statement being a transaction of its own.

        :param action: What is done, for errors: ``read``, ``write``, ``open``.
        :raises AgentError: The one given, when the file cannot be read or written, is damaged,
            is something else, or of a newer version.
        """
        try:
            with self._lock:
                if self._db is None:
                    self._db = self._open()
                yield self._db
        except (sqlite3.Error, OSError, ValueError, TypeError, AttributeError) as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
            damaged = code in _DAMAGED and not isinstance(error, OSError)
            hint = ": it is damaged, move it away" if damaged else ""
            reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else error
            raise self._error(
                f"cannot {action} the {self._holds} in {self.path} ({reason}){hint}"
            ) from None

    @contextmanager
    def transaction(self, action: str = "write") -> Iterator[sqlite3.Connection]:
        """Give the database in one transaction, which an error undoes; see :meth:`opened`."""
        with self.opened(action) as db, _transaction(db):
            yield db

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Before SQLite makes it.
        self.path.touch(mode=0o600)
        db = sqlite3.connect(
            self.path, timeout=self._wait_s, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        if _version(db) == 0:
            self._write_ahead(db)
            with _transaction(db):
                # Another process may have been first.
                if _version(db) == 0:
                    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                        raise self._error(f"{self.path} holds something else: move it away")
                    for statement in self._schema:
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version={self._version}")
        if (found := _version(db)) > self._version:
            raise self._error(
                f"{self.path} was made by a newer phi-expert ({self._holds} {found}): upgrade"
            )
        db.execute("PRAGMA synchronous=NORMAL")

    def _write_ahead(self, db: sqlite3.Connection) -> None:
        # SQLite does not wait for this one: it says at once that the file is locked.
        until = time.monotonic() + self._wait_s
        while True:
            try:
                db.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)
            else:
                return


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
