"""What the Weaviate store promises beyond Haystack's suites, on a real server."""

import asyncio
import random
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from haystack import Document, Pipeline
from haystack.dataclasses import ByteStream
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret
from haystack.utils.filters import document_matches_filter
from haystack_integrations.components.retrievers.weaviate import (
    WeaviateBM25Retriever,
    WeaviateEmbeddingRetriever,
    WeaviateHybridRetriever,
)

from pipelines.errors import EmbedderMismatchError, StoreError
from pipelines.stores.sqlite import SqliteDocumentStore
from pipelines.stores.weaviate import WeaviateStore

pytestmark = pytest.mark.integration

WORDS = [
    *("the", "nurse", "nurses", "nursing", "operate", "operation", "operational", "hydraulic"),
    *("pump", "pumps", "repair", "repaired", "leave", "leaves", "policy", "policies", "café"),
    *("coffee", "relational", "relation", "engine", "engines", "fail", "failure", "inspect"),
    *("inspection", "of", "a", "for", "to", "and", "the"),
]


@pytest.fixture
def store(weaviate_server, weaviate_collection):
    opened = WeaviateStore(**weaviate_server, collection=weaviate_collection)
    yield opened
    opened.close()


@pytest.fixture
def another(weaviate_server, weaviate_collection):
    """The same index, opened once more as another process would."""
    opened = WeaviateStore(**weaviate_server, collection=weaviate_collection)
    yield opened
    opened.close()


def passages(count, *, dimensions=16, seed=0):
    chance = random.Random(seed)
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions))
    return [
        Document(
            id=f"{seed}-{number:06d}",
            content=" ".join(chance.choices(WORDS, k=chance.randint(5, 60))).capitalize() + ".",
            meta={"title": " ".join(chance.choices(WORDS, k=3)), "number": number},
            embedding=vector.tolist(),
        )
        for number, vector in enumerate(vectors)
    ]


def ids(documents):
    return [document.id for document in documents]


ROWS = [
    {"columns": {"cost": 5, "name": "Bolt", "when": "2024-02-03"}},
    {"columns": {"cost": 5.0, "name": "bolt ", "when": "2024-02-03T08:00:00Z"}},
    {"columns": {"cost": "5", "name": "", "when": "9999-12-31"}},
    {"columns": {"cost": True, "a=b": "c", "Größe (mm)": -0.5}},
    {"columns": {"cost": 10**20, "when": "2024-02-03 08:00:00"}, "tags": ["a", "b"]},
    {"columns": {"cost": 1e-300, "?": 1, "when": "soon"}, "page": 3},
    {"page": 7, "name": "x" * 500, "gone": None},
    {},
]
VALUES = [5, 5.0, "5", True, 1, 0, -0.5, 10**20, "Bolt", "bolt ", "bolt", "", "c", "soon", None]
VALUES += ["2024-02-03", "2024-02-03T08:00:00Z", "9999-12-31", "x" * 500, "x" * 499, ["a", "b"]]
FIELDS = ["columns.cost", "columns.name", "columns.when", "columns.a=b", "columns.Größe (mm)"]
FIELDS += ["columns.?", "columns", "page", "name", "tags", "gone", "missing"]


def test_filters_mean_what_they_mean_in_haystack(store):
    documents = [Document(content=f"row {n}", meta=meta) for n, meta in enumerate(ROWS)]
    store.write_documents(documents)
    tried = 0
    for field in FIELDS:
        for operator in ("==", "!="):
            for value in VALUES:
                condition = {"field": f"meta.{field}", "operator": operator, "value": value}
                expected = {d.id for d in documents if document_matches_filter(condition, d)}
                assert {d.id for d in store.filter_documents(condition)} == expected, condition
                tried += 1
    assert tried == len(FIELDS) * 2 * len(VALUES)


