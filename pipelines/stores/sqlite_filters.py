"""Haystack filters as parameterised SQL over a passage's JSON meta.

They mean what ``haystack.utils.filters.document_matches_filter`` means: a comparison
with a missing field is false but for ``!=`` and ``not in``, ``True`` equals ``1``, and
only numbers and ISO 8601 dates have an order.
"""

import json
import sqlite3
from datetime import UTC, datetime
from typing import Any

from haystack.errors import FilterError

Filters = dict[str, Any]
_COLUMNS = {"id": "p.id", "content": "p.content", "score": "p.score"}
_LOGIC = {"AND": " AND ", "OR": " OR "}
_ORDER = (">", ">=", "<", "<=")


def register_functions(db: sqlite3.Connection) -> None:
    """Give a connection the SQL function that the filters use."""
    db.create_function("expert_seconds", 1, _seconds, deterministic=True)


def compile_filters(filters: Filters | None) -> tuple[str, list[Any]]:
    """Return a condition on ``passages AS p`` and its parameters.

    :param filters: Haystack filters; None or empty for no condition.
    :raises FilterError: When they are not valid.
    """
    if not filters:
        return "1", []
    if "operator" not in filters and "conditions" not in filters and "field" not in filters:
        raise FilterError(f"invalid filter, it has neither operator nor field: {filters}")
    return _node(filters)


def _node(node: Any) -> tuple[str, list[Any]]:
    if not isinstance(node, dict):
        raise FilterError(f"a condition is a dictionary, not {node!r}")
    return _comparison(node) if "field" in node else _logical(node)


def _logical(node: Filters) -> tuple[str, list[Any]]:
    if "operator" not in node:
        raise FilterError(f"'operator' is missing in {node}")
    if "conditions" not in node:
        raise FilterError(f"'conditions' is missing in {node}")
    operator = node["operator"]
    if operator not in (*_LOGIC, "NOT"):
        raise FilterError(f"unknown logical operator {operator!r}; there are AND, OR and NOT")
    parts, values = [], []
    for condition in node["conditions"]:
        part, inner = _node(condition)
        parts.append(part)
        values += inner
    if operator == "NOT":
        return f"NOT ({' AND '.join(parts) or '1'})", values
    empty = "1" if operator == "AND" else "0"
    return f"({_LOGIC[operator].join(parts) or empty})", values


def _comparison(node: Filters) -> tuple[str, list[Any]]:
    for key in ("operator", "value"):
        if key not in node:
            raise FilterError(f"{key!r} is missing in {node}")
    operator, value = node["operator"], node["value"]
    side, path = _field(str(node["field"]))
    if operator in ("==", "!="):
        equal, values = _equals(side, path, value)
        return (equal, values) if operator == "==" else (f"NOT {equal}", values)
    if operator in ("in", "not in"):
        if not isinstance(value, list):
            raise FilterError(f"{operator!r} needs a list, not {value!r}")
        parts, values = [], []
        for one in value:
            part, inner = _equals(side, path, one)
            parts.append(part)
            values += inner
        inside = f"({' OR '.join(parts) or '0'})"
        return (inside, values) if operator == "in" else (f"NOT {inside}", values)
    if operator in _ORDER:
        return _order(side, path, operator, value)
    raise FilterError(f"unknown comparison operator {operator!r}")


def _field(name: str) -> tuple[str, list[Any]]:
    """Return the SQL of a field's value, and the JSON path it is given as parameter."""
    if name in _COLUMNS:
        return _COLUMNS[name], []
    if name == "embedding":
        return "CASE WHEN p.has_vector THEN 1 END", []
    keys = name.removeprefix("meta.").split(".")
    return "json_extract(p.meta, ?)", ["$" + "".join(f".{json.dumps(key)}" for key in keys)]


def _equals(side: str, path: list[Any], value: Any) -> tuple[str, list[Any]]:
    if value is None:
        return f"({side} IS NULL)", path
    if isinstance(value, list | tuple | dict):
        # json_extract gives lists and objects as minified JSON text.
        value = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    elif isinstance(value, bool):
        value = int(value)
    elif not isinstance(value, str | int | float):
        value = str(value)
    return f"coalesce({side} = ?, 0)", [*path, value]


def _order(side: str, path: list[Any], operator: str, value: Any) -> tuple[str, list[Any]]:
    if value is None:
        return "0", []
    if isinstance(value, bool | list | tuple | dict | set):
        raise FilterError(f"{operator!r} cannot compare with {value!r}")
    if isinstance(value, int | float):
        numeric = f"typeof({side}) IN ('integer', 'real')"
        return f"coalesce({numeric} AND {side} {operator} ?, 0)", [*path, *path, value]
    seconds = _seconds(value.isoformat() if isinstance(value, datetime) else value)
    if seconds is None:
        raise FilterError(f"{operator!r} compares numbers and ISO 8601 dates, not {value!r}")
    return f"coalesce(expert_seconds({side}) {operator} ?, 0)", [*path, seconds]


def _seconds(value: Any) -> float | None:
    """Return the time that an ISO 8601 text stands for; without a zone it is in UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
