"""What a set of documents' meta holds: fields, their types, extremes and distinct values."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.stores.weaviate_schema import flatten, number_of, seconds_of

_TYPES = {bool: "boolean", int: "int", float: "number", str: "text"}
Metas = Iterable[Mapping[str, Any]]


def fields_info(metas: Metas) -> dict[str, dict[str, str]]:
    """Return each field's type: ``text``, ``int``, ``number``, ``boolean`` or ``list``.

    A nested field is named by its path (``columns.cost``); one with values of several types
    names them all (``int|text``).
    """
    types: dict[str, set[str]] = {}
    for meta in metas:
        for path, value in flatten(meta):
            if not isinstance(value, dict):
                types.setdefault(path, set()).add(_TYPES.get(type(value), "list"))
    return {path: {"type": "|".join(sorted(found))} for path, found in sorted(types.items())}


def min_max(metas: Metas, field: str) -> dict[str, Any]:
    """Return a field's least and greatest number, or its first and last date.

    :returns: ``min`` and ``max``; both None when no document has the field.
    :raises ValueError: When it holds neither numbers nor dates.
    """
    values = _values(metas, field)
    for orders in (number_of, seconds_of):
        ranked = [(rank, value) for value in values if (rank := orders(value)) is not None]
        if ranked:
            ranked.sort(key=lambda pair: pair[0])
            return {"min": ranked[0][1], "max": ranked[-1][1]}
    if values:
        raise ValueError(f"field '{field}' has no numbers or dates to compare")
    return {"min": None, "max": None}


def unique_values(
    metas: Metas, field: str, search_term: str | None = None, from_: int = 0, size: int = 10
) -> tuple[list[Any], int]:
    """Return a page of a field's distinct values, and how many there are.

    :param search_term: Only values with it in their text, in any case.
    :param from_: Where the page begins in the order of the values' text.
    :param size: How many values it has at most.
    """
    term = (search_term or "").lower()
    # The same text of another type is another value: 1, 1.0, "1" and True are four.
    distinct = {(str(one), type(one).__name__): one for one in _values(metas, field)}
    found = [distinct[key] for key in sorted(distinct) if term in key[0].lower()]
    return found[from_ : from_ + size], len(found)


def count_unique(metas: Metas, fields: Sequence[str]) -> dict[str, int]:
    """Return how many distinct values each field has."""
    held = list(metas)
    return {
        field.removeprefix("meta."): len(
            {json.dumps(one, sort_keys=True) for one in _values(held, field)}
        )
        for field in fields
    }


def _values(metas: Metas, field: str) -> list[Any]:
    path = field.removeprefix("meta.")
    return [value for meta in metas for name, value in flatten(meta) if name == path]
