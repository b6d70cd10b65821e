"""The catalogue: which documents are indexed, from what content, as which passages.

It stands beside the document store, whichever that is, and makes indexing restartable.
Before a document's passages are written its row lists every passage id that may exist
from then on; after the write the row is closed. A row found open tells the next run
what to remove.
"""

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from adapters.sqlite_reading import open_to_read
from pipelines.errors import StoreError

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE documents (
    root TEXT NOT NULL,
    document TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'done', 'skipped')),
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    recipe TEXT NOT NULL,
    reason TEXT,
    title TEXT,
    notices TEXT NOT NULL DEFAULT '[]',
    passages TEXT NOT NULL DEFAULT '[]',
    text BLOB,
    indexed_at REAL NOT NULL,
    PRIMARY KEY (root, document)
);
"""
Status = Literal["open", "done", "skipped"]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """What is known of one document.

    :param root: Folder or masked database address it came from.
    :param document: Path or table name in it.
    :param status: ``done``; ``skipped`` when it could not be read; ``open`` while written.
    :param size: Size of the file in bytes; 0 for a table.
    :param mtime_ns: Time of the file's last change; 0 for a table.
    :param sha256: Hash of its content, in hexadecimal.
    :param recipe: What made its passages: converter and splitter version, sizes, embedder.
    :param reason: Why it was skipped.
    :param title: Its own title.
    :param notices: What was repaired in it on the way.
    :param passages: Ids of its passages in the store.
    """

    root: str
    document: str
    status: Status
    size: int
    mtime_ns: int
    sha256: str
    recipe: str
    reason: str | None = None
    title: str | None = None
    notices: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()


_COLUMNS = (
    "root, document, status, size, mtime_ns, sha256, recipe, reason, title, notices, passages"
)


class Catalog:
    """The catalogue of an index, in one SQLite file.

    :param path: The file; created when missing.
    :param read_only: Refuse to create or change it.
    :raises StoreError: When the file is not a catalogue, or of a newer version.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        try:
            if read_only:
                self._db = open_to_read(path)
            else:
                self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > _SCHEMA_VERSION:
                raise StoreError(
                    f"{path} was made by a newer phi-expert (catalogue {version}): upgrade"
                )
            if not read_only:
                self._db.execute("PRAGMA journal_mode=WAL")
                # Ids must be on disk before the store has the passages, or a power cut
                # could leave passages that no row knows of.
                self._db.execute("PRAGMA synchronous=FULL")
                if version == 0:
                    self._db.executescript(
                        f"BEGIN;{_SCHEMA}PRAGMA user_version={_SCHEMA_VERSION};COMMIT;"
                    )
        except sqlite3.Error as error:
            raise StoreError(f"cannot open the catalogue {path}: {error}") from None

    def __enter__(self) -> "Catalog":
        """Return the catalogue."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, root: str, document: str) -> CatalogEntry | None:
        """Return what is known of a document, or None."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM documents WHERE root = ? AND document = ?",  # noqa: S608
            (root, document),
        ).fetchone()
        return _entry(row) if row else None

    def roots(self) -> list[str]:
        """Return the folders and databases that documents came from."""
        return [root for (root,) in self._db.execute("SELECT DISTINCT root FROM documents")]

    def entries(self, root: str | None = None, under: str = "") -> Iterator[CatalogEntry]:
        """Yield the entries of a root, or all of them, ordered by root and document.

        :param under: Folder in the root, relative to it, to keep to.
        """
        where, values = ("WHERE root = ?", [root]) if root is not None else ("", [])
        if under:
            # The character after "/" is "0".
            where += " AND document > ? AND document < ?"
            values += [f"{under}/", f"{under}0"]
        for row in self._db.execute(
            f"SELECT {_COLUMNS} FROM documents {where} ORDER BY root, document",  # noqa: S608
            values,
        ):
            yield _entry(row)

    def put(self, entries: Iterable[tuple[CatalogEntry, str | None]]) -> None:
        """Write entries in one transaction, each with its extracted text or None."""
        now = time.time()
        rows = [
            (
                entry.root,
                entry.document,
                entry.status,
                entry.size,
                entry.mtime_ns,
                entry.sha256,
                entry.recipe,
                entry.reason,
                entry.title,
                json.dumps(entry.notices),
                json.dumps(entry.passages),
                zlib.compress(text.encode(), 1) if text is not None else None,
                now,
            )
            for entry, text in entries
        ]
        if not rows:
            return
        self._write(
            f"INSERT OR REPLACE INTO documents ({_COLUMNS}, text, indexed_at) "  # noqa: S608
            f"VALUES ({', '.join('?' * 13)})",
            rows,
        )

    def remove(self, keys: Sequence[tuple[str, str]]) -> None:
        """Forget documents, given as (root, document)."""
        self._write("DELETE FROM documents WHERE root = ? AND document = ?", keys)

    def text(self, root: str, document: str) -> str | None:
        """Return a document's extracted text, which passages give offsets into, or None."""
        row = self._db.execute(
            "SELECT text FROM documents WHERE root = ? AND document = ?", (root, document)
        ).fetchone()
        return zlib.decompress(row[0]).decode() if row and row[0] is not None else None

    def count(self) -> dict[str, int]:
        """Count the documents by status."""
        return dict(self._db.execute("SELECT status, count(*) FROM documents GROUP BY status"))

    def unfinished(self) -> frozenset[str]:
        """Return the documents that are being written, or whose writing was cut off."""
        rows = self._db.execute("SELECT document FROM documents WHERE status = 'open'")
        return frozenset(document for (document,) in rows)

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(statement, rows)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"cannot write the catalogue {self._path}: {error}") from None


def _entry(
    row: tuple[str, str, Status, int, int, str, str, str | None, str | None, str, str],
) -> CatalogEntry:
    return CatalogEntry(*row[:9], tuple(json.loads(row[9])), tuple(json.loads(row[10])))