@pytest.mark.parametrize("operator", [">", ">=", "<", "<="])
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("columns.cost", [5, 4.999, 0, 10**20, 1e-300, -1]),
        ("columns.when", ["2024-02-03", "2024-02-03T08:00:00", "9999-12-30", "0001-01-01"]),
        ("page", [3, 7.5]),
        ("missing", [0, "2024-01-01"]),
    ],
)
def test_orders_hold_between_numbers_or_dates_only(store, field, values, operator):
    documents = [Document(content=f"row {n}", meta=meta) for n, meta in enumerate(ROWS)]
    store.write_documents(documents)
    for value in values:
        condition = {"field": f"meta.{field}", "operator": operator, "value": value}
        expected = set()
        for document in documents:
            try:
                if document_matches_filter(condition, document):
                    expected.add(document.id)
            except Exception:  # noqa: S110 - Haystack refuses to compare a text with a number
                pass
        assert {d.id for d in store.filter_documents(condition)} == expected, condition


def test_dates_are_moments_and_those_without_a_zone_are_utc(store):
    store.write_documents([Document(content="a", meta={"when": "2024-02-03T10:00:00+02:00"})])
    for operator, value, count in (
        ("==", "2024-02-03T08:00:00Z", 1),
        ("==", "2024-02-03 08:00", 1),
        ("==", "2024-02-03T10:00:00", 0),
        (">", "2024-02-03T07:59:59.999", 1),
        ("<", "2024-02-03T04:00:01-04:00", 1),
        (">", "2024-02-03T08:00:00+00:00", 0),
    ):
        condition = {"field": "meta.when", "operator": operator, "value": value}
        assert store.count_documents_by_filter(condition) == count, condition


def test_logical_filters_and_those_of_searches(store):
    documents = passages(60)
    store.write_documents(documents)
    even = {"field": "meta.number", "operator": "in", "value": list(range(0, 60, 2))}
    high = {"field": "meta.number", "operator": ">=", "value": 40}
    for filters in (
        {"operator": "AND", "conditions": [even, high]},
        {"operator": "OR", "conditions": [even, high]},
        {"operator": "NOT", "conditions": [even, high]},
        {"operator": "AND", "conditions": []},
        {"operator": "NOT", "conditions": [{"operator": "OR", "conditions": [even, high]}]},
        {"field": "id", "operator": "in", "value": ids(documents[:7])},
        {"field": "content", "operator": "==", "value": documents[3].content},
        {"field": "number", "operator": "<", "value": 5},
    ):
        expected = {d.id for d in documents if document_matches_filter(filters, d)}
        assert set(ids(store.filter_documents(filters))) == expected
        read = store.read_passages(filters)
        assert set(ids(read)) == expected
        assert all(passage.embedding is None for passage in read)
        assert store.count_documents_by_filter(filters) == len(expected)
        found = store.embedding_retrieval(documents[0].embedding, filters=filters, top_k=60)
        assert set(ids(found)) == expected
        assert (
            set(ids(store.bm25_retrieval(" ".join(WORDS), filters=filters, top_k=60))) == expected
        )


def test_documents_come_back_as_they_were_written(store):
    documents = [
        Document(
            content="Ünïcode \u2028 \U0001f600 line\nbreak\ttab", meta={"a": [1, {"b": None}]}
        ),
        Document(content="", meta={"big": 10**30, "small": 5e-324, "nested": {"x": {"y": 1}}}),
        Document(meta={"only": "meta", "date": "1969-07-21T20:17:40", "truth": False}),
        Document(content=" outer blanks ", blob=ByteStream(bytes(range(256)), {"m": 1}, "x/y")),
        Document(content="empty blob", blob=ByteStream(b"")),
        Document(content="id", id="an id with blanks / and ü", score=0.5, embedding=[0.5, 1.0]),
    ]
    store.write_documents(documents)
    found = {document.id: document for document in store.filter_documents()}
    assert found == {document.id: document for document in documents}
    for document in documents:
        assert type(found[document.id].meta.get("truth")) is type(document.meta.get("truth"))


