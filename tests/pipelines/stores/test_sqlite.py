import asyncio
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from haystack import Document
from haystack.dataclasses import ByteStream
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError
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
    with pytest.raises(StoreError, match="has 3 dimensions, those in the store have 2"):
        store.replace_documents(["dog"], [Document(content="x", embedding=[1, 2, 3])])
    with pytest.raises(StoreError, match="is not JSON"):
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


def test_a_query_of_the_wrong_length_is_explained(store: SqliteDocumentStore) -> None:
    with pytest.raises(StoreError, match="has 3 dimensions, those in the store have 2"):
        store.embedding_retrieval([1, 2, 3])
    with pytest.raises(StoreError, match="zero or not finite"):
        store.embedding_retrieval([0, 0])
    with pytest.raises(StoreError, match="zero or not finite"):
        store.embedding_retrieval([float("nan"), 0])


async def test_searches_run_side_by_side(store: SqliteDocumentStore) -> None:
    found = await asyncio.gather(
        *(store.bm25_retrieval_async("dog") for _ in range(8)),
        *(store.embedding_retrieval_async([1, 0]) for _ in range(8)),
    )
    assert all(documents[0].id == "dog" for documents in found)


def test_what_an_embedding_may_be(store: SqliteDocumentStore) -> None:
    for embedding, reason in (
        ([float("nan"), 1.0], "is not finite"),
        ([], "is no vector"),
        ([[1.0, 0.0]], "is no vector"),
    ):
        with pytest.raises(StoreError, match=reason):
            store.write_documents([Document(id="new", embedding=embedding)])
    zero = Document(id="zero", content="nothing", embedding=[0.0, 0.0])
    store.write_documents([zero])
    assert zero in store.filter_documents()
    assert "zero" not in {d.id for d in store.embedding_retrieval([1, 0])}


def test_an_emptied_store_takes_another_embedder(store: SqliteDocumentStore) -> None:
    store.set_metadata({"embedder": "a"})
    store.delete_documents(["dog", "cat"])
    store.write_documents([Document(id="new", content="x", embedding=[1, 0, 0])])
    assert [d.id for d in store.embedding_retrieval([1, 0, 0])] == ["new"]
    store.delete_all_documents(recreate_index=True)
    assert store.get_metadata() == {}
    store.write_documents([DOG])
    assert [d.id for d in store.embedding_retrieval([1, 0])] == ["dog"]


def test_metadata_is_merged(store: SqliteDocumentStore) -> None:
    store.set_metadata({"embedder": "a", "split": "b"})
    store.set_metadata({"embedder": "c"})
    assert store.get_metadata() == {"embedder": "c", "split": "b"}


def test_the_index_follows_an_update(store: SqliteDocumentStore) -> None:
    only_cat = {"field": "meta.n", "operator": "==", "value": 1}
    assert store.update_by_filter(only_cat, {"title": "Felines", "n": 2}) == 1
    assert [d.id for d in store.bm25_retrieval("feline")] == ["cat"]
    assert store.count_documents_by_filter(only_cat) == 0
    assert [d.id for d in store.embedding_retrieval([0.6, 0.8], top_k=1)] == ["cat"]
    store.check_integrity()


def test_nothing_is_removed_or_changed_without_a_filter(store: SqliteDocumentStore) -> None:
    with pytest.raises(FilterError, match="a filter is needed"):
        store.delete_by_filter({})
    with pytest.raises(FilterError, match="a filter is needed"):
        store.update_by_filter({}, {"n": 1})
    assert store.count_documents() == 3


def test_rows_are_reused_and_the_matrix_shrinks(tmp_path: Path) -> None:
    store = SqliteDocumentStore(tmp_path / "s.sqlite")
    chance = np.random.default_rng(1)
    documents = [
        Document(id=str(n), content=f"word{n}", embedding=chance.standard_normal(4).tolist())
        for n in range(10_000)
    ]
    store.write_documents(documents)
    kept = documents[7::10]
    store.delete_documents([d.id for n, d in enumerate(documents) if n % 10 != 7])
    store.check_integrity()
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as db:
        assert db.execute("SELECT max(row) FROM documents").fetchone() == (len(kept) - 1,)
        assert db.execute("SELECT count(*) FROM vectors").fetchone() == (2,)
    assert sorted(store.filter_documents(), key=lambda d: int(d.id)) == kept
    assert store.embedding_retrieval(kept[3].embedding, top_k=1)[0].id == kept[3].id
    assert store.bm25_retrieval("word9997")[0].id == "9997"
    store.close()
    size = (tmp_path / "s.sqlite").stat().st_size
    store.compact()
    store.close()
    assert (tmp_path / "s.sqlite").stat().st_size < size


def test_a_store_in_memory_works_until_it_is_closed() -> None:
    with SqliteDocumentStore(":memory:") as store:
        store.write_documents([DOG])
        assert store.bm25_retrieval("dog")[0].id == "dog"
        assert store.embedding_retrieval([1, 0])[0].id == "dog"
        store.check_integrity()
    assert store.count_documents() == 0


def test_threads_share_a_store_while_one_writes(store: SqliteDocumentStore) -> None:
    chance = np.random.default_rng(2)
    failures: list[str] = []

    def search() -> None:
        for _ in range(60):
            for found in (store.embedding_retrieval([1, 0]), store.bm25_retrieval("dog")):
                # Pairs are written together, so that a reader sees both or neither.
                pairs = [d.id.removesuffix("-b") for d in found if d.id.startswith("pair")]
                if len(pairs) % 2 and len(found) < 10:
                    failures.append(f"half a pair: {pairs}")

    def write() -> None:
        for number in range(60):
            pair = [
                Document(id=f"pair{number}{end}", content="dog", embedding=[1.0, float(bit)])
                for end, bit in (("", 0), ("-b", chance.random()))
            ]
            old = f"pair{number - 2}"
            store.replace_documents([old, f"{old}-b"], pair)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(search) for _ in range(4)] + [pool.submit(write)]:
            done.result()
    assert failures == []
    store.check_integrity()


def test_searching_loads_no_torch(store: SqliteDocumentStore) -> None:
    code = (
        "import sys; from pipelines.stores.sqlite import SqliteDocumentStore as S;"
        "found = S(sys.argv[1], read_only=True).embedding_retrieval([1, 0]);"
        "assert found and 'torch' not in sys.modules, sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.path)], check=True)


def test_passages_are_read_without_their_vectors(tmp_path: Path) -> None:
    with SqliteDocumentStore(tmp_path / "passages.sqlite") as store:
        store.write_documents([DOG, CAT, BARE])
        found = store.read_passages({"field": "meta.n", "operator": "==", "value": 1})
        assert [(one.id, one.content, one.embedding) for one in found] == [
            ("cat", CAT.content, None)
        ]
