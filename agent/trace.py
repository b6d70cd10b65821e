"""Traces: how each answer came about, kept in one SQLite file of the workspace."""

import json
import secrets
import threading
import warnings
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agent.errors import TraceError
from agent.printable import without_passwords
from agent.private_database import PrivateDatabase
from agent.reply import Reply
from agent.settings import MOST_ROWS
from agent.workspace import Workspace

FILE = "traces.sqlite"
LAST = "last"
_TABLE = """CREATE TABLE traces (
    id TEXT PRIMARY KEY,
    withheld INTEGER NOT NULL,
    content TEXT NOT NULL
)"""
_WAIT_S = 5.0
# So many more than are kept before the oldest are dropped: not with every answer.
_SLACK = 50


@dataclass(frozen=True, slots=True)
class Trace:
    """How one answer came about.

    :param id: UTC date and time, and a few characters of chance.
    :param withheld: Whether there was no answer.
    :param content: What is kept, as ``expert trace --json`` prints it.
    """

    id: str
    withheld: bool
    content: dict[str, Any]


class TraceStore:
    """The traces of a workspace; several threads and processes may write.

    :param path: The file; made, for its owner only, when first written.
    :param keep: How many are kept; the oldest are dropped. None for all.
    """

    def __init__(self, path: Path, keep: int | None = None) -> None:
        self.path, self._keep = path, keep
        self._db = PrivateDatabase(path, "traces", [_TABLE], error=TraceError, wait_s=_WAIT_S)
        self._since = _SLACK

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, trace: Trace) -> None:
        """Keep a trace.

        :raises TraceError: When the file cannot be written.
        """
        told = without_passwords(json.dumps(trace.content, ensure_ascii=False))
        row = (trace.id, int(trace.withheld), told)
        with self._db.transaction() as db:
            db.execute("INSERT INTO traces VALUES (?, ?, ?)", row)
            self._since += 1
            if self._keep is not None and self._since > _SLACK:
                self._since = 0
                db.execute(
                    "DELETE FROM traces WHERE rowid NOT IN "
                    "(SELECT rowid FROM traces ORDER BY rowid DESC LIMIT ?)",
                    (self._keep,),
                )

    def latest(self, limit: int, *, withheld: bool = False) -> list[Trace]:
        """Return the last traces, the newest first.

        :param limit: How many at most.
        :param withheld: Only those of questions that were not answered.
        :raises TraceError: When the file cannot be read.
        """
        where = "WHERE withheld " if withheld else ""
        return self._select(f"{where}ORDER BY rowid DESC LIMIT ?", min(limit, MOST_ROWS))

    def find(self, name: str) -> Trace:
        """Return the trace of an id, of the beginning of one, or the ``last``.

        :raises TraceError: When there is none or more than one, or the file cannot be read.
        """
        if name == LAST:
            found = self.latest(1)
        else:
            found = self._select("WHERE substr(id, 1, ?) = ? LIMIT 2", len(name), name)
        if not found:
            raise TraceError(f"there is no trace {name}: `expert trace` lists them")
        if len(found) > 1:
            raise TraceError(f"more than one trace begins with {name}: give more of it")
        return found[0]

    def clear(self) -> int:
        """Remove all traces and return how many there were.

        :raises TraceError: When the file cannot be written.
        """
        if not self.path.is_file():
            return 0
        with self._db.opened("write") as db:
            count = db.execute("DELETE FROM traces").rowcount
            # What is deleted stays in the file until then.
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def _select(self, where: str, *values: object) -> list[Trace]:
        if not self.path.is_file():
            return []
        query = f"SELECT id, withheld, content FROM traces {where}"  # noqa: S608
        with self._db.opened("read") as db:
            rows = db.execute(query, values).fetchall()
        return [Trace(id_, bool(withheld), json.loads(text)) for id_, withheld, text in rows]


class Recorder:
    """Gives replies an id and keeps their traces; what cannot be kept is warned of once.

    Several threads may use it at once.

    :param workspace: Keeps them, as many as its settings say.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        keep = workspace.settings.trace.keep
        self._store = TraceStore(workspace.path / "runs" / FILE, keep) if keep else None
        self._lock = threading.Lock()
        self._given_up = False

    @cached_property
    def _versions(self) -> dict[str, str | None]:
        from agent.router.remember import index_stamp

        settings = self._workspace.settings
        return {
            "phi-expert": version("phi-expert"),
            "index": index_stamp(self._workspace) or None,
            "embedder": settings.embedder.model,
            "model": settings.model.name,
        }

    def keep(self, reply: Reply) -> Reply:
        """Return the reply with its trace's id, where its trace could be kept."""
        if self._store is None or self._given_up:
            return reply
        now = datetime.now(UTC)
        kept = replace(reply, trace=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}")
        assert kept.trace is not None  # noqa: S101
        try:
            told = content(kept) | {"at": now.isoformat(timespec="milliseconds")}
            self._store.add(
                Trace(kept.trace, reply.answer.abstained, told | {"versions": self._versions})
            )
        except Exception as error:  # the answer is there, whatever becomes of its trace
            with self._lock:
                is_first, self._given_up = not self._given_up, True
            self._store.close()
            if is_first:
                warnings.warn(f"{error}; answers are no longer traced", stacklevel=3)
            return reply
        return kept

    def close(self) -> None:
        """Close the file."""
        if self._store is not None:
            self._store.close()


def content(reply: Reply) -> dict[str, Any]:
    """Return what a trace keeps of a reply: how it was printed, and what led to it."""
    told = reply.to_dict()
    cited = {(piece.document, piece.start) for piece in reply.evidence}
    return {
        **told,
        "nearest": None if reply.answer.nearest is None else asdict(reply.answer.nearest),
        "passages": [
            {
                "document": hit.document,
                "title": hit.title,
                "page": hit.page,
                "start": hit.start,
                "end": hit.end,
                "score": hit.score,
                "bm25": hit.bm25,
                "vector": hit.vector,
                "evidence": any(
                    document == hit.document and hit.start <= start < hit.end
                    for document, start in cited
                ),
            }
            for hit in reply.hits
        ],
        "evidence": [
            {
                "document": piece.document,
                "start": piece.start,
                "end": piece.end,
                "context": piece.context,
                "text": piece.text,
            }
            for piece in reply.evidence
        ],
        "written": dict(reply.answer.written),
        "features": dict((reply.decision and reply.decision.features) or {}),
    }