def test_words_find_and_score_what_they_do_in_the_embedded_store(store, tmp_path):
    chance = random.Random(4)
    vocabulary = [f"{word}{n}" for n in range(30) for word in WORDS[3:-6]]
    common = [1 / (n + 1) for n in range(len(vocabulary))]
    documents = [
        Document(
            content=" ".join(
                chance.choices(WORDS[-6:], k=chance.randint(5, 40))
                + chance.choices(vocabulary, common, k=chance.randint(5, 60))
            ),
            meta={"title": " ".join(chance.choices(vocabulary, k=3)), "number": number},
        )
        for number in range(1500)
    ]
    embedded = SqliteDocumentStore(tmp_path / "passages.sqlite")
    embedded.write_documents(documents)
    store.write_documents(documents)
    half = {"field": "meta.number", "operator": "<", "value": 750}
    for number in range(60):
        words = ["Of", "the", *chance.choices(vocabulary, common, k=4), "Café's"]
        filters = half if number % 3 == 0 else None
        question = f"{' '.join(words)}?"
        expected = embedded.bm25_retrieval(question, top_k=10, filters=filters)
        found = store.bm25_retrieval(question, top_k=10, filters=filters)
        assert [one.score for one in found] == pytest.approx(
            [one.score for one in expected], rel=1e-3
        )
        # Only where scores are the same may either come first.
        clear = [n for n in range(9) if expected[n].score - expected[n + 1].score > 1e-3]
        for n in clear:
            assert set(ids(found[: n + 1])) == set(ids(expected[: n + 1]))
    embedded.close()


def test_a_question_without_words_finds_nothing_by_words(store):
    store.write_documents(passages(3))
    assert store.bm25_retrieval("?!…") == []
    assert store.bm25_retrieval("zzzunknown") == []
    assert store.bm25_retrieval("nurse", top_k=0) == []


def test_vector_scores_are_cosines(store):
    documents = passages(300)
    store.write_documents([*documents, Document(content="without a vector")])
    matrix = np.array([d.embedding for d in documents])
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    question = np.random.default_rng(9).standard_normal(16)
    cosines = matrix @ (question / np.linalg.norm(question))
    found = store.embedding_retrieval(question.tolist(), top_k=300)
    assert ids(found) == [documents[n].id for n in np.argsort(-cosines)]
    assert [d.score for d in found] == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)
    assert all(d.embedding is None for d in found)


def test_searches_of_an_empty_index_find_nothing(store):
    assert store.embedding_retrieval([0.1] * 4) == []
    assert store.bm25_retrieval("nurse") == []
    assert store.filter_documents() == []
    assert store.delete_by_filter({"field": "meta.x", "operator": ">", "value": 1}) == 0


def test_weaviate_haystacks_retrievers_work_in_a_pipeline(store):
    documents = passages(50)
    store.write_documents(documents)
    pipeline = Pipeline()
    pipeline.add_component("words", WeaviateBM25Retriever(document_store=store, top_k=5))
    pipeline.add_component("vectors", WeaviateEmbeddingRetriever(document_store=store, top_k=5))
    pipeline.add_component("both", WeaviateHybridRetriever(document_store=store, top_k=5))
    question, vector = documents[7].content, documents[7].embedding
    answers = pipeline.run(
        {
            "words": {"query": question},
            "vectors": {"query_embedding": vector},
            "both": {"query": question, "query_embedding": vector},
        }
    )
    assert answers["vectors"]["documents"][0].score == pytest.approx(1, abs=1e-6)
    assert answers["both"]["documents"][0].id == documents[7].id
    assert documents[7].id in ids(answers["words"]["documents"])
    assert [len(answers[name]["documents"]) for name in answers] == [5, 5, 5]


def test_policies(store):
    first, second = passages(2)
    store.write_documents([first])
    changed = Document(id=first.id, content="changed", embedding=first.embedding)
    with pytest.raises(DuplicateDocumentError, match=first.id):
        store.write_documents([changed, second], DuplicatePolicy.FAIL)
    assert store.count_documents() == 1
    assert store.write_documents([changed, second, second], DuplicatePolicy.SKIP) == 1
    assert {d.id: d.content for d in store.filter_documents()} == {
        first.id: first.content,
        second.id: second.content,
    }
    assert store.write_documents([changed, second], DuplicatePolicy.OVERWRITE) == 2
    assert store.filter_documents({"field": "id", "operator": "==", "value": first.id})[
        0
    ].content == ("changed")


