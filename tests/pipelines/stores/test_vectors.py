import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from haystack import Document

from pipelines.errors import StoreError
from pipelines.stores.sqlite import SqliteDocumentStore
from pipelines.stores.sqlite_schema import BLOCK_ROWS, migrate
from pipelines.stores.vectors import best, by_block, read_vectors, write_vectors


@pytest.fixture
def connection() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, ":memory:")
    connection.execute("UPDATE state SET dimension = 3")
    return connection


def test_rows_are_written_in_place(connection: sqlite3.Connection) -> None:
    chance = np.random.default_rng(0)
    expected = np.zeros((3 * BLOCK_ROWS, 3), np.float32)
    for _ in range(6):
        rows = chance.choice(len(expected), 300, replace=False)
        expected[rows] = chance.standard_normal((300, 3), np.float32)
        write_vectors(connection, rows, expected[rows])
    assert (read_vectors(connection, np.arange(len(expected))) == expected).all()
    (blocks,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
    assert blocks == 3


def test_rows_are_grouped_by_block() -> None:
    rows = np.array([BLOCK_ROWS + 2, 0, BLOCK_ROWS])
    groups = [(b, p.tolist(), i.tolist()) for b, p, i in by_block(rows)]
    assert groups == [(0, [0], [1]), (1, [2, 0], [0, 2])]


def test_the_best_are_in_order_and_equal_ones_by_index() -> None:
    scores = np.array([1, 3, 2, 3, 0, 3], np.float32)
    assert best(scores, 4).tolist() == [1, 3, 5, 2]
    assert best(scores, 2).tolist() == [1, 3]
    assert best(scores, 99).tolist() == [1, 3, 5, 2, 0, 4]
    assert best(scores[:0], 3).tolist() == []


def test_what_could_not_be_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with SqliteDocumentStore(path) as store:
        store.write_documents([Document(id="dog", content="A dog", embedding=[1.0, 0.0])])
    with closing(sqlite3.connect(path)) as db, SqliteDocumentStore(path) as store:
        (whole,) = db.execute("SELECT data FROM vectors").fetchone()
        with db:
            db.execute("UPDATE vectors SET data = x'00'")
        for _ in range(2):
            with pytest.raises(StoreError, match="block 0 of the stored vectors is damaged"):
                store.embedding_retrieval([1.0, 0.0])
        with db:
            db.execute("UPDATE vectors SET data = ?", (whole,))
        assert [d.id for d in store.embedding_retrieval([1.0, 0.0])] == ["dog"]
