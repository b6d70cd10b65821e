"""Metadata as sorted entries: what each scalar of a document's metadata is filtered by.

An entry is a field's dotted name, a kind and a value. Values of one kind are ordered by
SQLite's own comparison, so that equality and ranges are index look-ups. The kinds follow
:func:`haystack.utils.filters.document_matches_filter`: true equals 1 equals 1.0, and text
that is an ISO 8601 date also compares as a moment.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from typing import Any

Entry = tuple[str, int, Any]

# A longer text is compared by its digest: whole, for equality only.
_LONGEST_TEXT = 256
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]|\Z)", re.ASCII)
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT64 = 2**63


class Kind(IntEnum):
    """What an entry's value is."""

    BOOLEAN = 0
    NUMBER = 1
    TEXT = 2
    #: Of a date without a zone: microseconds since 1970 on its own clock.
    LOCAL_MOMENT = 3
    #: Of a date with a zone: microseconds since 1970 on that zone's clock …
    ZONED_CLOCK = 4
    #: … and in UTC.
    ZONED_MOMENT = 5
    #: Digests, for equality only: of texts too long for an index, of lists, of
    #: dictionaries, and of numbers that SQLite cannot hold.
    LONG_TEXT = 6
    LIST = 7
    DICTIONARY = 8
    ODD_NUMBER = 9


_DIGESTED = {
    str: Kind.LONG_TEXT,
    dict: Kind.DICTIONARY,
    int: Kind.ODD_NUMBER,
    float: Kind.ODD_NUMBER,
}


def entries(meta: Mapping[str, Any], prefix: str = "") -> Iterator[Entry]:
    """Give the entries of a document's metadata; a nested one's name is its dotted path.

    A key without a value (``None``) has none, as if it were missing.
    """
    for key, value in meta.items():
        if value is None:
            continue
        name = f"{prefix}{key}"
        for kind, comparable in comparables(value):
            yield name, kind, comparable
        if isinstance(value, dict):
            yield from entries(value, f"{name}.")


def comparables(value: Any) -> Iterator[tuple[Kind, Any]]:
    """Give the kinds and values that a metadata value is found under.

    The first one decides equality; the others are the moments of a date.
    """
    if isinstance(value, bool):
        yield Kind.BOOLEAN, int(value)
    elif isinstance(value, int | float) and _storable(value):
        yield Kind.NUMBER, value
    elif isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        yield Kind.TEXT, value
        if (moment := parse_date(value)) is not None:
            yield from moments(moment)
    else:
        yield _DIGESTED.get(type(value), Kind.LIST), _digest(value)


def moments(moment: datetime) -> Iterator[tuple[Kind, int]]:
    """Give a date as microseconds: one value without a zone, two with one."""
    local = (moment.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    if moment.tzinfo is None:
        yield Kind.LOCAL_MOMENT, local
    else:
        yield Kind.ZONED_CLOCK, local
        yield Kind.ZONED_MOMENT, (moment - _EPOCH_UTC) // _MICROSECOND


def parse_date(value: Any) -> datetime | None:
    """Read a date: a ``datetime``, a ``date``, or text in ISO 8601's extended format.

    Text needs a whole date (``2025-03-01``), alone or with a time; ``None`` otherwise.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if not isinstance(value, str) or not _ISO_DATE.match(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _storable(value: float) -> bool:
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return not math.isnan(value)


def _digest(value: Any) -> bytes:
    text = json.dumps(_plain(value), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value
