"""What the stored documents' metadata looks like: fields, types, values, extremes."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from pipelines.stores.sqlite_fields import Kind
from pipelines.stores.sqlite_filters import Condition

_TYPES = {
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: "text",
    Kind.LONG_TEXT: "text",
    Kind.LIST: "list",
    Kind.ODD_NUMBER: "number",
}
_DIGESTS = (Kind.LONG_TEXT, Kind.LIST, Kind.DICTIONARY, Kind.ODD_NUMBER)
# Moments repeat what the text of a date says.
_VALUES = (Kind.BOOLEAN, Kind.NUMBER, Kind.TEXT, *_DIGESTS)


def fields_info(connection: sqlite3.Connection) -> dict[str, dict[str, str]]:
    """Return each field's type: ``text``, ``int``, ``number``, ``boolean`` or ``list``.

    A nested field is named by its path (``columns.cost``); one with values of several types
    names them all (``int|text``).
    """
    types: dict[str, set[str]] = {}
    # From one name and kind to the next, by the index rather than through every entry.
    after: tuple[Any, ...] = ("", -1)
    while following := connection.execute(
        "SELECT name, kind FROM fields WHERE (name, kind) > (?, ?) ORDER BY name, kind LIMIT 1",
        after,
    ).fetchone():
        name, kind = after = following
        if kind == Kind.NUMBER:
            query = "SELECT DISTINCT typeof(value) FROM fields WHERE name = ? AND kind = ?"
            for (stored,) in connection.execute(query, after):
                types.setdefault(name, set()).add("int" if stored == "integer" else "number")
        elif kind in _TYPES:
            types.setdefault(name, set()).add(_TYPES[kind])
    return {name: {"type": "|".join(sorted(found))} for name, found in types.items()}


def min_max(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    """Return a field's least and greatest value, of its numbers if it has any, else of its text."""
    for kinds in ((Kind.BOOLEAN, Kind.NUMBER), (Kind.TEXT,)):
        found = [
            (value, kind == Kind.BOOLEAN)
            for kind in kinds
            for order in ("min", "max")
            for (value,) in connection.execute(
                f"SELECT {order}(value) FROM fields WHERE name = ? AND kind = ?",  # noqa: S608
                (name, kind),
            )
            if value is not None
        ]
        if found:
            (least, least_is_bool), (most, most_is_bool) = min(found), max(found)
            return {
                "min": bool(least) if least_is_bool else least,
                "max": bool(most) if most_is_bool else most,
            }
    return {"min": None, "max": None}


def unique_values(connection: sqlite3.Connection, name: str, condition: Condition) -> list[Any]:
    """Return a field's distinct values among the documents that a condition holds for.

    True, 1, 1.0 and "1" are four values. Ordered by how they read.
    """
    values = list(_distinct(connection, name, condition))
    return sorted(values, key=lambda value: (str(value), type(value).__name__))


def _distinct(connection: sqlite3.Connection, name: str, condition: Condition) -> Iterator[Any]:
    where = ""
    if condition.sql != "1":
        where = f"AND row IN (SELECT row FROM documents WHERE {condition.sql})"  # noqa: S608
    marks = ", ".join(str(int(kind)) for kind in _VALUES)
    rows = connection.execute(
        f"""SELECT kind, value, min(row) FROM fields
            WHERE name = ? AND kind IN ({marks}) {where}
            GROUP BY kind, value, typeof(value)""",  # noqa: S608
        (name, *condition.parameters),
    )
    for kind, value, row in rows.fetchall():
        if kind == Kind.BOOLEAN:
            yield bool(value)
        elif kind in _DIGESTS:
            yield _original(connection, row, name)
        else:
            yield value


def _original(connection: sqlite3.Connection, row: int, name: str) -> Any:
    query = "SELECT meta FROM documents WHERE row = ?"
    value = json.loads(connection.execute(query, (row,)).fetchone()[0])
    rest = name
    # Keys may hold dots themselves: the longest that fits is the one.
    while rest:
        key = max((key for key in value if f"{rest}.".startswith(f"{key}.")), key=len)
        value, rest = value[key], rest[len(key) + 1 :]
    return value
