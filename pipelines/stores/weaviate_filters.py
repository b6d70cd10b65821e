"""Haystack filters as Weaviate filters over the store's own properties.

The meaning is that of :func:`haystack.utils.filters.document_matches_filter`, so that an
index gives the same documents from either store: ``!=``, ``not in`` and ``NOT`` hold for
documents without the field, 1 equals 1.0, dates are compared as moments (UTC where a
date names no zone) and orders hold between numbers or between dates only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from haystack.errors import FilterError
from weaviate.classes.query import Filter
from weaviate.collections.classes.filters import _Filters

from pipelines.stores.weaviate_schema import (
    CONTENT_PATH,
    FACTS,
    ID,
    ID_PATH,
    fact_of_presence,
    fact_of_time,
    fact_of_value,
    number_of,
    range_property,
    seconds_of,
)

WeaviateFilter = _Filters
HasProperty = Callable[[str], bool]

_ORDERS = {
    ">": "greater_than",
    ">=": "greater_or_equal",
    "<": "less_than",
    "<=": "less_or_equal",
}
_OPERATORS = ("==", "!=", "in", "not in", *_ORDERS)
_UNFILTERED = ("blob", "embedding", "score", "sparse_embedding", "meta")


def convert_filters(filters: Mapping[str, Any], has_property: HasProperty) -> WeaviateFilter:
    """Translate a filter.

    :param filters: A comparison or a logical condition of Haystack's.
    :param has_property: Says whether the collection has a range property; without it no
        document has a number, or a date, in that field.
    :raises FilterError: When the filter is malformed or asks what cannot be answered.
    """
    if not isinstance(filters, Mapping):
        raise FilterError("a filter is a dictionary")
    if "field" in filters:
        return _comparison(filters, has_property)
    for key in ("operator", "conditions"):
        if key not in filters:
            raise FilterError(f"'{key}' key missing in {filters}")
    operator, conditions = filters["operator"], filters["conditions"]
    if not isinstance(conditions, list | tuple):
        raise FilterError(f"'conditions' must be a list in {filters}")
    parts = [convert_filters(condition, has_property) for condition in conditions]
    if operator == "AND":
        return _all_of(parts)
    if operator == "OR":
        return _any_of(parts)
    if operator == "NOT":
        return Filter.not_(_all_of(parts))
    raise FilterError(f"Unknown logical operator '{operator}'. Valid operators are: AND, OR, NOT")


def _comparison(condition: Mapping[str, Any], has_property: HasProperty) -> WeaviateFilter:
    for key in ("operator", "value"):
        if key not in condition:
            raise FilterError(f"'{key}' key missing in {condition}")
    field, operator, value = condition["field"], condition["operator"], condition["value"]
    if operator not in _OPERATORS:
        raise FilterError(
            f"Unknown comparison operator '{operator}'. Valid operators are: {_OPERATORS}"
        )
    if field in _UNFILTERED:
        raise FilterError(f"documents cannot be filtered by '{field}'")
    path = _path(field)
    if operator in _ORDERS:
        return _order(path, operator, value, has_property)
    if operator in ("in", "not in") and not isinstance(value, list):
        raise FilterError(f"Filter value must be a list when using operator '{operator}'")
    found = _one_of(path, value if operator in ("in", "not in") else [value])
    return Filter.not_(found) if operator in ("!=", "not in") else found


def _path(field: str) -> str:
    return {"id": ID_PATH, "content": CONTENT_PATH}.get(field, field.removeprefix("meta."))


def _one_of(path: str, values: Sequence[Any]) -> WeaviateFilter:
    if path == ID_PATH:
        ids = [value for value in values if isinstance(value, str)]
        return Filter.by_property(ID).contains_any(ids) if ids else _nothing()
    terms = [fact_of_value(path, value) for value in values if value is not None]
    times = (seconds_of(value) for value in values)
    terms += [fact_of_time(path, seconds) for seconds in times if seconds is not None]
    facts = Filter.by_property(FACTS)
    parts = [facts.contains_any(terms)] if terms else []
    if None in values:
        parts.append(Filter.not_(facts.equal(fact_of_presence(path))))
    return _any_of(parts)


def _order(path: str, operator: str, value: Any, has_property: HasProperty) -> WeaviateFilter:
    if isinstance(value, list | tuple | dict):
        raise FilterError(
            f"Filter value can't be of type {type(value)} using operators '>', '>=', '<', '<='"
        )
    if value is None:
        return _nothing()
    bound = seconds_of(value) if isinstance(value, str) else number_of(value)
    if bound is None:
        raise FilterError(
            "Can't compare strings using operators '>', '>=', '<', '<='. "
            "Strings are only comparable if they are ISO formatted dates."
        )
    name = range_property(path, time=isinstance(value, str))
    if not has_property(name):
        return _nothing()
    compared: WeaviateFilter = getattr(Filter.by_property(name), _ORDERS[operator])(bound)
    return compared


def _all_of(parts: Sequence[WeaviateFilter]) -> WeaviateFilter:
    return Filter.all_of(list(parts)) if parts else Filter.not_(_nothing())


def _any_of(parts: Sequence[WeaviateFilter]) -> WeaviateFilter:
    return Filter.any_of(list(parts)) if parts else _nothing()


def _nothing() -> WeaviateFilter:
    # No fact is a bare equals sign.
    return Filter.by_property(FACTS).equal("=")