def test_metadata_stays_with_the_index(store, another):
    assert store.get_metadata() == {}
    store.set_metadata({"embedder": "minilm:53aa", "split": "ü\"'"})
    another.set_metadata({"dimensions": "384"})
    expected = {"embedder": "minilm:53aa", "split": "ü\"'", "dimensions": "384"}
    assert store.get_metadata() == expected
    store.write_documents(passages(3))
    store.delete_documents(ids(passages(3)))
    assert another.get_metadata() == expected
    store.delete_all_documents()
    assert another.get_metadata() == {}


def test_vectors_of_another_embedder_are_refused(store):
    store.write_documents(passages(2))
    with pytest.raises(EmbedderMismatchError, match="index anew"):
        store.write_documents(passages(1, dimensions=8, seed=5))
    with pytest.raises(EmbedderMismatchError):
        store.embedding_retrieval([1.0, 2.0])
    with pytest.raises(StoreError, match="one length"):
        store.write_documents([*passages(1, seed=6), *passages(1, dimensions=8, seed=7)])
    assert store.count_documents() == 2
    store.delete_all_documents()
    assert store.write_documents(passages(1, dimensions=8, seed=5)) == 1


def test_fields_that_another_process_adds_are_found(store, another):
    cheap = {"field": "meta.columns.cost", "operator": "<", "value": 10}
    assert store.filter_documents(cheap) == []
    another.write_documents([Document(content="a", meta={"columns": {"cost": 5}})])
    assert store.count_documents_by_filter(cheap) == 1


def test_several_writers_add_the_same_columns_at_once(weaviate_server, weaviate_collection):
    def write(writer):
        store = WeaviateStore(**weaviate_server, collection=weaviate_collection)
        meta = {"columns": {f"column {n}": writer + n for n in range(15)}}
        store.write_documents([Document(content=f"{writer}", meta=meta)])
        store.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    store = WeaviateStore(**weaviate_server, collection=weaviate_collection)
    above = {"field": "meta.columns.column 14", "operator": ">", "value": 15}
    assert store.count_documents() == 4
    assert store.count_documents_by_filter(above) == 2
    store.close()


def test_an_index_deleted_meanwhile_is_not_made_anew_by_writing(store, another):
    store.write_documents(passages(1))
    name = another.collection.name
    another.client.collections.delete(name)
    with pytest.raises(StoreError, match="deleted meanwhile"):
        store.write_documents(passages(1, seed=1))
    with pytest.raises(StoreError, match="deleted meanwhile"):
        store.bm25_retrieval("nurse")
    assert not another.client.collections.exists(name)


def test_somebody_elses_collection_is_left_alone(weaviate_server, weaviate_collection, another):
    client = another.client
    client.collections.delete(weaviate_collection)
    client.collections.create_from_dict({"class": weaviate_collection, "vectorizer": "none"})
    store = WeaviateStore(**weaviate_server, collection=weaviate_collection)
    with pytest.raises(StoreError, match="was not made by Phi Expert"):
        store.count_documents()
    client.collections.delete(weaviate_collection)


def test_replacing(store):
    old, new = passages(1200), passages(1200, seed=1)
    store.write_documents(old)
    kept = old[:100]
    store.replace_documents([*ids(old), "unknown"], [*kept, *new])
    assert set(ids(store.filter_documents())) == {*ids(kept), *ids(new)}
    store.replace_documents(ids(new), [])
    assert set(ids(store.filter_documents())) == set(ids(kept))


REPLACE = """
import sys
from test_weaviate_store import passages, ids
from pipelines.stores.weaviate import WeaviateStore
from haystack.utils import Secret
store = WeaviateStore(sys.argv[1], grpc_port=int(sys.argv[2]), collection=sys.argv[3],
                      api_key=Secret.from_env_var("EXPERT_TEST_WEAVIATE_API_KEY", strict=False))
store.count_documents()
print("open", flush=True)
store.replace_documents(ids(passages(1500)), passages(1500, seed=1))
print("done", flush=True)
"""


