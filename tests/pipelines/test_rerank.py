"""The built-in reranker on the real encoder, and how rerankers are chosen."""

import pytest
from haystack import Document, Pipeline

from pipelines.embed import open_embedder
from pipelines.embed.components import embed_passages
from pipelines.errors import PipelineError, StoreError
from pipelines.rerank import LateReranker, open_reranker
from pipelines.retrieve import HybridRetriever
from pipelines.stores.sqlite import SqliteDocumentStore

PASSAGES = {
    "leave": "Annual leave is 20 days. Up to five days may be carried over into the next year.",
    "sick": "A note from a doctor is needed from the third day of absence.",
    "oil": "Engine oil is changed every 250 hours. The filter is replaced at every second change.",
    "track": "Tracks are tensioned each week. A loose track comes off in mud.",
    "pay": "Salaries are paid on the last working day of the month.",
    "travel": "Train journeys are booked second class. Mileage is refunded at 30 cents.",
}


@pytest.fixture(scope="module")
def embedder():
    return open_embedder("minilm")


@pytest.fixture(scope="module")
def store(embedder):
    documents = [
        Document(id=name, content=text, meta={"title": "Handbook", "document": "handbook.md"})
        for name, text in PASSAGES.items()
    ]
    documents = embed_passages(embedder, documents)
    store = SqliteDocumentStore(":memory:")
    store.write_documents(documents)
    return store


def ask(embedder, store, question, reranker):
    encoding = embedder.embed_query(question)
    found = HybridRetriever(store).run(question, encoding.vector.tolist())["documents"]
    return reranker.run(query=question, documents=found, query_tokens=encoding.tokens)["documents"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How much unused holiday can I take into January?", "leave"),
        ("When do I have to bring a medical certificate?", "sick"),
        ("how often does the lubricant need replacing", "oil"),
        ("What happens when the chain of the digger hangs slack?", "track"),
        ("On which date do we get our wages?", "pay"),
    ],
)
def test_the_passage_that_answers_comes_first(embedder, store, question, expected):
    found = ask(embedder, store, question, LateReranker())
    assert found[0].id == expected
    scores = [document.score for document in found]
    assert scores == sorted(scores, reverse=True)
    parts = found[0].meta["_scores"]
    assert parts["late"] == found[0].score
    assert {"bm25", "vector", "fused"} <= set(parts)


def test_top_k_cuts_the_list(embedder, store):
    assert len(ask(embedder, store, "leave", LateReranker(top_k=2))) == 2


def test_no_candidates_no_hits(embedder):
    tokens = embedder.embed_query("anything").tokens
    assert LateReranker().run(query="anything", documents=[], query_tokens=tokens) == {
        "documents": []
    }


def test_one_candidate_is_returned(embedder, store):
    found = ask(embedder, store, "When are wages paid?", LateReranker())
    tokens = embedder.embed_query("When are wages paid?").tokens
    alone = LateReranker().run(query="…", documents=found[:1], query_tokens=tokens)["documents"]
    assert [document.id for document in alone] == [found[0].id]


def test_a_question_without_tokens_is_refused(store):
    documents = store.filter_documents()
    with pytest.raises(PipelineError, match=r"retrieval\.reranker"):
        LateReranker().run(query="leave", documents=documents)


def test_an_index_without_token_states_says_how_to_make_them(embedder):
    tokens = embedder.embed_query("leave").tokens
    with pytest.raises(StoreError, match="expert index --rebuild"):
        LateReranker().run(query="leave", documents=[Document(content="x")], query_tokens=tokens)


def test_it_survives_yaml():
    pipeline = Pipeline()
    pipeline.add_component("reranker", LateReranker(top_k=7))
    from haystack.core.serialization import allow_deserialization_module

    allow_deserialization_module("pipelines")
    again = Pipeline.loads(pipeline.dumps())
    assert again.get_component("reranker").top_k == 7
    assert again.get_component("reranker").close == 1.0


def test_settings_choose_the_reranker(embedder):
    assert isinstance(open_reranker("auto", fingerprint=embedder.fingerprint), LateReranker)
    assert isinstance(open_reranker("late", fingerprint=embedder.fingerprint), LateReranker)
    assert open_reranker("none", fingerprint=embedder.fingerprint) is None
    assert open_reranker("auto", fingerprint="openai:text-embedding-3-small") is None
    with pytest.raises(PipelineError, match="cross-encoder"):
        open_reranker("late", fingerprint="openai:text-embedding-3-small")
