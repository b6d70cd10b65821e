"""The embedded store's tables, and how files of earlier versions are brought up to date."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import StoreError
from pipelines.stores.fts5_terms import TOKENIZER

# Index n holds the statements that lead from version n to version n + 1.
_MIGRATIONS: Sequence[str] = (
    f"""
    CREATE TABLE passages (
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        context TEXT NOT NULL,
        content TEXT,
        meta TEXT NOT NULL,
        score REAL,
        has_vector INTEGER NOT NULL,
        exact_vector BLOB,
        sparse TEXT,
        blob BLOB,
        blob_info TEXT
    );
    CREATE VIRTUAL TABLE terms USING fts5(
        context, content, content='passages', content_rowid='row', tokenize='{TOKENIZER}'
    );
    CREATE VIRTUAL TABLE term_counts USING fts5vocab(terms, 'row');
    CREATE TRIGGER passages_inserted AFTER INSERT ON passages BEGIN
        INSERT INTO terms(rowid, context, content) VALUES (new.row, new.context, new.content);
    END;
    CREATE TRIGGER passages_deleted AFTER DELETE ON passages BEGIN
        INSERT INTO terms(terms, rowid, context, content)
        VALUES ('delete', old.row, old.context, old.content);
    END;
    CREATE TRIGGER passages_updated AFTER UPDATE OF context ON passages BEGIN
        INSERT INTO terms(terms, rowid, context, content)
        VALUES ('delete', old.row, old.context, old.content);
        INSERT INTO terms(rowid, context, content) VALUES (new.row, new.context, new.content);
    END;
    CREATE TABLE vectors (
        block INTEGER PRIMARY KEY,
        change INTEGER NOT NULL,
        rows BLOB NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX vectors_by_change ON vectors(change);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('epoch', 0);
    CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,  # noqa: S608 - the tokenizer is a constant
)
VERSION = len(_MIGRATIONS)


def migrate(db: sqlite3.Connection, path: str | Path) -> None:
    """Create the tables of a new file, or bring an older one up to date.

    :raises StoreError: When a newer version of the product made the file.
    """
    if version_of(db, path) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        for number in range(version_of(db, path), VERSION):
            for statement in _statements(_MIGRATIONS[number]):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def version_of(db: sqlite3.Connection, path: str | Path) -> int:
    """Return the version of a file's schema; 0 for an empty one.

    :raises StoreError: When a newer version of the product made the file.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StoreError(f"{path} was made by a newer phi-expert (store {version}): upgrade")
    return version


def _statements(script: str) -> list[str]:
    # `executescript` would commit first and so break the transaction around it.
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
