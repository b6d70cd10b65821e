"""Killed at any moment, the indexer leaves an index that opens and that a re-run completes."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.catalog import Catalog
from pipelines.stores.sqlite import SqliteDocumentStore

KILLS = 50
# Small batches make many moments between two writes.
PROGRAM = """
import sys
from pathlib import Path
import pipelines.index
from pipelines.catalog import Catalog
from pipelines.embed import open_embedder
from pipelines.stores.sqlite import SqliteDocumentStore

pipelines.index._BATCH = 8
workspace, documents = map(Path, sys.argv[1:])
embedder = open_embedder("minilm")
print("ready", flush=True)
sys.stdin.readline()
store = SqliteDocumentStore(workspace / "passages.sqlite")
with Catalog(workspace / "catalog.sqlite") as catalog:
    pipelines.index.Indexer(catalog, store, embedder).index_paths([documents])
store.close()
"""


def start(workspace: Path, documents: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(workspace), str(documents)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def begin(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.write(b"\n")
    child.stdin.flush()


def content(workspace: Path) -> tuple[dict[str, tuple[str, dict[str, object]]], list[object]]:
    store = SqliteDocumentStore(workspace / "passages.sqlite", read_only=True)
    passages = {d.id: (d.content or "", d.meta) for d in store.filter_documents()}
    store.close()
    with Catalog(workspace / "catalog.sqlite", read_only=True) as catalog:
        return passages, list(catalog.entries())


def change(documents: Path, round_: int, chance: random.Random) -> None:
    """Edit, add and remove files, as people do between two runs."""
    for number in range(24):
        path = documents / f"page{number:02d}.md"
        if round_ == 0 or chance.random() < 0.4:
            words = " ".join(f"word{chance.randrange(500)}" for _ in range(120))
            path.write_text(
                f"# Page {number}, edition {round_}\n\n{words}.\n\n## More\n\n{words}.\n"
            )
        elif chance.random() < 0.1:
            path.unlink(missing_ok=True)


@pytest.mark.timeout(1500)
def test_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    documents, workspace, reference = (tmp_path / name for name in ("docs", "killed", "whole"))
    for folder in (documents, workspace, reference):
        folder.mkdir()
    kills, round_ = 0, 0
    duration = 1.5
    # The next child starts up while the present one runs.
    child = start(workspace, documents)
    while kills < KILLS:
        change(documents, round_, chance)
        while kills < KILLS:
            following = None
            begin(child)
            started = time.monotonic()
            wait = chance.uniform(0, duration)
            try:
                child.wait(wait)
            except subprocess.TimeoutExpired:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
                kills += 1
            else:
                duration = time.monotonic() - started
            following = start(workspace, documents)
            for name in ("passages.sqlite", "catalog.sqlite"):
                if (workspace / name).exists():
                    with sqlite3.connect(workspace / name) as db:
                        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            finished = child.returncode == 0
            child = following
            if finished:
                break
        round_ += 1
    begin(child)
    assert child.wait(120) == 0
    whole = start(reference, documents)
    begin(whole)
    assert whole.wait(120) == 0
    killed_passages, killed_entries = content(workspace)
    whole_passages, whole_entries = content(reference)
    assert killed_passages == whole_passages
    assert killed_entries == whole_entries
