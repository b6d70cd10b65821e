"""What a collection of the Weaviate store looks like on the server.

Its properties are fixed, whatever the documents' meta holds, except one number property
for each meta field that has numbers or dates, so that ranges are found in an index:

- ``content``, ``meta`` (JSON), the blob and ``extra`` (JSON of a document's rarer fields)
  come back as they were written; none is indexed.
- ``terms`` is what BM25 searches, analysed as the embedded store does.
- ``facts`` has a term for each field a document has and for each of its values: equality
  with any name and type, without a property for each column of each table.
- ``slot`` spreads documents over a number range, to read more of them than one query may.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pipelines.errors import StoreError
from pipelines.stores.bm25 import K1, B

ID = "_original_id"
CONTENT = "content"
META = "meta"
BLOB_DATA = "blob_data"
BLOB_TYPE = "blob_mime_type"
EXTRA = "extra"
TERMS = "terms"
FACTS = "facts"
SLOT = "slot"
STORED = (ID, CONTENT, META, BLOB_DATA, BLOB_TYPE, EXTRA)
SLOTS = 2**31
# Paths of a document's own fields begin with a control character, to be none of meta's.
ID_PATH = "\x01id"
CONTENT_PATH = "\x01content"

_LAYOUT = 1
# How many candidates HNSW keeps in a search. Over 18,896 SQuAD paragraphs: recall@10 .996
# with Weaviate's own least of 100 and 1.000 with 512 (questions unlike any text: .832, .982).
_VECTOR_INDEX = {"distance": "cosine", "dynamicEfMin": 512, "dynamicEfMax": 1024}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([Tt ]|$)")
_LONGEST_FACT = 200


def collection_name(name: str) -> str:
    """Return the name of the server's collection for a configured one.

    A name that Weaviate allows is used as it is: a capital, then letters, digits and
    underscores. Any other gets a digest, so that no two share a collection.

    :param name: Up to 100 letters, digits, ``.``, ``_`` and ``-``.
    :raises StoreError: When it has other characters, is empty or longer.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"{name[:100]!r} cannot name a collection: use up to 100 letters, digits and '._-'"
        )
    if re.fullmatch(r"[A-Z]\w*", name):
        return name
    return f"Expert_{re.sub('[.-]', '_', name).lower()}_{_digest(name)}"


def object_uuid(document_id: str) -> str:
    """Return the id of a document's object on the server, as weaviate-haystack makes it."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, document_id))


def slot_of(object_id: str) -> int:
    """Return the place of an object, 0 ≤ slot < :data:`SLOTS`; evenly spread."""
    return int(object_id[:8], 16) >> 1


def definition(name: str) -> dict[str, Any]:
    """Return the schema of a new collection: cosine HNSW, and BM25 as the embedded store has it."""
    return {
        "class": name,
        "description": describe({}),
        "vectorizer": "none",
        "vectorIndexType": "hnsw",
        "vectorIndexConfig": _VECTOR_INDEX,
        "invertedIndexConfig": {
            "bm25": {"k1": K1, "b": B},
            "stopwords": {"preset": "none"},
        },
        "properties": [
            _property(ID, "text", indexFilterable=True, tokenization="field"),
            _property(CONTENT, "text", tokenization="field"),
            _property(META, "text", tokenization="field"),
            _property(BLOB_DATA, "blob"),
            _property(BLOB_TYPE, "text", tokenization="field"),
            _property(EXTRA, "text", tokenization="field"),
            _property(TERMS, "text", indexSearchable=True, tokenization="whitespace"),
            _property(FACTS, "text[]", indexFilterable=True, tokenization="field"),
            _property(SLOT, "int", indexRangeFilters=True),
        ],
    }


def _property(name: str, data_type: str, **settings: Any) -> dict[str, Any]:
    return {
        "name": name,
        "dataType": [data_type],
        "indexFilterable": False,
        "indexSearchable": False,
        **settings,
    }


def describe(metadata: Mapping[str, str]) -> str:
    """Return the collection's description, which keeps the index's metadata on the server."""
    return json.dumps({"phi-expert": {"layout": _LAYOUT, "metadata": dict(metadata)}})


def described(name: str, description: str | None) -> dict[str, str]:
    """Return the metadata that a collection's description keeps.

    :raises StoreError: When the collection is not this product's, or of a newer version.
    """
    try:
        ours = json.loads(description or "")["phi-expert"]
        layout, metadata = int(ours["layout"]), dict(ours["metadata"])
    except (ValueError, TypeError, KeyError):
        raise StoreError(
            f"the server's collection {name} was not made by Phi Expert; name another one"
        ) from None
    if layout > _LAYOUT:
        raise StoreError(f"collection {name} was made by a newer Phi Expert; upgrade this one")
    return metadata


def flatten(meta: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each meta field's path and value; a nested one's path has dots."""
    for key, value in meta.items():
        path = f"{prefix}{key}"
        if value is None:
            continue
        yield path, value
        if isinstance(value, dict):
            yield from flatten(value, f"{path}.")


def fact_of_presence(path: str) -> str:
    """Return the term of every document that has a field."""
    return _bounded(f"?{_escaped(path)}?")


def fact_of_value(path: str, value: Any) -> str:
    """Return the term of every document whose field equals a value (1, 1.0 and True are one)."""
    return _bounded(f"!{_escaped(path)}={_canonical(value)}")


def fact_of_time(path: str, seconds: float) -> str:
    """Return the term of every document whose field is a date at this moment."""
    return _bounded(f"!{_escaped(path)}=@{seconds!r}")


def range_property(path: str, *, time: bool) -> str:
    """Return the name of the property with a field's numbers, or its dates in Unix seconds.

    Dates are numbers here: Weaviate keeps its own in nanoseconds of 64 bits, in which
    9999-12-31 overflows.
    """
    slug = re.sub(r"[^0-9A-Za-z]+", "_", path)[:60].strip("_")
    return f"{'time' if time else 'number'}_{slug}_{_digest(path)}"


def is_range_property(name: str) -> bool:
    """Say whether a property was named by :func:`range_property`."""
    return name.startswith(("number_", "time_"))


def number_of(value: Any) -> float | None:
    """Return a value as ranges compare it, or None when it is no finite number."""
    if not isinstance(value, bool | int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < float("inf") else None


def seconds_of(value: Any) -> float | None:
    """Return an ISO 8601 date's Unix time in seconds (UTC unless it says otherwise), or None."""
    if not isinstance(value, str) or not _DATE.match(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _canonical(value: Any) -> str:
    if isinstance(value, bool | float) and value == value and abs(value) < float("inf"):
        value = int(value) if value == int(value) else value
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    # Quotes keep a text apart from a number, and keep the server from trimming its blanks.
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _escaped(path: str) -> str:
    return path.replace("=", "==")


def _bounded(term: str) -> str:
    return term if len(term) <= _LONGEST_FACT else "#" + _sha256(term)


def _digest(text: str) -> str:
    return _sha256(text)[:8]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
