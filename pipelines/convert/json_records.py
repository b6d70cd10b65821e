"""Lists of JSON objects: as rows of a table, or as documents where they hold running text."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from pipelines.convert.data_table import add_row, columns_of
from pipelines.convert.extracted import ExtractedBuilder, Scalar, clean

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_TEXT_NAMES = frozenset(
    [
        *("text", "content", "contents", "body", "answer", "answers", "article", "passage"),
        *("context", "contexts", "document", "markdown", "html", "response", "output"),
        *("completion", "transcript", "paragraphs", "sections"),
    ]
)
TITLE_NAMES = (
    *("title", "headline", "heading", "name", "question", "instruction", "prompt", "query"),
    *("subject", "topic", "label", "doc", "document", "path", "file", "filename", "url", "id"),
)
_TITLE_CHARACTERS = 200
_SAMPLE = 500
# A field of such a name holds running text from this mean length on; one of any name later.
_NAMED_TEXT_CHARACTERS = 100
_TEXT_CHARACTERS = 400
_EXACT_INTEGERS = 1 << 53


def text_fields(records: Sequence[Mapping[str, Json]]) -> frozenset[str]:
    """Return the fields of some objects that hold running text rather than values."""
    lengths: dict[str, list[int]] = {}
    for record in records[:_SAMPLE]:
        for name, value in record.items():
            texts = value if isinstance(value, list) else [value]
            if texts and all(isinstance(text, str) for text in texts):
                lengths.setdefault(name, []).append(sum(len(str(text)) for text in texts))
    found = set()
    for name, sizes in lengths.items():
        named = _words(name).casefold() in _TEXT_NAMES
        mean = sum(sizes) / len(sizes)
        if mean >= (_NAMED_TEXT_CHARACTERS if named else _TEXT_CHARACTERS):
            found.add(name)
    return frozenset(found)


def hold_more(records: Sequence[Mapping[str, Json]]) -> bool:
    """Say whether some objects hold lists of objects, or tables, too long for a cell."""
    sample = records[:_SAMPLE]
    nested = (one for record in sample for one in _nested(record))
    size = sum(len(shown(one)) for one in nested)
    return size >= _TEXT_CHARACTERS * len(sample)


def _nested(value: Json | Mapping[str, Json]) -> Iterable[Json]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _nested(one)
    elif isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        yield value


def title_field(record: Mapping[str, Json]) -> str | None:
    """Return the name of the field that names an object, if it has one."""
    names = {name.casefold(): name for name in record}
    for known in TITLE_NAMES:
        value = record.get(names.get(known, ""))
        if not isinstance(value, str | int) or isinstance(value, bool):
            continue
        if 0 < len(clean(str(value))) <= _TITLE_CHARACTERS:
            return names[known]
    return None


def shown(value: Json) -> str:
    """Write a value in one line: ``a: 1; b: x, y``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = ((key, shown(one)) for key, one in value.items())
        return "; ".join(f"{key}: {text}" for key, text in pairs if text)
    if isinstance(value, list):
        joint = "; " if any(isinstance(one, Mapping | list) for one in value) else ", "
        return joint.join(
            f"({text})" if isinstance(one, Mapping | list) and len(value) > 1 else text
            for one, text in ((one, shown(one)) for one in value)
            if text
        )
    return clean(str(value))


def flat(record: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Lay nested objects out: ``{"a": {"b": 1}}`` becomes ``{"a_b": 1}``."""
    found: dict[str, Json] = {}
    for name, value in record.items():
        name = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}_")
        else:
            found[name] = value
    return found


def add_records(
    builder: ExtractedBuilder,
    records: Sequence[tuple[int, Mapping[str, Json]]],
    *,
    sheet: str | None = None,
) -> None:
    """Append objects as rows of a table.

    A column has the type that all of its values have in the file: text stays text.

    :param records: The objects with their numbers.
    :param sheet: What the list is called, if anything.
    """
    rows = [(number, flat(record)) for number, record in records]
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    columns = columns_of(names, len(names))
    kinds = {name: _kind(row.get(name) for _, row in rows) for name in names}
    for number, row in rows:
        cells = [row.get(name) for name in names]
        values = [_typed(cell, kinds[name]) for name, cell in zip(names, cells, strict=True)]
        add_row(builder, columns, list(map(shown, cells)), values, sheet=sheet, row=number)


def _kind(values: Iterable[Json]) -> type:
    kinds: set[type] = set()
    for value in values:
        if value is not None:
            inexact = type(value) is int and abs(value) > _EXACT_INTEGERS
            kinds.add(str if inexact else type(value))
    if kinds == {bool}:
        return bool
    if kinds and kinds <= {int, float}:
        return float if float in kinds else int
    return str


def _typed(value: Json, kind: type) -> Scalar | None:
    if value is None:
        return None
    if kind is bool:
        return bool(value)
    if kind is str or not isinstance(value, int | float):
        return shown(value) or None
    if kind is float:
        return float(value) if math.isfinite(value) else None
    return value


def _words(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip()
