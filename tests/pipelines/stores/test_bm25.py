import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from haystack import Document

from pipelines.errors import StoreError
from pipelines.stores import bm25
from pipelines.stores.sqlite import SqliteDocumentStore

WORDS = [f"w{n}" for n in range(60)]


@pytest.fixture
def store(tmp_path: Path) -> SqliteDocumentStore:
    chance = np.random.default_rng(5)
    share = 1 / np.arange(1, 61)
    store = SqliteDocumentStore(tmp_path / "s.sqlite")
    store.write_documents(
        [
            Document(
                id=str(n),
                content=" ".join(
                    chance.choice(WORDS, chance.integers(3, 40), p=share / share.sum())
                ),
                meta={"title": f"T {WORDS[n % 60]}", "part": n % 4},
            )
            for n in range(1_200)
        ]
    )
    return store


@pytest.mark.parametrize("query", ["w3", "w7 w30 w59", "w0 w1", "w40 unknown W40"])
def test_scores_are_those_of_the_formula(store: SqliteDocumentStore, query: str) -> None:
    texts = {
        d.id: f"{d.meta['title']} {d.content}".lower().split() for d in store.filter_documents()
    }
    average = sum(map(len, texts.values())) / len(texts)
    scores = dict.fromkeys(texts, 0.0)
    for term in set(query.lower().split()):
        holding = [id_ for id_, words in texts.items() if term in words]
        weight = math.log(1 + (len(texts) - len(holding) + 0.5) / (len(holding) + 0.5))
        for id_ in holding:
            found, length = texts[id_].count(term), len(texts[id_]) / average
            scores[id_] += weight * found * 1.9 / (found + 0.9 * (0.6 + 0.4 * length))
    ranked = sorted(scores.values(), reverse=True)[:50]
    documents = store.bm25_retrieval(query, top_k=50)
    assert [d.score for d in documents] == pytest.approx(ranked, rel=1e-5)
    assert [d.score for d in documents] == pytest.approx(
        [scores[d.id] for d in documents], rel=1e-5
    )


def test_filters_apply_before_the_best_are_taken(store: SqliteDocumentStore) -> None:
    wanted = {"field": "meta.part", "operator": "==", "value": 3}
    every = store.bm25_retrieval("w5", top_k=2_000)
    found = store.bm25_retrieval("w5", filters=wanted, top_k=10)
    assert [d.id for d in found] == [d.id for d in every if d.meta["part"] == 3][:10]


def test_common_terms_count_only_among_their_like(
    store: SqliteDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bm25, "COMMON_TEXTS", 100)
    rare = store.bm25_retrieval("w55", top_k=1_200)
    assert [d.id for d in store.bm25_retrieval("w0 w55", top_k=1_200)] == [d.id for d in rare]
    assert len(store.bm25_retrieval("w0", top_k=1_200)) > 400


def test_terms_that_are_kept_stay_within_bounds(
    store: SqliteDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bm25, "_KEPT_POSTINGS", 500)
    before = [[d.id for d in store.bm25_retrieval(word)] for word in WORDS]
    assert store._bm25._view.kept <= 500 or len(store._bm25._view.postings) == 1
    assert [[d.id for d in store.bm25_retrieval(word)] for word in WORDS] == before


def test_what_could_not_be_read_is_read_again(
    store: SqliteDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(bm25, "_read_lengths", failing)
        for _ in range(2):
            with pytest.raises(StoreError, match="disk I/O error"):
                store.bm25_retrieval("w3")
    found = store.bm25_retrieval("w3")
    store.close()
    assert [d.score for d in found] == [d.score for d in store.bm25_retrieval("w3")]
