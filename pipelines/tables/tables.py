"""The tables of an index: what there is, and what queries find in them."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, get_args

from pipelines.answer import Citation
from pipelines.convert.extracted import Scalar
from pipelines.errors import TableError
from pipelines.tables.query import MOST_ROWS, Aggregate, Filter, Order, Period, TableQuery
from pipelines.tables.sql import TableDatabase
from pipelines.tables.table import Table, read_tables

if TYPE_CHECKING:
    from pipelines.stores import PassageStore

_ROWS = {"field": "meta.kind", "operator": "==", "value": "row"}
_FEW = 5
_FIRST = 3
_SHOWN = 20
# Of a tool's call; more would only lengthen a small model's way to the end.
_FILTERS = 4
_DATE = {"type": "string", "pattern": r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"}
_TEXT = {"type": "string", "maxLength": 100}


@dataclass(frozen=True, slots=True)
class TableResult:
    """What a query found.

    :param query: The query.
    :param table: The table.
    :param values: The result: one value, or for each group the group and its value, or for rows
        their values, in the order of the table's columns.
    :param counted: How many rows it was made of.
    :param sql: The statement that found it, with question marks for values.
    :param parameters: Those values.
    :param citations: The rows that it was made of: all when they are few, else the first ones; of
        a minimum or maximum those that have it, of groups those of the first one.
    :param absent: How many groups have no row, of those ranked from the least, which they are.
    :param totals: What rows among these are called that are themselves made of others.
    """

    query: TableQuery
    table: Table
    values: tuple[tuple[Scalar | None, ...], ...]
    counted: int
    sql: str
    parameters: tuple[Scalar, ...]
    citations: tuple[Citation, ...]
    absent: int = 0
    totals: tuple[str, ...] = ()

    @property
    def value(self) -> Scalar | None:
        """The first result; None where there is none."""
        return self.values[0][-1] if self.values and self.query.aggregate != "none" else None


class Tables:
    """The tables of an index, read when they are first needed; several threads may ask.

    :param store: The index's store.
    :param stamp: Returns what changes when the index does; tables are then read again. None for an
        index that stays as it is.
    """

    def __init__(self, store: "PassageStore", stamp: Callable[[], object] | None = None) -> None:
        self._store, self._stamp = store, stamp
        self._lock = threading.Lock()
        self._read: tuple[object, dict[str, Table]] | None = None
        self._databases: dict[str, tuple[Table, TableDatabase]] = {}

    @property
    def tables(self) -> Sequence[Table]:
        """All tables.

        :raises StoreError: When the store cannot be read.
        """
        return list(self._by_name().values())

    def _by_name(self) -> dict[str, Table]:
        stamp = self._stamp() if self._stamp is not None else None
        with self._lock:
            if self._read is None or self._read[0] != stamp:
                passages = self._store.read_passages(_ROWS)
                self._read = (stamp, {table.name: table for table in read_tables(passages)})
            return self._read[1]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of :class:`TableQuery` with the names that there are.

        :raises TableError: When there is no table.
        """
        schemas = [_schema(table) for table in self.tables]
        if not schemas:
            raise TableError("the index holds no table: `expert index` reads CSV, XLSX and others")
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def run(self, query: TableQuery) -> TableResult:
        """Return what a query finds.

        :raises TableError: When it does not fit the tables that there are, or takes too long.
        """
        table, database = self._open(query.table)
        # One more than are told of: those equal to the last one come too.
        statement = database.result(query, MOST_ROWS + 1)
        found = database.run(statement)
        if query.aggregate == "none":
            numbers = [int(number or 0) for (number,) in found]
            by = 0 if query.column is None else [c.name for c in table.columns].index(query.column)
            values = _cut([table.values[number] for number in numbers], query, by)
            cited = numbers[: len(values)]
        else:
            values = _cut(found, query, 1) if query.group_by is not None else found
            rows = database.rows(query, _FEW + 1, _of_first(query, values))
            cited = [int(number or 0) for (number,) in database.run(rows)]
        counted = int(database.run(database.count(query))[0][0] or 0)
        few = cited if len(cited) <= _FEW else cited[:_FIRST]
        return TableResult(
            query,
            table,
            tuple(values),
            counted,
            statement.sql,
            statement.values,
            tuple(table.cite(number) for number in few),
            _absent(query, table, database),
            _totals(query, table, database),
        )

    def _open(self, name: str) -> tuple[Table, TableDatabase]:
        tables = self._by_name()
        table = tables.get(name)
        if table is None:
            if not tables:
                raise TableError("the index holds no table")
            names = ", ".join(f'"{one}"' for one in list(tables)[:_SHOWN])
            more = f" and {len(tables) - _SHOWN} more" if len(tables) > _SHOWN else ""
            raise TableError(f'there is no table "{name}": there are {names}{more}')
        with self._lock:
            if name not in self._databases or self._databases[name][0] is not table:
                self._databases[name] = (table, TableDatabase(table))
            return self._databases[name]


