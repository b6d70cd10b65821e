import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from haystack import Document

from pipelines.errors import StoreError
from pipelines.stores.sqlite import SqliteDocumentStore

AsAnyone = Callable[[Path], AbstractContextManager[None]]
DOG = Document(id="dog", content="A dog", embedding=[1.0, 0.0])
CAT = Document(id="cat", content="A cat", embedding=[0.0, 1.0])


def test_another_process_sees_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    writer, reader = SqliteDocumentStore(path), SqliteDocumentStore(path)
    writer.write_documents([DOG])
    assert [d.id for d in reader.embedding_retrieval([1, 0])] == ["dog"]
    writer.replace_documents(["dog"], [CAT])
    assert [d.id for d in reader.embedding_retrieval([1, 0])] == ["cat"]
    assert [d.id for d in reader.bm25_retrieval("dog cat")] == ["cat"]
    writer.delete_all_documents()
    assert reader.embedding_retrieval([1, 0]) == []
    writer.write_documents([Document(id="new", content="x", embedding=[1, 0, 0])])
    assert [d.id for d in reader.embedding_retrieval([1, 0, 0])] == ["new"]


def test_only_changed_blocks_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    writer, reader = SqliteDocumentStore(path), SqliteDocumentStore(path)
    writer.write_documents(
        [Document(id=str(n), content=f"n{n}", embedding=[1.0, n]) for n in range(2_000)]
    )
    assert reader.embedding_retrieval([1, 0])[0].id == "0"
    loaded: list[int] = []
    load = reader._matrix._load
    reader._matrix._load = lambda db, block: (loaded.append(block), load(db, block))[1]
    writer.replace_documents(["1500"], [Document(id="far", embedding=[-1.0, 0.0])])
    assert reader.embedding_retrieval([-1, 0])[0].id == "far"
    assert loaded == [2]


def _write_one(path: str, number: int) -> None:
    with SqliteDocumentStore(path) as store:
        store.write_documents([Document(id=str(number), content="x", embedding=[1.0, number])])


