"""Open a SQLite file to read it, also where it may be read only."""

import os
import sqlite3
from pathlib import Path

_BUSY_SECONDS = 30.0


def open_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that neither makes nor changes a file.

    :raises sqlite3.Error: When there is no such file; what is wrong with it shows when it is read.
    """
    path = path.resolve()
    # To read a file with a write-ahead log, SQLite makes files beside it. Where it may not, and
    # no log holds what the file does not, the file alone is read.
    alone = not (may_write(path) and may_write(path.parent)) and not log_size(path)
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro{'&immutable=1' if alone else ''}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
    )


def may_write(path: Path) -> bool:
    """Return whether this process may write a file, or make files in a folder."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def log_size(path: Path) -> int:
    """Return the bytes of a database's write-ahead log; 0 where there is none."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return 0