def _cut(
    found: list[tuple[Scalar | None, ...]], query: TableQuery, by: int
) -> list[tuple[Scalar | None, ...]]:
    """Keep as many as were asked for, and those equal to the last one where they are in order."""
    most = query.limit or MOST_ROWS
    if query.order is not None:
        while most < min(len(found), MOST_ROWS) and found[most][by] == found[most - 1][by]:
            most += 1
    return found[:most]


def _absent(query: TableQuery, table: Table, database: TableDatabase) -> int:
    """Return how many groups the conditions leave without any row, where that makes a least."""
    if query.group_by is None or query.order != "ascending":
        return 0
    if query.aggregate not in ("count", "distinct", "sum"):
        return 0
    if query.period is not None and (gaps := _gaps(table, query.group_by, query.period)):
        return gaps
    # "Which month of 2010" asks for none of 2011.
    asked = tuple(one for one in query.filters if one.column == query.group_by)
    among = query.model_copy(update={"filters": asked})
    all_of_them, found = (database.run(database.groups(one)) for one in (among, query))
    return int(all_of_them[0][0] or 0) - int(found[0][0] or 0)


def _gaps(table: Table, name: str, period: Period) -> int:
    """Return how many years, months or days without a row are between a table's dates."""
    column = table.column(name)
    assert column is not None  # noqa: S101 - the query has been run
    moments = (str(value)[:10] for value in table.values_of(column) if value is not None)
    days = {date.fromisoformat(moment) for moment in moments}
    number: dict[Period, Callable[[date], int]] = {
        "year": lambda day: day.year,
        "month": lambda day: 12 * day.year + day.month,
        "day": date.toordinal,
    }
    numbers = set(map(number[period], days))
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


def _totals(query: TableQuery, table: Table, database: TableDatabase) -> tuple[str, ...]:
    """Return what those rows are called, among the ones of a result, that are made of others."""
    if not table.totals:
        return ()
    select = database.result if query.aggregate == "none" else database.rows
    numbers = database.run(select(query, len(table.rows)))
    found = (table.totals.get(int(number or 0)) for (number,) in numbers)
    return tuple(dict.fromkeys(text for text in found if text is not None))


def _of_first(query: TableQuery, values: Sequence[tuple[Scalar | None, ...]]) -> list[Filter]:
    """Return the conditions for the rows of the first group, and of those with the extreme."""
    if not values:
        return []
    also = []
    if query.group_by is not None and values[0][0] is not None:
        also.append(_equal(query.group_by, values[0][0]))
    if query.aggregate in ("minimum", "maximum") and query.column and values[0][-1] is not None:
        also.append(_equal(query.column, values[0][-1]))
    return also


def _equal(column: str, value: Scalar) -> Filter:
    """Return the condition that a column has a cell's value, which may be of any length."""
    return Filter.model_construct(column=column, operator="=", value=value)


def _schema(table: Table) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    moments = [column.name for column in table.columns if column.is_moment]
    texts = [column.name for column in table.columns if column.kind == "text"]
    truths = [column.name for column in table.columns if column.kind == "bool"]
    whole = [column.name for column in table.columns if column.kind == "int"]
    real = [column.name for column in table.columns if column.kind == "float"]
    single = ["=", "!="]
    ordered = [*single, "<", "<=", ">", ">="]
    filters = [
        one
        for columns, operators, value in (
            (texts, [*single, "contains"], _TEXT),
            (truths, single, {"type": "boolean"}),
            (whole, ordered, {"type": "integer"}),
            (real, ordered, {"type": "number"}),
            (moments, ordered, _DATE),
        )
        if columns
        for one in _conditions(columns, operators, value)
    ]
    properties: dict[str, Any] = {
        "table": {"const": table.name},
        "aggregate": {"enum": list(get_args(Aggregate))},
        "column": {"enum": [*names, None]},
        "filters": {"type": "array", "items": {"anyOf": filters}, "maxItems": _FILTERS},
        "group_by": {"enum": [*names, None]},
        "period": {"enum": [*get_args(Period), None] if moments else [None]},
        "order": {"enum": [*get_args(Order), None]},
        "limit": {
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_ROWS}, {"type": "null"}]
        },
    }
    return _object(properties)


def _conditions(
    columns: list[str], operators: list[str], value: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    named = {"column": {"enum": columns}}
    yield _object({**named, "operator": {"enum": operators}, "value": value})
    if "<" in operators:
        ends = {"type": "array", "items": value, "minItems": 2, "maxItems": 2}
        yield _object({**named, "operator": {"const": "between"}, "value": ends})


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
