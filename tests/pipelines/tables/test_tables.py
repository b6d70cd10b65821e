from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.convert import convert_file
from pipelines.errors import TableError
from pipelines.split import split
from pipelines.tables import Column, TableQuery, Tables
from pipelines.tables.sql import Statement, TableDatabase
from pipelines.tables.table import read_tables
from tests.pipelines.tables.conftest import ORDERS, MakeTables

NAME = "machine_work_orders"


def ask(tables: Tables, **query: Any) -> Any:
    return tables.run(TableQuery.model_validate({"table": NAME, **query}))


def where(column: str, operator: str, value: object) -> dict[str, Any]:
    return {"filters": [{"column": column, "operator": operator, "value": value}]}


def test_tables_have_typed_columns_in_their_order(orders: Tables) -> None:
    (table,) = orders.tables
    assert (table.name, table.document, len(table.rows)) == (NAME, f"{NAME}.csv", 5)
    assert [(column.name, column.kind) for column in table.columns] == [
        ("id", "int"),
        ("Asset", "text"),
        ("Opened", "date"),
        ("Cost", "float"),
        ("Hours", "int"),
        ("Part", "text"),
        ("Action", "text"),
        ("Done", "bool"),
        ("Note", "text"),
    ]
    cost = table.column("Cost")
    assert cost is not None
    assert (cost.before, cost.decimals) == ("$", 2)


def test_a_row_is_cited_by_its_exact_characters_even_if_it_is_several_passages(
    make_tables: MakeTables, tmp_path: Path
) -> None:
    tables = make_tables(max_tokens=16, machine_work_orders__csv=ORDERS)
    (table,) = tables.tables
    text = convert_file(tmp_path / f"{NAME}.csv").text
    assert len(table.rows) == 5
    for number, row in enumerate(table.rows, 1):
        assert text[row.start : row.end] == row.text
        assert row.text.startswith(f"id: {number} | ")
    assert ask(tables, aggregate="count").value == 5


@pytest.mark.parametrize(
    ("query", "value", "counted"),
    [
        ({"aggregate": "count"}, 5, 5),
        ({"aggregate": "count", **where("Asset", "=", "a")}, 2, 2),
        ({"aggregate": "count", **where("Asset", "!=", "A")}, 3, 3),
        ({"aggregate": "count", **where("Note", "contains", "HOSE")}, 2, 2),
        ({"aggregate": "count", **where("Opened", "=", "2011")}, 2, 2),
        ({"aggregate": "count", **where("Opened", "between", ["2010-02", "2011-03"])}, 2, 2),
        ({"aggregate": "count", **where("Opened", ">", "2010")}, 3, 3),
        ({"aggregate": "count", **where("Opened", "<=", "2010-01-05")}, 1, 1),
        ({"aggregate": "count", **where("Cost", ">=", "50")}, 3, 3),
        ({"aggregate": "count", **where("Done", "=", True)}, 3, 3),
        ({"aggregate": "sum", "column": "Cost"}, 470.75, 4),
        ({"aggregate": "average", "column": "Hours"}, 3.5, 4),
        ({"aggregate": "minimum", "column": "Opened"}, "2010-01-05", 5),
        ({"aggregate": "maximum", "column": "Cost"}, 300.0, 4),
        ({"aggregate": "distinct", "column": "Part"}, 4, 5),
        ({"aggregate": "sum", "column": "Cost", **where("Asset", "=", "Z")}, None, 0),
    ],
)
def test_a_query_finds_its_value(
    orders: Tables, query: dict[str, Any], value: object, counted: int
) -> None:
    result = ask(orders, **query)
    assert (result.value, result.counted) == (value, counted)


def test_a_number_beyond_all_is_no_number(orders: Tables) -> None:
    with pytest.raises(TableError, match="is no number"):
        ask(orders, aggregate="count", **where("Cost", ">", 10**400))


def test_extremes_and_groups_cite_the_rows_that_have_them(orders: Tables) -> None:
    (cited,) = ask(orders, aggregate="maximum", column="Cost").citations
    assert cited.quote.startswith("id: 3 ")
    grouped = ask(
        orders, aggregate="sum", column="Cost", group_by="Asset", order="descending", limit=1
    )
    assert grouped.values == (("B", 300.0),)
    assert [one.quote[:5] for one in grouped.citations] == ["id: 3"]
    years = ask(orders, aggregate="count", group_by="Opened", period="year")
    assert years.values == (("2010", 2), ("2011", 2), ("2012", 1))


def test_those_equal_to_the_last_one_come_too(orders: Tables) -> None:
    tied = ask(orders, aggregate="count", group_by="Asset", order="descending", limit=1)
    assert tied.values == (("A", 2), ("B", 2))
    rows = ask(orders, column="Cost", order="descending", limit=2)
    assert [row[0] for row in rows.values] == [3, 1]
    assert [one.quote[:5] for one in rows.citations] == ["id: 3", "id: 1"]


