import math
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from haystack import Document

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
def test_scores_are_those_of_fts5(store: SqliteDocumentStore, query: str) -> None:
    found = store.bm25_retrieval(query, top_k=50)
    terms = " OR ".join(dict.fromkeys(query.lower().split()))
    with closing(sqlite3.connect(str(store.path))) as db:
        expected = db.execute(
            "SELECT id, -bm25(texts) FROM texts JOIN documents ON row = texts.rowid"
            " WHERE texts MATCH ? ORDER BY bm25(texts), row LIMIT 50",
            (terms,),
        ).fetchall()
    assert [d.score for d in found] == pytest.approx([score for _, score in expected], rel=1e-4)
    assert found[0].id == expected[0][0] or math.isclose(expected[0][1], expected[1][1])


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
