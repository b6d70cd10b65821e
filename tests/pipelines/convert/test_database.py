import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.convert.database import mask_url, read_tables
from pipelines.convert.extracted import Block, Extracted
from pipelines.errors import ConversionError

SCHEMA = """
CREATE TABLE work_orders (
    note TEXT, "cost, net" NUMERIC(10, 2), urgent BOOLEAN, opened DATE, closed DATETIME,
    "order no" INTEGER PRIMARY KEY, photo BLOB, code TEXT, hours REAL, never TEXT
);
INSERT INTO work_orders VALUES
    ('Grease line broken', 183.05, 1, '2020-03-01', '2020-03-02 10:00:00.000000', 2, x'00ff',
     '007', 3, NULL),
    ('Swap O''Ring', 5, 0, '2020-02-01', NULL, 1, NULL, '12', 4.5, NULL);
CREATE TABLE "select" ("group" TEXT, "a.b" INT);
INSERT INTO "select" VALUES ('x', 1), ('y', 'many');
CREATE TABLE empty (id INTEGER PRIMARY KEY);
CREATE VIEW urgent AS SELECT "order no", note FROM work_orders WHERE urgent;
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    path = tmp_path / "erp.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
    connection.close()
    return f"sqlite:///{path}"


def read(
    url: str, *, tables: Sequence[str] = (), queries: Sequence[str] = ()
) -> dict[str, Extracted]:
    return dict(read_tables(url, tables=tables, queries=queries))


def rows(extracted: Extracted) -> list[Block]:
    return [block for block in extracted.blocks if block.kind == "table_row"]


def test_all_tables_are_read_when_none_is_named(url: str) -> None:
    found = read(url)
    assert list(found) == ["empty", "select", "work_orders"]
    assert found["empty"].text == ""


def test_rows_come_by_primary_key_with_the_types_of_their_columns(url: str) -> None:
    found = read(url, tables=["work_orders"])["work_orders"]
    first, second = rows(found)
    assert found.title == "work_orders"
    assert (first.sheet, first.row) == ("work_orders", 1)
    assert first.columns == {
        "order no": 1, "note": "Swap O'Ring", "cost, net": 5.0, "urgent": False,
        "opened": "2020-02-01", "code": "12", "hours": 4.5,
    }  # fmt: skip
    assert second.columns == {
        "order no": 2, "note": "Grease line broken", "cost, net": 183.05, "urgent": True,
        "opened": "2020-03-01", "closed": "2020-03-02T10:00:00", "code": "007", "hours": 3.0,
    }  # fmt: skip
    assert found.text[second.start : second.end] == (
        "order no: 2 | note: Grease line broken | cost, net: 183.05 | urgent: true | "
        "opened: 2020-03-01 | closed: 2020-03-02T10:00:00 | code: 007 | hours: 3.0"
    )
    assert found.notices == ('column "photo": 1 binary values left out',)
    assert "Columns without values: never" in found.text


def test_names_that_are_words_of_sql_are_read(url: str) -> None:
    found = rows(read(url, tables=["select"])["select"])
    assert [b.columns for b in found] == [{"group": "x", "a_b": 1}, {"group": "y"}]


def test_views_and_names_in_another_case(url: str) -> None:
    assert len(rows(read(url, tables=["urgent"])["urgent"])) == 1
    assert list(read(url, tables=["Work_Orders", "work_orders"])) == ["work_orders"]


def test_a_query_is_read_under_its_own_text(url: str) -> None:
    query = "SELECT note, hours * 2 AS double, '10:30 :x %' AS at FROM work_orders ORDER BY note;"
    found = read(url, queries=[query])
    assert list(found) == [query.rstrip(";")]
    assert [b.columns for b in rows(found[query.rstrip(";")])] == [
        {"note": "Grease line broken", "double": 6.0, "at": "10:30 :x %"},
        {"note": "Swap O'Ring", "double": 9.0, "at": "10:30 :x %"},
    ]


def test_a_long_query_gets_a_short_name(url: str) -> None:
    queries = ["SELECT " + ", ".join(f"{i} AS n{i}" for i in range(n)) for n in (80, 81)]
    names = list(read(url, queries=queries))
    assert len(set(names)) == 2
    assert all(len(name) < 120 for name in names)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM work_orders",
        "SELECT 1; DROP TABLE work_orders",
        "WITH x AS (DELETE FROM work_orders RETURNING *) SELECT * FROM x",
        "SELECT * INTO copy FROM work_orders",
        "PRAGMA writable_schema = 1",
        "/* SELECT */ UPDATE work_orders SET note = ''",
        "",
    ],
)
def test_anything_but_one_reading_statement_is_refused(url: str, query: str) -> None:
    with pytest.raises(ConversionError, match="a query must be"):
        read(url, queries=[query])


def test_semicolons_and_verbs_in_texts_and_names_are_no_statements(url: str) -> None:
    query = "WITH t AS (SELECT 'a; DELETE it' AS \"update\") -- into\nSELECT * FROM t"
    assert [b.columns for b in rows(next(iter(read(url, queries=[query]).values())))] == [
        {"update": "a; DELETE it"}
    ]


def test_nothing_is_written_even_by_what_looks_like_reading(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    read(url)
    read(url, queries=["SELECT count(*) AS n FROM work_orders"])
    assert path.read_bytes() == before


def test_an_unknown_table_names_the_nearest(url: str) -> None:
    with pytest.raises(ConversionError, match='no table "work_order"; did you mean "work_orders"'):
        read(url, tables=["work_order"])
    with pytest.raises(ConversionError, match=r'did you mean "main\.work_orders"'):
        read(url, tables=["main.work_order"])
    assert list(read(url, tables=["main.work_orders"])) == ["main.work_orders"]
    with pytest.raises(ConversionError, match="there are: empty, select, urgent, work_orders"):
        read(url, tables=["zzz"])


def test_a_text_that_is_not_utf8_is_read_all_the_same(url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE work_orders SET note = CAST(x'636166e9' AS TEXT)")
    found = rows(read(url, tables=["work_orders"])["work_orders"])
    assert [b.columns["note"] for b in found] == ["café", "café"]


def test_a_query_that_fails_says_why_in_one_line(url: str) -> None:
    with pytest.raises(ConversionError, match=r"^the database says: no such column: nosuch$"):
        read(url, queries=["SELECT nosuch FROM work_orders"])


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="no such file"):
        read(f"sqlite:///{tmp_path}/missing.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("This is no database at all, just text." * 50)
    with pytest.raises(ConversionError, match="file is not a database"):
        read(f"sqlite:///{tmp_path}/a.db")


def test_an_empty_database_is_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.db").close()
    (tmp_path / "a.db").touch()
    with pytest.raises(ConversionError, match="no tables"):
        read(f"sqlite:///{tmp_path}/a.db")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("erp.db", "not a database address"),
        ("nosuch://x", '"nosuch" is no kind of database'),
        ("oracle://u:pw@h/x", 'reading oracle needs its driver: .* "oracledb"'),
    ],
)
def test_a_wrong_address_is_refused_with_advice(url: str, message: str) -> None:
    with pytest.raises(ConversionError, match=message) as caught:
        read(url)
    assert "pw" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://ann:s3cret@host:5432/erp", "postgresql://ann:***@host:5432/erp"),
        ("postgresql://host/erp?password=s3cret&x=1", "postgresql://host/erp?password=***&x=1"),
        ("sqlite:///erp.db", "sqlite:///erp.db"),
        ("what ://ann:s3cret@host", "what ://***@host"),
    ],
)
def test_addresses_are_shown_without_their_secrets(url: str, masked: str) -> None:
    assert mask_url(url) == masked