@pytest.mark.parametrize(
    ("by", "rows"), [("Reason", ["id: 1", "id: 2"]), ("Done", ["id: 1", "id: 3"])]
)
def test_rows_are_cited_of_groups_that_are_long_or_truths(
    make_tables: MakeTables, by: str, rows: list[str]
) -> None:
    reason = "worn " * 300
    jobs = f"id,Reason,Done\n1,{reason},yes\n2,{reason},no\n3,leak,yes\n"
    tables = make_tables(jobs__csv=jobs)
    query = {"aggregate": "count", "group_by": by, "order": "descending", "limit": 1}
    result = tables.run(TableQuery.model_validate({"table": "jobs", **query}))
    assert result.value == 2
    assert [one.quote[:5] for one in result.citations] == rows


def test_times_are_of_the_day_that_they_show(make_tables: MakeTables) -> None:
    tables = make_tables(
        calls__csv="id,At\n1,2023-12-31T23:30:00-05:00\n2,2024-01-01T00:30:00+02:00\n"
    )
    in_2024 = {"table": "calls", "aggregate": "count", **where("At", "=", "2024-01-01")}
    (cited,) = tables.run(TableQuery.model_validate(in_2024)).citations
    assert cited.quote.startswith("id: 2")


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"table": "orders", "aggregate": "count"}, 'there is no table "orders": there are'),
        ({"aggregate": "sum", "column": "Price"}, 'has no column "Price": it has "id", "Asset"'),
        ({"aggregate": "sum", "column": "Note"}, "is text, which has no sum"),
        (where("Cost", "contains", "5"), "is float: contains does not fit"),
        (where("Note", "<", "x"), "is text: < does not fit"),
        (where("Cost", "=", "dear"), "is float: 'dear' is no number"),
        (where("Cost", ">", True), "is float: True is no number"),
        (where("Opened", "=", "yesterday"), "is date: 'yesterday' is no date"),
        (where("Done", "=", "maybe"), "is bool: 'maybe' is neither true nor false"),
        ({"aggregate": "count", "group_by": "Asset", "period": "year"}, "is text and has no year"),
    ],
)
def test_a_query_that_does_not_fit_says_what_there_is(
    orders: Tables, query: dict[str, Any], fault: str
) -> None:
    with pytest.raises(TableError) as raised:
        ask(orders, **query)
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "query",
    [
        {"aggregate": "sum"},
        {"aggregate": "count", "column": "Cost"},
        {"aggregate": "median", "column": "Cost"},
        {"order": "ascending"},
        {"limit": 0},
        {"limit": 101},
        {"sql": "SELECT 1"},
        where("Cost", "between", 1),
        where("Cost", "LIKE", 1),
        where("Cost", ">", float("nan")),
    ],
)
def test_what_is_no_query_is_refused(query: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TableQuery.model_validate({"table": NAME, **query})


HOSTILE = {
    "quotes": 'a"b',
    "statement": 'x"; DROP TABLE t; --',
    "count": "count",
    "row": "row",
    "function": "fold(1)",
    "unicode": "größe 漢字 🦺",
    "apostrophe": "o'clock",
}


@pytest.mark.parametrize("column", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_and_values_are_only_names_and_values(
    make_tables: MakeTables, column: str
) -> None:
    quoted = column.replace('"', '""')
    lines = [f'"{quoted}",row,sqlite_x', "1,'; DROP TABLE x; --,a", '2,b,"c""d"', "3,,"]
    tables = make_tables(sqlite_master__csv="\n".join(lines))
    (table,) = tables.tables
    name = table.columns[0].name
    assert name == column
    query = {"table": table.name, "aggregate": "sum", "column": name}
    assert tables.run(TableQuery.model_validate(query)).value == 6
    other = table.columns[1].name
    attack = {"column": other, "operator": "=", "value": "'; DROP TABLE x; --"}
    found = TableQuery.model_validate(
        {"table": table.name, "aggregate": "count", "filters": [attack]}
    )
    assert tables.run(found).value == 1


def test_wide_ragged_headerless_and_mixed_tables(make_tables: MakeTables) -> None:
    wide = ",".join(f"c{n}" for n in range(200)) + "\n" + ",".join(map(str, range(200))) + "\n"
    tables = make_tables(
        wide__csv=wide,
        twice__csv="Cost,cost,Cost\n1,2,3\n4,5,6\n",
        bare__csv="7,x\n8,y\n9,z\n",
        mixed__csv="n,v\n1,12\n2,twelve\n3,-\n4,13\n",
    )
    named = {table.name: table for table in tables.tables}
    assert len(named["wide"].columns) == 200
    assert [column.name for column in named["twice"].columns] == ["Cost", "cost 2", "Cost 3"]
    assert [column.name for column in named["bare"].columns] == ["column 1", "column 2"]

    def value(**query: Any) -> object:
        return tables.run(TableQuery.model_validate(query)).value

    assert value(table="wide", aggregate="sum", column="c199") == 199
    assert value(table="twice", aggregate="sum", column="cost 2") == 7
    assert value(table="bare", aggregate="maximum", column="column 1") == 9
    assert value(table="mixed", aggregate="distinct", column="v") == 3
    with pytest.raises(TableError, match="is text, which has no sum"):
        value(table="mixed", aggregate="sum", column="v")


def test_the_database_does_nothing_but_read(orders: Tables) -> None:
    database = TableDatabase(orders.tables[0])
    for sql in (
        f'DELETE FROM "{NAME}"',  # noqa: S608
        f'UPDATE "{NAME}" SET "Cost" = 0',  # noqa: S608
        f'DROP TABLE "{NAME}"',
        "CREATE TABLE t (a)",
        "ATTACH DATABASE '/etc/passwd' AS p",
        "PRAGMA query_only = 0",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT hex(randomblob(9))",
        "SELECT 1; SELECT 2",
    ):
        with pytest.raises(TableError, match="was stopped"):
            database.run(Statement(sql, ()))
    assert database.run(Statement(f'SELECT count(*) FROM "{NAME}"', ())) == [(5,)]  # noqa: S608


def test_a_query_without_end_is_stopped(orders: Tables) -> None:
    database = TableDatabase(orders.tables[0], seconds=0.05)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(TableError, match="was stopped"):
        database.run(Statement(endless, ()))
    crossed = ", ".join(f'"{NAME}" AS t{n}' for n in range(12))
    with pytest.raises(TableError, match="it took too long"):
        database.run(Statement(f"SELECT count(*) FROM {crossed}", ()))  # noqa: S608


def test_a_changed_index_is_read_again(make_tables: MakeTables, tmp_path: Path) -> None:
    first = make_tables(orders__csv="id,Cost\n1,5\n2,6\n")
    stamps = [1]
    tables = Tables(first._store, lambda: stamps[0])
    assert [table.name for table in tables.tables] == ["orders"]
    make_tables(people__csv="id,Age\n1,50\n2,60\n")
    assert [table.name for table in tables.tables] == ["orders"]
    stamps[0] = 2
    assert [table.name for table in tables.tables] == ["orders", "people"]


def test_the_schema_names_what_there_is(orders: Tables, make_tables: MakeTables) -> None:
    schema = orders.schema()
    assert schema["properties"]["table"] == {"const": NAME}
    assert "Cost" in schema["properties"]["column"]["enum"]
    assert schema["additionalProperties"] is False
    texts = schema["properties"]["filters"]["items"]["anyOf"][0]["properties"]
    assert texts["column"]["enum"] == ["Asset", "Part", "Action", "Note"]
    assert texts["operator"]["enum"] == ["=", "!=", "contains"]
    two = make_tables(people__csv="id,Age\n1,50\n2,60\n").schema()
    assert [one["properties"]["table"]["const"] for one in two["anyOf"]] == [NAME, "people"]


def test_a_grammar_keeps_to_the_schema(orders: Tables) -> None:
    from adapters.grammar import Grammar

    assert Grammar.json_schema(orders.schema()).source


def test_without_tables_there_is_no_schema(make_tables: MakeTables) -> None:
    with pytest.raises(TableError, match="the index holds no table"):
        make_tables().schema()


def test_sheets_are_tables_and_a_table_may_be_too_wide(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    costs = book.active
    costs.title = "Costs"
    for row in (("Item", "Price"), ("Hose", 3), ("Pump", 4)):
        costs.append(row)
    people = book.create_sheet("People")
    for row in (("Name", "Age"), ("Ann", 50), ("Bob", 60)):
        people.append(row)
    book.save(tmp_path / "book.xlsx")
    passages = split(
        convert_file(tmp_path / "book.xlsx"),
        root="r",
        document="book.xlsx",
        format="xlsx",
        max_tokens=192,
        count_tokens=lambda texts: [len(text.split()) for text in texts],
    )
    tables = read_tables(passages)
    assert [(table.name, table.sheet) for table in tables] == [
        ("book Costs", "Costs"),
        ("book People", "People"),
    ]
    wide = [Column(f"c{number}", "int") for number in range(2000)]
    rows = ((0,) * 2000,)
    with pytest.raises(TableError, match="2000 columns, of which 1999 can be queried at most"):
        TableDatabase(replace(tables[0], columns=tuple(wide), rows=(), values=rows))
    fits = replace(tables[0], columns=tuple(wide[1:]), rows=(), values=(rows[0][1:],))
    TableDatabase(fits).close()
