"""Queries as SQL that can only read, over a database in memory that holds one table."""

import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.convert.extracted import Scalar
from pipelines.errors import TableError
from pipelines.tables.query import Filter, TableQuery
from pipelines.tables.table import Column, Table

_SQL_KINDS = {"int": "INTEGER", "float": "REAL", "bool": "INTEGER"}
_AGGREGATES = {
    "count": "count(*)",
    "distinct": "count(DISTINCT {})",
    "sum": "sum({})",
    "average": "avg({})",
    "minimum": "min({})",
    "maximum": "max({})",
}
_FUNCTIONS = frozenset({"count", "sum", "avg", "min", "max", "substr", "instr", "fold"})
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})
_PERIODS = {"year": 4, "month": 7, "day": 10}
# Steps of SQLite's machine between two looks at the clock.
_STEPS = 10_000
# Fewer than SQLite's own limit, which the number of a row takes part in.
_MOST_COLUMNS = 1_999
# Longer than any file's name, shorter than what would fill a screen.
_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Statement:
    """A query as SQL.

    :param sql: The statement, with question marks for the values.
    :param values: The values, in their order.
    """

    sql: str
    values: tuple[Scalar, ...]


class TableDatabase:
    """One table in a database in memory, which nothing can change any more.

    Several threads may ask; one is answered at a time.

    :param table: The table.
    :param seconds: How long a query may take.
    :raises TableError: When it has more columns than a database holds.
    """

    def __init__(self, table: Table, *, seconds: float = 2.0) -> None:
        self._table, self._seconds = table, seconds
        if len(table.columns) > _MOST_COLUMNS:
            raise TableError(
                f'table "{table.name}" has {len(table.columns)} columns, '
                f"of which {_MOST_COLUMNS} can be queried at most"
            )
        self._lock = threading.Lock()
        self._until = 0.0
        self._number = "row"
        while table.column(self._number) or any(
            self._number == column.name.casefold() for column in table.columns
        ):
            self._number += "_"
        # A name that begins so is SQLite's own.
        reserved = table.name.casefold().startswith("sqlite_")
        self._from = _quoted(f"table {table.name}" if reserved else table.name)
        self._db = self._built()

    def _built(self) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        columns = [
            f"{_quoted(column.name)} {_SQL_KINDS.get(column.kind, 'TEXT')}"
            for column in self._table.columns
        ]
        number = f"{_quoted(self._number)} INTEGER PRIMARY KEY"
        database.execute(f"CREATE TABLE {self._from} ({', '.join([number, *columns])})")
        marks = ", ".join("?" * (len(columns) + 1))
        database.execute("BEGIN")
        database.executemany(
            f"INSERT INTO {self._from} VALUES ({marks})",  # noqa: S608 - quoted
            ((number, *values) for number, values in enumerate(self._table.values)),
        )
        database.execute("COMMIT")
        database.create_function("fold", 1, _folded, deterministic=True)
        database.execute("PRAGMA query_only = 1")
        database.set_authorizer(_may)
        database.set_progress_handler(self._is_late, _STEPS)
        return database

    def _is_late(self) -> int:
        return int(time.monotonic() > self._until)

    def close(self) -> None:
        """Free the memory."""
        with self._lock:
            self._db.close()

    def result(self, query: TableQuery, most: int) -> Statement:
        """Return the SQL for a query's result: its value, groups and their values, or row numbers.

        :param most: Groups or rows at most.
        :raises TableError: When it does not fit the table.
        """
        where, values = self._where(query)
        column = None if query.column is None else self._column(query.column)
        if query.aggregate == "none":
            if column is not None and query.order is not None:
                where.append(f"{_quoted(column.name)} IS NOT NULL")
            ordered = self._order(_quoted(column.name) if column else None, query.order)
            sql = f"SELECT {_quoted(self._number)} FROM {self._from}"  # noqa: S608
            return Statement(f"{sql}{_all_of(where)}{ordered} LIMIT {most}", tuple(values))
        if column is not None:
            self._check_aggregate(query.aggregate, column)
        aggregate = _AGGREGATES[query.aggregate]
        result = aggregate
        if column is not None:
            # What differs in case alone is one value, as in conditions and groups.
            folds = query.aggregate == "distinct" and column.kind == "text"
            quoted = _quoted(column.name)
            result = aggregate.format(f"fold({quoted})" if folds else quoted)
        if query.group_by is None:
            sql = f"SELECT {result} FROM {self._from}{_all_of(where)}"  # noqa: S608 - quoted
            return Statement(sql, tuple(values))
        group, by = self._group(query)
        where.append(f"{group} IS NOT NULL")
        sql = (
            f"SELECT min({group}), {result} FROM {self._from}{_all_of(where)} "  # noqa: S608
            f"GROUP BY {by} HAVING {result} IS NOT NULL"
        )
        ordered = f" ORDER BY 2{_DIRECTIONS[query.order]}, 1" if query.order else " ORDER BY 1"
        return Statement(f"{sql}{ordered} LIMIT {most}", tuple(values))

    def rows(self, query: TableQuery, most: int, also: Sequence[Filter] = ()) -> Statement:
        """Return the SQL for the numbers of the rows that a query's result is made of.

        :param most: Rows at most.
        :param also: Further conditions: the group or the extreme that was found.
        :raises TableError: When it does not fit the table.
        """
        where, values = self._made_of(query, also)
        number = _quoted(self._number)
        sql = f"SELECT {number} FROM {self._from}{_all_of(where)}"  # noqa: S608 - quoted
        return Statement(f"{sql} ORDER BY {number} LIMIT {most}", tuple(values))

    def count(self, query: TableQuery) -> Statement:
        """Return the SQL for how many rows a query's result is made of.

        :raises TableError: When it does not fit the table.
        """
        where, values = self._made_of(query)
        sql = f"SELECT count(*) FROM {self._from}{_all_of(where)}"  # noqa: S608 - quoted
        return Statement(sql, tuple(values))

    def groups(self, query: TableQuery) -> Statement:
        """Return the SQL for how many groups a query's result has.

        :raises TableError: When it does not fit the table.
        """
        where, values = self._made_of(query)
        _, by = self._group(query)
        sql = f"SELECT count(DISTINCT {by}) FROM {self._from}{_all_of(where)}"  # noqa: S608 - quoted
        return Statement(sql, tuple(values))

    def _made_of(
        self, query: TableQuery, also: Sequence[Filter] = ()
    ) -> tuple[list[str], list[Scalar]]:
        where, values = self._where(query, also)
        if query.column is not None:
            where.append(f"{_quoted(self._column(query.column).name)} IS NOT NULL")
        if query.group_by is not None:
            where.append(f"{self._group(query)[0]} IS NOT NULL")
        return where, values

    def run(self, statement: Statement) -> list[tuple[Scalar | None, ...]]:
        """Return a statement's rows.

        :raises TableError: When it is stopped: it does anything but read, or takes too long.
        """
        with self._lock:
            self._until = time.monotonic() + self._seconds
            try:
                return self._db.execute(statement.sql, statement.values).fetchall()
            except (sqlite3.Error, OverflowError) as error:
                reason = "it took too long" if "interrupted" in str(error) else str(error)
                raise TableError(
                    f'the query of table "{self._table.name}" was stopped: {reason}'
                ) from None

    def _column(self, name: str) -> Column:
        column = self._table.column(name)
        if column is None:
            names = [f'"{one.name}"' for one in self._table.columns]
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise TableError(
                f'table "{self._table.name}" has no column "{name}": '
                f"it has {', '.join(names[:_SHOWN])}{more}"
            )
        return column

    def _check_aggregate(self, aggregate: str, column: Column) -> None:
        if aggregate in ("sum", "average") and not column.is_number:
            numbers = [f'"{one.name}"' for one in self._table.columns if one.is_number]
            raise TableError(
                f'column "{column.name}" of table "{self._table.name}" is {column.kind}, which has '
                f"no {aggregate}: numbers are {', '.join(numbers[:_SHOWN]) or 'in no column'}"
            )

    def _group(self, query: TableQuery) -> tuple[str, str]:
        """Return what groups are told by, and what makes rows belong to the same one."""
        assert query.group_by is not None  # noqa: S101 - asked for by its callers
        column = self._column(query.group_by)
        quoted = _quoted(column.name)
        if query.period is None:
            return quoted, f"fold({quoted})" if column.kind == "text" else quoted
        if not column.is_moment:
            dates = [f'"{one.name}"' for one in self._table.columns if one.is_moment]
            raise TableError(
                f'column "{column.name}" of table "{self._table.name}" is {column.kind} and has no '
                f"{query.period}: dates are {', '.join(dates[:_SHOWN]) or 'in no column'}"
            )
        part = f"substr({quoted}, 1, {_PERIODS[query.period]})"
        return part, part

    def _order(self, expression: str | None, order: str | None) -> str:
        number = _quoted(self._number)
        if expression is None or order is None:
            return f" ORDER BY {number}"
        return f" ORDER BY {expression}{_DIRECTIONS[order]}, {number}"

    def _where(
        self, query: TableQuery, also: Sequence[Filter] = ()
    ) -> tuple[list[str], list[Scalar]]:
        conditions: list[str] = []
        values: list[Scalar] = []
        for one in (*query.filters, *also):
            condition, given = self._condition(one)
            conditions.append(condition)
            values += given
        return conditions, values

    def _condition(self, one: Filter) -> tuple[str, list[Scalar]]:
        column = self._column(one.column)
        quoted, operator = _quoted(column.name), one.operator
        given = one.value if isinstance(one.value, tuple) else (one.value,)
        allowed = _operators(column)
        if operator not in allowed:
            raise TableError(
                f'column "{column.name}" of table "{self._table.name}" is {column.kind}: '
                f"{operator} does not fit, {', '.join(allowed)} do"
            )
        values = [self._value(column, value) for value in given]
        if operator == "between":
            low, high = (_compared(column, quoted, value) for value in values)
            return f"({low} >= ? AND {high} <= ?)", values
        if column.kind == "text":
            if operator == "contains":
                return f"instr(fold({quoted}), ?) > 0", values
            # What has no value is not equal to one, either.
            return f"fold({quoted}) {operator} ?", values
        return f"{_compared(column, quoted, values[0])} {operator} ?", values

    def _value(self, column: Column, value: Scalar) -> Scalar:
        fault = f'column "{column.name}" of table "{self._table.name}" is {column.kind}: '
        if column.kind == "text":
            return _folded(value) or ""
        if column.kind == "bool":
            truth = {"true": True, "false": False, "yes": True, "no": False}
            # SQLite itself says 1 and 0.
            found = bool(value) if value in (0, 1) else truth.get(str(value).casefold())
            if found is None:
                raise TableError(f"{fault}{value!r} is neither true nor false")
            return found
        if column.is_number:
            try:
                number = None if isinstance(value, bool) else float(value)
            except (ValueError, OverflowError):
                number = None
            if number is None or number != number or abs(number) == float("inf"):
                raise TableError(f"{fault}{value!r} is no number")
            return value if isinstance(value, int) and abs(value) < 2**63 else number
        text = str(value).strip()
        if not _is_date(text) or (column.kind == "date" and len(text) > _PERIODS["day"]):
            raise TableError(f'{fault}{value!r} is no date such as "2012", "2012-03", "2012-03-09"')
        return text


_DIRECTIONS = {"ascending": " ASC", "descending": " DESC", None: ""}


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _all_of(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _operators(column: Column) -> tuple[str, ...]:
    if column.kind == "text":
        return ("=", "!=", "contains")
    if column.kind == "bool":
        return ("=", "!=")
    return ("=", "!=", "<", "<=", ">", ">=", "between")


def _compared(column: Column, quoted: str, value: Scalar) -> str:
    """Return what is compared with a value: of a date as much as the value has."""
    return f"substr({quoted}, 1, {len(str(value))})" if column.is_moment else quoted


def _is_date(text: str) -> bool:
    from datetime import datetime

    if not text.isascii() or len(text) not in (4, 7, 10, 16, 19):
        return False
    try:
        datetime.fromisoformat(text + "0001-01-01"[len(text) :] if len(text) < 10 else text)
    except ValueError:
        return False
    return len(text) < 11 or text[10] == "T"


def _folded(value: object) -> str | None:
    return None if value is None else " ".join(str(value).casefold().split())


def _may(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _READS or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