def test_processes_may_create_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_write_one, args=(str(path), n)) for n in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 6
    with SqliteDocumentStore(path) as store:
        assert store.count_documents() == 6
        store.check_integrity()


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with pytest.raises(StoreError, match=r"there is no document store at .*; index"):
        SqliteDocumentStore(path, read_only=True).count_documents()
    assert not path.exists()
    with pytest.raises(StoreError, match="is a folder"):
        SqliteDocumentStore(tmp_path).count_documents()
    with pytest.raises(StoreError, match="check that its folder exists"):
        SqliteDocumentStore(tmp_path / "nowhere" / "s.sqlite").count_documents()
    path.write_text("this is no database, though long enough to be taken for one" * 20)
    with pytest.raises(StoreError, match="is not a SQLite database; name another file"):
        SqliteDocumentStore(path).count_documents()


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with SqliteDocumentStore(path) as store:
        store.write_documents([DOG])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE vectors SET data = zeroblob(length(data))")
        db.execute("DELETE FROM fields")
        db.execute("INSERT INTO fields VALUES ('n', 1, 1, 0)")
    with pytest.raises(StoreError, match=r"vectors and documents disagree; metadata and its index"):
        SqliteDocumentStore(path).check_integrity()
    data = bytearray(path.read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged"):
        SqliteDocumentStore(path).check_integrity()


def test_a_store_opened_for_reading_refuses_to_write(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with SqliteDocumentStore(path) as store:
        store.write_documents([DOG])
    reader = SqliteDocumentStore(path, read_only=True)
    assert reader.bm25_retrieval("dog")
    assert reader.embedding_retrieval([1, 0])
    reader.check_integrity()
    with pytest.raises(StoreError, match="opened for reading only"):
        reader.delete_all_documents()


def test_a_read_only_file_can_be_searched_but_not_written(
    tmp_path: Path, as_anyone: AsAnyone
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    path = folder / "s.sqlite"
    with SqliteDocumentStore(path) as store:
        store.write_documents([DOG])
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        with as_anyone(folder), SqliteDocumentStore(path) as store:
            assert [d.id for d in store.bm25_retrieval("dog")] == ["dog"]
            assert [d.id for d in store.embedding_retrieval([1, 0])] == ["dog"]
            with pytest.raises(StoreError, match="is read-only; make the file and its folder"):
                store.write_documents([CAT])
    finally:
        folder.chmod(0o755)


@contextmanager
def _writable(path: Path, writable: bool) -> Iterator[None]:
    """Open a file and its folder to writing, or close them, and turn them back."""
    file, folder = path.stat().st_mode, path.parent.stat().st_mode
    path.chmod(0o644 if writable else 0o444)
    path.parent.chmod(0o755 if writable else 0o555)
    try:
        yield
    finally:
        path.chmod(file)
        path.parent.chmod(folder)


def _write_as_owner(path: Path, *, close: bool = True) -> None:
    """Write the cat in another process, whose log stays where it does not close."""

    def write() -> None:
        store = SqliteDocumentStore(path)
        store.write_documents([CAT])
        if close:
            store.close()
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=write)
    with _writable(path, True):
        child.start()
        child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize("close", [True, False])
def test_a_reader_that_cannot_lock_sees_what_the_owner_writes(
    tmp_path: Path, as_anyone: AsAnyone, close: bool
) -> None:
    path = tmp_path / "shared" / "s.sqlite"
    path.parent.mkdir()
    with SqliteDocumentStore(path) as store:
        store.write_documents([DOG])
    with _writable(path, False), SqliteDocumentStore(path) as reader:
        with as_anyone(path.parent):
            assert [d.id for d in reader.bm25_retrieval("dog cat")] == ["dog"]
        _write_as_owner(path, close=close)
        with as_anyone(path.parent):
            assert {d.id for d in reader.bm25_retrieval("dog cat")} == {"dog", "cat"}
            assert [d.id for d in reader.embedding_retrieval([0, 1])] == ["cat", "dog"]


def test_a_reader_that_cannot_lock_says_that_the_file_is_written(
    tmp_path: Path, as_anyone: AsAnyone
) -> None:
    path = tmp_path / "shared" / "s.sqlite"
    path.parent.mkdir()
    with SqliteDocumentStore(path) as store:
        store.write_documents([DOG])
    written = "is being written by another process; try again"
    with _writable(path, False), SqliteDocumentStore(path) as reader:
        with as_anyone(path.parent), reader._database.reading() as connection:
            assert connection.execute("SELECT id FROM documents").fetchall() == [("dog",)]
        with pytest.raises(StoreError, match=written), reader._database.reading():
            _write_as_owner(path)
        log = path.with_name("s.sqlite-wal")
        with _writable(path, True):
            log.write_bytes(b"begun")
        with as_anyone(path.parent):
            for _ in range(2):
                with pytest.raises(StoreError, match=written):
                    reader.count_documents()
        with _writable(path, True):
            log.unlink()
        with as_anyone(path.parent):
            assert reader.count_documents() == 2


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with SqliteDocumentStore(tmp_path / "s.sqlite") as store:
        store.write_documents([DOG])
        connection = store._database._writer
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 10}")
        with pytest.raises(StoreError, match="the disk is full; free some space"):
            store.write_documents([Document(id="long", content=os.urandom(400_000).hex())])
        assert [d.id for d in store.filter_documents()] == ["dog"]
        store.check_integrity()


def test_text_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    with SqliteDocumentStore(tmp_path / "s.sqlite") as store:
        with pytest.raises(StoreError, match="not valid Unicode"):
            store.write_documents([Document(id="x", content="broken \ud800")])
        assert store.count_documents() == 0


def _write_until_killed(path: str, told: int) -> None:
    store = SqliteDocumentStore(path)
    number = 1 + max((int(d.id.split("-")[0]) for d in store.filter_documents()), default=0)
    os.write(told, b"ready\n")
    while True:
        documents = [
            Document(
                id=f"{number}-{i}",
                content=f"w{number} w{i}",
                embedding=[float(number), float(i), 1.0],
                meta={"columns": {"number": number}},
            )
            for i in range(20)
        ]
        store.replace_documents([f"{number - 3}-{i}" for i in range(0, 20, 2)], documents)
        os.write(told, f"{number}\n".encode())
        number += 1


def test_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    path, chance = tmp_path / "s.sqlite", random.Random(3)
    context = multiprocessing.get_context("fork")
    committed = 0
    for _ in range(int(os.environ.get("EXPERT_TEST_KILLS", "10"))):
        reading, writing = os.pipe()
        child = context.Process(target=_write_until_killed, args=(str(path), writing))
        child.start()
        os.close(writing)
        with os.fdopen(reading) as lines:
            assert lines.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.3))
            os.kill(child.pid, signal.SIGKILL)
            told = [int(line) for line in lines if line.endswith("\n")]
        child.join()
        committed += len(told)
        with SqliteDocumentStore(path) as store:
            store.check_integrity()
            documents = {d.id: d for d in store.filter_documents()}
            for number in told:
                assert all(f"{number}-{i}" in documents for i in range(1, 20, 2))
            for id_, document in documents.items():
                number, i = map(int, id_.split("-"))
                assert document.embedding == [number, i, 1.0]
            nearest = store.embedding_retrieval([1.0, 0.0, 0.0], top_k=len(documents) + 1)
            assert {d.id for d in nearest} == documents.keys()
    assert committed > 0