def test_replacing_killed_anywhere_loses_nothing_and_is_mended_by_repeating(
    weaviate_server, weaviate_collection, store
):
    old, new = passages(1500), passages(1500, seed=1)
    arguments = [weaviate_server["url"], str(weaviate_server["grpc_port"]), weaviate_collection]
    paths = [str(__import__("pathlib").Path(__file__).parent), *sys.path]
    script = f"import sys; sys.path[:0] = {paths!r}\n{textwrap.dedent(REPLACE)}"
    for delay in (0.0, 0.15, 0.4, 0.8):
        store.delete_all_documents()
        store.write_documents(old)
        child = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline() == "open\n"
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        found = set(ids(store.filter_documents()))
        assert set(ids(old)) <= found or set(ids(new)) <= found
        store.replace_documents(ids(old), new)
        assert set(ids(store.filter_documents())) == set(ids(new))


def test_more_documents_than_one_query_or_deletion_may_touch(store):
    documents = [
        Document(id=f"{n}", content="x", meta={"n": n, "third": n % 3}) for n in range(16_000)
    ]
    store.write_documents(documents)
    some = {"field": "meta.third", "operator": "!=", "value": 0}
    assert sorted(d.meta["n"] for d in store.filter_documents(some)) == [
        n for n in range(16_000) if n % 3
    ]
    assert len({d.id for d in store.filter_documents()}) == 16_000
    assert store.delete_by_filter(some) == 10_666
    assert store.count_documents() == 5_334


def test_ten_thousand_passages_with_vectors_and_token_states(weaviate_server, weaviate_collection):
    store = WeaviateStore(**weaviate_server, collection=weaviate_collection, return_embedding=True)
    chance = random.Random(3)
    documents = [
        Document(
            id=d.id,
            content=d.content,
            meta=d.meta,
            embedding=d.embedding,
            blob=ByteStream(chance.randbytes(8192), mime_type="application/x-states"),
        )
        for d in passages(10_000, dimensions=384)
    ]
    for start in range(0, 10_000, 1000):
        store.write_documents(documents[start : start + 1000])
    assert store.count_documents() == 10_000
    found = {d.id: d for d in store.filter_documents()}
    assert found.keys() == set(ids(documents))
    for document in documents:
        assert found[document.id].blob == document.blob
        assert found[document.id].meta == document.meta
    sample = documents[1234]
    assert found[sample.id].embedding == pytest.approx(sample.embedding, rel=1e-6)
    assert store.embedding_retrieval(sample.embedding, top_k=1)[0].blob == sample.blob
    store.close()


async def test_searches_at_once_in_one_event_loop(store):
    documents = passages(200)
    await store.write_documents_async(documents)
    found = await asyncio.gather(
        *(store.embedding_retrieval_async(d.embedding, top_k=1) for d in documents[:40]),
        *(store.bm25_retrieval_async(d.content, top_k=1) for d in documents[:40]),
    )
    assert [ids(one) for one in found[:40]] == [[d.id] for d in documents[:40]]
    assert all(len(one) == 1 for one in found[40:])
    await store.replace_documents_async(ids(documents), documents[:3])
    assert await store.count_documents_async() == 3
    await store.set_metadata_async({"a": "b"})
    assert await store.get_metadata_async() == {"a": "b"}
    await store.close_async()
    assert await store.count_documents_async() == 3
    await store.close_async()


def test_each_event_loop_gets_a_connection_of_its_own(store):
    async def count():
        try:
            return await store.count_documents_async()
        finally:
            await store.close_async()

    assert [asyncio.run(count()), asyncio.run(count())] == [0, 0]


def test_a_wrong_key_is_told_without_showing_it(weaviate_server, weaviate_collection):
    wrong = {**weaviate_server, "api_key": Secret.from_token("not-the-right-key")}
    store = WeaviateStore(**wrong, collection=weaviate_collection)
    with pytest.raises(StoreError, match="refused the API key") as raised:
        store.count_documents()
    assert "not-the-right-key" not in str(raised.value)


def test_a_wrong_grpc_port_is_told_at_once(weaviate_server, weaviate_collection):
    wrong = {**weaviate_server, "grpc_port": 9}
    store = WeaviateStore(**wrong, collection=weaviate_collection)
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"gRPC at .*:9"):
        store.count_documents()
    assert time.monotonic() - started < 30, "the client's own retries take a minute"


def test_a_store_reopens_after_closing(store):
    store.write_documents(passages(2))
    store.close()
    store.close()
    assert store.count_documents() == 2
