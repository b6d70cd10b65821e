"""Haystack filters as SQL over the embedded store's tables, every value a parameter.

The meaning is that of :func:`haystack.utils.filters.document_matches_filter`: ``!=``,
``not in`` and ``NOT`` hold for documents without the field, ``None`` is a missing field,
and orders hold between numbers or between dates only. Where the reference raises at the
first document whose value cannot be ordered, a field of mixed types is compared where it
can be; one that holds nothing comparable is still an error (:func:`check_orders`).
"""

import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from haystack.errors import FilterError

from pipelines.stores.sqlite_fields import Kind, comparables, moments, parse_date

_ORDERS = (">", ">=", "<", "<=")
_OPERATORS = ("==", "!=", "in", "not in", *_ORDERS)
_COLUMNS = ("id", "content")
_PRESENCE = {
    "blob": "documents.row IN (SELECT row FROM attachments WHERE blob IS NOT NULL)",
    "sparse_embedding": (
        "documents.row IN (SELECT row FROM attachments WHERE sparse_embedding IS NOT NULL)"
    ),
    "embedding": (
        "(documents.embedded OR documents.row IN"
        " (SELECT row FROM attachments WHERE exact_embedding IS NOT NULL))"
    ),
    "score": "documents.score IS NOT NULL",
}
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a row of ``documents``.

    :param sql: A boolean expression that is never NULL.
    :param parameters: The values of its question marks.
    :param orders: Fields that are compared by order, with the kinds that can be.
    :param rows: A query of the rows it holds for, each at least once, where one table
        tells; with the same parameters.
    """

    sql: str
    parameters: tuple[Any, ...] = ()
    orders: tuple[tuple[str, tuple[Kind, ...]], ...] = ()
    rows: str | None = None


ANY = Condition("1")
_NONE = Condition("0")


def compile_filters(filters: Mapping[str, Any] | None) -> Condition:
    """Translate a filter.

    :param filters: A comparison or a logical condition of Haystack's; nothing matches all.
    :raises FilterError: When it is malformed, or asks for an order that does not exist.
    """
    return _compile(filters, 0) if filters else ANY


def check_orders(connection: sqlite3.Connection, condition: Condition) -> None:
    """Refuse a comparison by order with a field that has values but none comparable.

    :raises FilterError: Naming the field.
    """
    for name, kinds in condition.orders:
        held = [kind for kind in Kind if _holds(connection, name, kind)]
        if held and not set(held) & set(kinds):
            wanted = "numbers" if Kind.NUMBER in kinds else "dates in ISO 8601 format"
            raise FilterError(f"meta.{name} holds no {wanted}, so it cannot be compared by order")


def _holds(connection: sqlite3.Connection, name: str, kind: Kind) -> bool:
    query = "SELECT 1 FROM fields WHERE name = ? AND kind = ? LIMIT 1"
    return connection.execute(query, (name, kind)).fetchone() is not None


def _compile(filters: Any, depth: int) -> Condition:
    if not isinstance(filters, Mapping):
        raise FilterError(f"a filter is a dictionary, not {type(filters).__name__}")
    if depth > _DEEPEST:
        raise FilterError(f"conditions are nested more than {_DEEPEST} deep")
    if "field" in filters:
        return _comparison(filters)
    for key in ("operator", "conditions"):
        if key not in filters:
            raise FilterError(f"'{key}' key missing in {filters}")
    operator, conditions = filters["operator"], filters["conditions"]
    if not isinstance(conditions, list | tuple):
        raise FilterError(f"'conditions' must be a list in {filters}")
    parts = [_compile(condition, depth + 1) for condition in conditions]
    match operator:
        case "AND":
            return _join("AND", parts) if parts else ANY
        case "OR":
            return _join("OR", parts) if parts else _NONE
        case "NOT":
            return _not(_join("AND", parts)) if parts else _NONE
    raise FilterError(f"unknown operator {operator!r}; use AND, OR or NOT")


def _join(operator: str, parts: Sequence[Condition]) -> Condition:
    # Halved rather than chained: SQLite limits how deep an expression may be.
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = _join(operator, parts[:middle]), _join(operator, parts[middle:])
    return Condition(
        f"({left.sql} {operator} {right.sql})",
        left.parameters + right.parameters,
        left.orders + right.orders,
    )


def _not(part: Condition) -> Condition:
    return Condition(f"(NOT {part.sql})", part.parameters, part.orders)


def _comparison(filters: Mapping[str, Any]) -> Condition:
    for key in ("operator", "value"):
        if key not in filters:
            raise FilterError(f"'{key}' key missing in {filters}")
    field, operator, value = filters["field"], filters["operator"], filters["value"]
    if not isinstance(field, str):
        raise FilterError(f"a field is named by text, not {type(field).__name__}")
    if operator not in _OPERATORS:
        raise FilterError(f"unknown operator {operator!r}; use one of {', '.join(_OPERATORS)}")
    if operator in ("in", "not in") and not isinstance(value, list):
        raise FilterError(f"'{operator}' needs a list, not {type(value).__name__}")
    if field in _PRESENCE:
        return _presence(field, operator, value)
    root, dot, _ = field.partition(".")
    if field == "meta" or (dot and root in (*_PRESENCE, *_COLUMNS)):
        raise FilterError(f"documents cannot be filtered by {field}; use meta.NAME")
    if field in _COLUMNS and operator in _ORDERS:
        raise FilterError(f"{field} cannot be compared by order")
    equals = _column_equals(field) if field in _COLUMNS else _field_equals(_name(field))
    match operator:
        case "==":
            return equals([value])
        case "!=":
            return _not(equals([value]))
        case "in":
            return equals(value)
        case "not in":
            return _not(equals(value))
    return _ordered(_name(field), operator, value)


def _name(field: str) -> str:
    return field.removeprefix("meta.")


def _presence(field: str, operator: str, value: Any) -> Condition:
    if value is not None or operator not in ("==", "!="):
        raise FilterError(f"{field} can only be compared with None, by == or !=")
    present = Condition(_PRESENCE[field])
    return present if operator == "!=" else _not(present)


def _column_equals(column: str) -> Callable[[Iterable[Any]], Condition]:
    def equals(values: Iterable[Any]) -> Condition:
        parts = [
            Condition(f"documents.{column} IS ?", (value,))
            for value in values
            if value is None or isinstance(value, str)
        ]
        return _join("OR", parts) if parts else _NONE

    return equals


def _field_equals(name: str) -> Callable[[Iterable[Any]], Condition]:
    def equals(values: Iterable[Any]) -> Condition:
        wanted: dict[Kind, list[Any]] = {}
        missing = False
        for value in values:
            if value is None:
                missing = True
                continue
            for kind, comparable in _alternatives(value):
                wanted.setdefault(kind, []).append(comparable)
        parts = [_rows_in(name, wanted)] if wanted else []
        if missing:
            parts.append(
                Condition("documents.row NOT IN (SELECT row FROM fields WHERE name = ?)", (name,))
            )
        return _join("OR", parts) if parts else _NONE

    return equals


def _alternatives(value: Any) -> Iterable[tuple[Kind, Any]]:
    if isinstance(value, date):
        moment = parse_date(value)
        assert moment is not None  # noqa: S101
        yield from _comparable_moments(moments(moment))
        return
    if not isinstance(value, bool | int | float | str | list | dict):
        raise FilterError(f"a field cannot be compared with a {type(value).__name__}")
    found = list(comparables(value))
    kind, comparable = found[0]
    if kind in (Kind.BOOLEAN, Kind.NUMBER):
        yield Kind.BOOLEAN, comparable
        yield Kind.NUMBER, comparable
    else:
        yield kind, comparable
    yield from _comparable_moments(found[1:])


def _comparable_moments(found: Iterable[tuple[Kind, int]]) -> Iterable[tuple[Kind, int]]:
    # Where only one of two dates names a zone, both are read on the same clock.
    moment = dict(found)
    if Kind.LOCAL_MOMENT in moment:
        yield Kind.LOCAL_MOMENT, moment[Kind.LOCAL_MOMENT]
        yield Kind.ZONED_CLOCK, moment[Kind.LOCAL_MOMENT]
    elif moment:
        yield Kind.LOCAL_MOMENT, moment[Kind.ZONED_CLOCK]
        yield Kind.ZONED_MOMENT, moment[Kind.ZONED_MOMENT]


def _rows_in(name: str, wanted: Mapping[Kind, Sequence[Any]]) -> Condition:
    queries, parameters = [], []
    for kind, values in wanted.items():
        marks = ", ".join("?" * len(values))
        queries.append(
            f"SELECT row FROM fields WHERE name = ? AND kind = ? AND value IN ({marks})"  # noqa: S608
        )
        parameters += [name, kind, *values]
    return _in(" UNION ALL ".join(queries), parameters)


def _ordered(name: str, operator: str, value: Any) -> Condition:
    if value is None:
        return _NONE
    wanted: dict[Kind, Any]
    if isinstance(value, bool | int | float):
        # SQLite has no longer integers, but its comparison with a float is exact.
        limit = value if -(2**63) <= value < 2**63 else _float(value)
        wanted = {Kind.BOOLEAN: limit, Kind.NUMBER: limit}
    elif (moment := parse_date(value)) is not None:
        wanted = dict(_comparable_moments(moments(moment)))
    else:
        shown = "text" if isinstance(value, str) else f"a {type(value).__name__}"
        raise FilterError(
            f"'{operator}' compares numbers and dates in ISO 8601 format, not {shown}"
        )
    query = f"SELECT row FROM fields WHERE name = ? AND kind = ? AND value {operator} ?"  # noqa: S608
    parameters = [item for kind, limit in wanted.items() for item in (name, kind, limit)]
    found = _in(" UNION ALL ".join([query] * len(wanted)), parameters)
    return replace(found, orders=((name, tuple(wanted)),))


def _in(rows: str, parameters: Sequence[Any]) -> Condition:
    return Condition(f"documents.row IN ({rows})", tuple(parameters), rows=rows)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
