"""The embedded store's tables, their version, and how older files are brought up to it.

Everything about a document hangs on its ``row``, a small number reused after deletion:
it is the row of ``documents``, of the full-text index and of the vector matrix at once.

- ``documents`` keeps what every hit needs; ``attachments`` what few documents have or
  few readers want, so that scans of the former stay short.
- ``vectors`` holds the matrix in blocks of :data:`BLOCK_ROWS` consecutive rows, float32
  in the machine's little-endian order, zeros where a row has no vector. ``blocks`` says in
  which generation each block changed last, and how many terms each row's text has.
- ``texts`` indexes context and content; ``occurrences`` and ``terms`` are views of it.
- ``fields`` holds every scalar of the metadata, sorted by value (see
  :mod:`pipelines.stores.sqlite_fields`), which answers filters without reading documents.
- ``state.generation`` grows with every change of the documents: a reader compares it with
  the last one it saw.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence

from pipelines.errors import StoreError
from pipelines.stores.fts5_terms import TOKENIZER
from pipelines.stores.sqlite_fields import entries

BLOCK_ROWS = 512

# "PhEx": tells our files from other programs'.
APPLICATION_ID = 0x50684578

Step = Callable[[sqlite3.Connection], None]


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE state (generation INTEGER NOT NULL, dimension INTEGER)",
        "INSERT INTO state VALUES (0, NULL)",
        "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE documents (
            row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, context TEXT NOT NULL,
            content TEXT, meta TEXT NOT NULL, score REAL, embedded INTEGER NOT NULL)""",
        """CREATE TABLE attachments (
            row INTEGER PRIMARY KEY, blob BLOB, mime_type TEXT, blob_meta TEXT,
            exact_embedding BLOB, sparse_embedding TEXT)""",
        "CREATE TABLE free_rows (row INTEGER PRIMARY KEY)",
        """CREATE TABLE blocks (
            block INTEGER PRIMARY KEY, generation INTEGER NOT NULL, lengths BLOB NOT NULL)""",
        "CREATE TABLE vectors (block INTEGER PRIMARY KEY, data BLOB NOT NULL)",
        f"""CREATE VIRTUAL TABLE texts USING fts5(
            context, content, content='documents', content_rowid='row',
            tokenize='{TOKENIZER}')""",
        "CREATE VIRTUAL TABLE occurrences USING fts5vocab(texts, 'instance')",
        "CREATE VIRTUAL TABLE terms USING fts5vocab(texts, 'row')",
    ):
        connection.execute(statement)


def _index_fields(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE fields (name TEXT, kind INTEGER, value, row INTEGER,
            PRIMARY KEY (name, kind, value, row)) WITHOUT ROWID"""
    )
    connection.executemany(
        "INSERT OR IGNORE INTO fields VALUES (?, ?, ?, ?)",
        (
            (name, kind, value, row)
            for row, meta in connection.execute("SELECT row, meta FROM documents")
            for name, kind, value in entries(json.loads(meta))
        ),
    )


# A file of version n has seen the first n of these. Released steps never change.
STEPS: tuple[Step, ...] = (_create_tables, _index_fields)
VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection, path: str, steps: Sequence[Step] = STEPS) -> None:
    """Create the tables, or bring an older file's up to date, in one transaction.

    :param connection: Writable, outside a transaction.
    :param path: Named in errors.
    :param steps: The way from an empty file to the current version.
    :raises StoreError: When the file is another program's or from a newer version.
    """
    if _version(connection, path, len(steps)) == len(steps):
        return
    # The journal's mode is kept in the file and cannot change inside a transaction.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[_version(connection, path, len(steps)) :]:
            step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def require_current(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a file that this version cannot read as it is.

    :raises StoreError: When it is older, newer or another program's.
    """
    if _version(connection, path, VERSION) < VERSION:
        raise StoreError(
            f"the document store {path} is of an older version; make it writable to upgrade it"
        )


def _version(connection: sqlite3.Connection, path: str, known: int) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (tables or version):
        raise StoreError(f"{path} is a database of another program; name another file")
    if version > known:
        raise StoreError(
            f"the document store {path} was written by a newer version of Phi Expert "
            f"(format {version}, this one reads up to {known}); upgrade phi-expert"
        )
    return int(version)
