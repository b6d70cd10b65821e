import pytest
from haystack import Document

from pipelines.retrieve import ALSO_IN, SCORES, HybridRetriever, fuse
from pipelines.stores.sqlite import SqliteDocumentStore


def found(id_: str, score: float, content: str | None = None, **meta: object) -> Document:
    return Document(id=id_, content=content or id_, score=score, meta=meta)


def test_scores_are_scaled_over_each_list_and_weighed() -> None:
    words = [found("a", 8.0), found("b", 4.0), found("c", 2.0)]
    vectors = [found("b", 0.9), found("d", 0.5)]
    fused = fuse(words, vectors, alpha=0.7)
    scores = {document.id: document.score for document in fused}
    assert scores == pytest.approx({"b": 0.7 + 0.3 / 3, "a": 0.3, "c": 0.0, "d": 0.0})
    assert fused[0].id == "b"
    assert fused[0].meta[SCORES] == {"bm25": 4.0, "vector": 0.9, "fused": scores["b"]}
    assert fused[1].meta[SCORES]["vector"] is None


def test_where_all_score_alike_all_are_best() -> None:
    assert [d.score for d in fuse([found("a", 2.0), found("b", 2.0)], [], alpha=0.5)] == [0.5, 0.5]
    assert fuse([], [], alpha=0.5) == []


def test_the_same_text_counts_once_and_says_where_else_it_stands() -> None:
    row = "Asset: D | Cost: 702.13"
    words = [
        found("csv", 8.0, row, document="orders.csv", start=10, end=33),
        found("xlsx", 8.0, row, document="orders.xlsx", start=40, end=63),
        found("other", 4.0),
    ]
    fused = fuse(words, [], alpha=0.7, limit=2)
    assert [document.id for document in fused] == ["csv", "other"]
    assert fused[0].meta[ALSO_IN] == [
        {"document": "orders.xlsx", "page": None, "start": 40, "end": 63}
    ]
    assert ALSO_IN not in fused[1].meta


def test_found_documents_are_left_as_they_were() -> None:
    mine = found("a", 1.0)
    fuse([mine], [mine], alpha=0.5)
    assert mine.meta == {}
    assert mine.score == 1.0


def test_it_searches_both_ways_and_heeds_filters() -> None:
    store = SqliteDocumentStore(":memory:")
    store.write_documents(
        [
            Document(id="1", content="the pump leaks", embedding=[1.0, 0.0], meta={"kind": "a"}),
            Document(id="2", content="a valve sticks", embedding=[0.0, 1.0], meta={"kind": "b"}),
        ]
    )
    retriever = HybridRetriever(store, top_k=5)
    ids = [d.id for d in retriever.run("pump", [0.0, 1.0])["documents"]]
    assert ids == ["2", "1"]
    only = {"field": "meta.kind", "operator": "==", "value": "a"}
    assert [d.id for d in retriever.run("pump", [0.0, 1.0], filters=only)["documents"]] == ["1"]
