import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from haystack import Document
from haystack.dataclasses import ByteStream
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.testing import document_store_async as twins
from haystack.testing.document_store import (
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
    DocumentStoreBaseExtendedTests,
    GetMetadataFieldMinMaxTest,
    GetMetadataFieldsInfoTest,
    GetMetadataFieldUniqueValuesTest,
)

from pipelines.errors import StoreError
from pipelines.stores.sqlite import SqliteDocumentStore

DOG = Document(id="dog", content="The quick dogs jumped", embedding=[1.0, 0.0])
CAT = Document(id="cat", content="A lazy cat slept", embedding=[0.6, 0.8], meta={"n": 1})
BARE = Document(id="bare", content="No vector here, but a dog")


class TestConformance(
    DocumentStoreBaseExtendedTests,
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
    GetMetadataFieldMinMaxTest,
    GetMetadataFieldsInfoTest,
    GetMetadataFieldUniqueValuesTest,
):
    @pytest.fixture
    def document_store(self, tmp_path: Path) -> SqliteDocumentStore:
        return SqliteDocumentStore(tmp_path / "passages.sqlite")

    def test_write_documents(self, document_store: SqliteDocumentStore) -> None:
        assert document_store.write_documents([DOG]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([DOG])
        assert document_store.filter_documents() == [DOG]


class TestAsyncConformance(
    *[getattr(twins, name) for name in dir(twins) if name.endswith("AsyncTest")]
):
    @pytest.fixture
    def document_store(self, tmp_path: Path) -> SqliteDocumentStore:
        return SqliteDocumentStore(tmp_path / "passages.sqlite")

    async def test_write_documents_async(self, document_store: SqliteDocumentStore) -> None:
        assert await document_store.write_documents_async([DOG]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([DOG])


@pytest.fixture
def store(tmp_path: Path) -> SqliteDocumentStore:
    store = SqliteDocumentStore(tmp_path / "passages.sqlite")
    store.write_documents([DOG, CAT, BARE])
    return store


def test_keywords_are_stemmed_and_scored_better_first(store: SqliteDocumentStore) -> None:
    found = store.bm25_retrieval("jump dog")
    assert [document.id for document in found] == ["dog", "bare"]
    assert found[0].score > found[1].score > 0


def test_vectors_are_ranked_by_exact_cosine(store: SqliteDocumentStore) -> None:
    found = store.embedding_retrieval([2.0, 0.0])
    assert [document.id for document in found] == ["dog", "cat"]
    assert [document.score for document in found] == pytest.approx([1.0, 0.6])
    assert found[0].embedding is None
    assert store.embedding_retrieval([0.0, 0.0], top_k=1)[0].score == 0


def test_filters_apply_before_the_list_is_cut(store: SqliteDocumentStore) -> None:
    only_cat = {"field": "meta.n", "operator": "==", "value": 1}
    assert [d.id for d in store.embedding_retrieval([1, 0], filters=only_cat, top_k=1)] == ["cat"]
    assert store.bm25_retrieval("dog", filters=only_cat) == []


@pytest.mark.parametrize(
    "query",
    ['dog" OR', "NEAR(dog", "dog*", "context: dog", "dog\0", "dog 🐕 -", "(dog) AND NOT", "DÓG"],
)
def test_nothing_in_a_query_is_syntax(query: str, store: SqliteDocumentStore) -> None:
    assert "dog" in {document.id for document in store.bm25_retrieval(query)}


@pytest.mark.parametrize("query", ["", "…", "\ud800", '"', "xyzzy"])
def test_a_query_without_known_words_finds_nothing(query: str, store: SqliteDocumentStore) -> None:
    assert store.bm25_retrieval(query) == []


def test_a_very_long_query_is_answered(store: SqliteDocumentStore) -> None:
    assert store.bm25_retrieval("dog " + "word " * 20_000)[0].id in ("dog", "bare")


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    blob = ByteStream(data=b"\0\1", meta={"a": 1}, mime_type="application/x")
    document = Document(
        content="é\n",
        meta={"columns": {"a b": 1.5, "t": True}, "l": [1]},
        blob=blob,
        embedding=[0.1, 0.2],
    )
    store = SqliteDocumentStore(tmp_path / "s.sqlite", return_embedding=True)
    store.write_documents([document])
    assert store.filter_documents() == [document]
    again = SqliteDocumentStore.from_dict(store.to_dict())
    assert again.embedding_retrieval([1, 0])[0].embedding == [0.1, 0.2]
    where = {"field": "meta.columns.a b", "operator": ">", "value": 1}
    assert again.count_documents_by_filter(where) == 1


def test_replacing_is_all_or_nothing(store: SqliteDocumentStore) -> None:
    before = store.filter_documents()
    with pytest.raises(StoreError, match="vectors of 2 and 3 numbers do not mix"):
        store.replace_documents(["dog"], [Document(content="x", embedding=[1, 2, 3])])
    with pytest.raises(StoreError, match="meta must be JSON"):
        store.replace_documents(["dog"], [Document(content="x", meta={"x": object()})])
    assert store.filter_documents() == before
    store.replace_documents(["dog", "unknown"], [Document(id="cat", content="A new cat")])
    assert {d.id: d.content for d in store.filter_documents()} == {
        "bare": BARE.content,
        "cat": "A new cat",
    }
    assert store.bm25_retrieval("lazy") == []


def test_duplicate_policies(store: SqliteDocumentStore) -> None:
    new = Document(id="dog", content="other")
    assert store.write_documents([new], DuplicatePolicy.SKIP) == 0
    assert store.write_documents([new], DuplicatePolicy.OVERWRITE) == 1
    assert store.count_documents() == 3


def test_another_process_sees_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    writer, reader = SqliteDocumentStore(path), SqliteDocumentStore(path)
    writer.write_documents([DOG])
    assert [d.id for d in reader.embedding_retrieval([1, 0])] == ["dog"]
    writer.replace_documents(["dog"], [CAT])
    assert [d.id for d in reader.embedding_retrieval([1, 0])] == ["cat"]
    writer.delete_all_documents()
    assert reader.embedding_retrieval([1, 0]) == []
    # A store that was emptied may take another embedder's vectors.
    writer.write_documents([Document(id="new", content="x", embedding=[1, 0, 0])])
    assert [d.id for d in reader.embedding_retrieval([1, 0, 0])] == ["new"]


def test_search_agrees_with_brute_force_through_many_changes(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    store = SqliteDocumentStore(tmp_path / "s.sqlite", return_embedding=True)
    kept: dict[str, np.ndarray] = {}
    for _ in range(12):
        new = {
            f"d{chance.integers(900)}": chance.standard_normal(8, np.float32) for _ in range(150)
        }
        stale = list(kept)[:: chance.integers(2, 9)]
        store.replace_documents(
            stale, [Document(id=i, content=i, embedding=v.tolist()) for i, v in new.items()]
        )
        kept = {i: v for i, v in kept.items() if i not in stale} | new
        query = chance.standard_normal(8, np.float32)
        cosine = {i: v @ query / np.linalg.norm(v) / np.linalg.norm(query) for i, v in kept.items()}
        best = sorted(cosine, key=cosine.__getitem__, reverse=True)[:10]
        found = store.embedding_retrieval(query.tolist())
        assert [d.id for d in found] == best
        assert all(d.embedding == kept[d.id].tolist() for d in found)


def test_a_wrong_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with pytest.raises(StoreError, match="unable to open"):
        SqliteDocumentStore(path, read_only=True)
    path.write_text("this is no database, though long enough to be taken for one" * 20)
    with pytest.raises(StoreError, match="not a database"):
        SqliteDocumentStore(path)
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"made by a newer phi-expert \(store 99\): upgrade"):
        SqliteDocumentStore(path)


def test_a_store_opened_for_reading_refuses_to_write(store: SqliteDocumentStore) -> None:
    reader = SqliteDocumentStore(store.to_dict()["init_parameters"]["path"], read_only=True)
    assert reader.count_documents() == 3
    with pytest.raises(StoreError, match="opened for reading only"):
        reader.delete_all_documents()


def test_a_query_of_the_wrong_length_is_explained(store: SqliteDocumentStore) -> None:
    with pytest.raises(StoreError, match="a query of 3 numbers does not fit vectors of 2"):
        store.embedding_retrieval([1, 2, 3])


async def test_searches_run_side_by_side(store: SqliteDocumentStore) -> None:
    found = await asyncio.gather(
        *(store.bm25_retrieval_async("dog") for _ in range(8)),
        *(store.embedding_retrieval_async([1, 0]) for _ in range(8)),
    )
    assert all(documents[0].id == "dog" for documents in found)


WRITER = """
import sys
from haystack import Document
from pipelines.stores.sqlite import SqliteDocumentStore
store = SqliteDocumentStore(sys.argv[1])
number = store.count_documents() // 20
print("ready", flush=True)
while True:
    store.replace_documents([f"{number - 3}-{i}" for i in range(0, 20, 2)], [
        Document(id=f"{number}-{i}", content=f"w{number} w{i}", embedding=[number, i, 1.0])
        for i in range(20)])
    print(number, flush=True)
    number += 1
"""


def test_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    path, chance = tmp_path / "s.sqlite", random.Random(3)
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.4))
        os.kill(child.pid, signal.SIGKILL)
        told = [int(line) for line in child.stdout.read().split("\n") if line.isdigit()]
        child.wait()
        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            db.execute("INSERT INTO terms(terms, rank) VALUES ('integrity-check', 1)")
        store = SqliteDocumentStore(path)
        documents = {d.id: d for d in store.filter_documents()}
        for number in told:
            assert all(f"{number}-{i}" in documents for i in range(1, 20, 2))
        for id_, document in documents.items():
            number, i = map(float, id_.split("-"))
            assert document.embedding == [number, i, 1.0]
        store.close()
