"""JSON and JSON Lines: objects as rows or documents, anything else by its names."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.convert import html
from pipelines.convert.data_table import (
    add_preamble,
    add_typed_rows,
    find_layout,
    in_lines,
    names_values,
)
from pipelines.convert.encoding import decode
from pipelines.convert.extracted import Extracted, ExtractedBuilder, row_text
from pipelines.convert.json_records import (
    Json,
    add_records,
    hold_more,
    shown,
    text_fields,
    title_field,
)
from pipelines.convert.markdown import add_markdown
from pipelines.convert.text import add_text
from pipelines.errors import ConversionError

_LINES = frozenset({".jsonl", ".ndjson"})
_MARKDOWN = re.compile(r"^(?:#{1,6} \S|```|\|.+\|\s*$|[*-] \*\*)", re.MULTILINE)
_HTML = re.compile(r"<(?:p|div|h[1-6]|ul|table|body)\b[^>]*>", re.IGNORECASE)
# Names that say only that a list follows.
_CONTAINERS = frozenset({"data", "items", "results", "records", "rows", "values", "value"})
_LINE = re.compile(r"\n+")
_LONG_LINE = 120
_FACTS_IN_A_LINE = 8
_LEVELS = 6

Numbered = tuple[int, Mapping[str, Json]]


def convert(path: Path) -> Extracted:
    """Read JSON, or JSON Lines by the suffix or where the file is that.

    A list of objects is a table, each object a row with typed columns, nested names
    joined by "_". Objects with a field of running text ("text", "body", "answer" …) are
    documents instead: a heading from their title, their other fields in one line, their
    text as paragraphs, read as Markdown or HTML where it is that. Everything else is
    written out by its names.

    :param path: A JSON, JSONL or NDJSON file.
    :raises ConversionError: When it is not JSON, saying where.
    """
    text, guessed = decode(path.read_bytes())
    if not text.strip():
        raise ConversionError("the file is empty")
    builder = ExtractedBuilder()
    if guessed:
        builder.notice(guessed)
    writer = _Writer(builder)
    if path.suffix.lower() in _LINES:
        writer.write_lines(*_lines(text))
        return builder.build()
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        if not _reads_as_lines(text):
            raise ConversionError(f"not valid JSON: {_reason(error)}") from None
        writer.write_lines(*_lines(text))
    else:
        writer.write(value)
    return builder.build()


def _lines(text: str) -> tuple[list[tuple[int, Json]], list[int], str]:
    """Parse each line; returns the values, the lines that are not JSON, and why the first."""
    values: list[tuple[int, Json]] = []
    bad: list[int] = []
    why = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values.append((number, json.loads(line)))
        except ValueError as error:
            bad.append(number)
            why = why or _reason(error)
    return values, bad, why


def _reads_as_lines(text: str) -> bool:
    """Say whether at least the first two lines with anything in them are JSON objects."""
    lines = [line for line in text[: 1 << 20].split("\n") if line.strip()][:2]
    try:
        return len(lines) == 2 and all(isinstance(json.loads(line), dict) for line in lines)
    except ValueError:
        return False


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return str(error)


class _Writer:
    """Writes values to a builder."""

    def __init__(self, builder: ExtractedBuilder) -> None:
        self._builder = builder

    def write_lines(self, values: list[tuple[int, Json]], bad: list[int], why: str) -> None:
        if not values:
            raise ConversionError(f"no line is valid JSON: {why}")
        if bad:
            self._builder.notice(f"not valid JSON, left out: {in_lines(bad)} ({why})")
        objects = [(number, one) for number, one in values if isinstance(one, dict)]
        if len(objects) == len(values):
            self._objects(objects, "", 1)
        else:
            self._list([one for _, one in values], "", 1)

    def write(self, value: Json) -> None:
        if isinstance(value, dict):
            named = title_field(value)
            if named and named.casefold() != "id":
                self._builder.title = shown(value[named])
            self._object(value, "", 1)
        elif isinstance(value, list):
            self._list(value, "", 1)
        else:
            self._builder.add("paragraph", shown(value))

    def _list(self, items: Sequence[Json], name: str, level: int) -> None:
        objects = [(n, one) for n, one in enumerate(items, start=1) if isinstance(one, dict)]
        if len(objects) == len(items):
            self._objects(objects, name, level)
        elif all(isinstance(one, list) and _are_scalars(one) for one in items):
            self._grid([one for one in items if isinstance(one, list)], name)
        else:
            for number, one in enumerate(items, start=1):
                if isinstance(one, dict):
                    self._object(one, f"{name or 'Item'} {number}", level)
                elif isinstance(one, list):
                    self._list(one, name, level)
                elif isinstance(one, str) and "\n" in one:
                    self._text(one)
                else:
                    self._builder.add("list_item", shown(one))

    def _objects(self, objects: Sequence[Numbered], name: str, level: int) -> None:
        """Write a list of objects: as documents if they hold running text or tables, else rows."""
        texts = text_fields([one for _, one in objects])
        if not texts and not hold_more([one for _, one in objects]):
            add_records(self._builder, objects, sheet=name or None)
            return
        for number, one in objects:
            named = title_field({key: v for key, v in one.items() if key not in texts})
            label = "" if named is None else shown(one[named])
            if named and named.casefold() == "id":
                label = f"{named} {label}"
            heading = label or f"{name or 'Item'} {number}"
            rest = {key: value for key, value in one.items() if key != named}
            self._object(rest, heading, level, texts)

    def _object(
        self,
        value: Mapping[str, Json],
        heading: str,
        level: int,
        texts: frozenset[str] | None = None,
    ) -> None:
        """Write an object: its heading, its short values, its texts, what is nested in it."""
        if heading:
            self._builder.add("heading", heading, level=min(level, _LEVELS))
        below = level + bool(heading)
        if _is_map_of_records(value):
            records = {key: one for key, one in value.items() if isinstance(one, dict)}
            name = "key"
            while any(field.casefold() == name for one in records.values() for field in one):
                name = f"record {name}"
            keyed = [{name: key, **one} for key, one in records.items()]
            self._objects(list(enumerate(keyed, start=1)), heading, below)
            return
        texts = text_fields([value]) if texts is None else texts
        facts = {k: v for k, v in value.items() if k not in texts and _is_fact(v)}
        if len(facts) <= _FACTS_IN_A_LINE:
            self._builder.add("paragraph", row_text((k, shown(v)) for k, v in facts.items()))
        else:
            for key, one in facts.items():
                if shown(one):
                    self._builder.add("list_item", f"{key}: {shown(one)}")
        for key, one in value.items():
            if key in texts:
                several = len(texts & value.keys()) > 1
                if several:
                    self._builder.add("heading", key, level=min(below, _LEVELS))
                for text in one if isinstance(one, list) else [one]:
                    self._text(shown(text) if not isinstance(text, str) else text, below)
        for key, one in value.items():
            if key in texts or key in facts or not one:
                continue
            if isinstance(one, dict):
                self._object(one, key, below)
            elif isinstance(one, list):
                plain = key.casefold() in _CONTAINERS
                rows = all(isinstance(row, dict | list) for row in one)
                if not plain and not rows:
                    self._builder.add("heading", key, level=min(below, _LEVELS))
                self._list(one, "" if plain else key, below)

    def _text(self, text: str, level: int = 1) -> None:
        """Append running text as what it is written in."""
        part = ExtractedBuilder()
        if _MARKDOWN.search(text):
            add_markdown(part, text)
        elif _HTML.search(text):
            html.add_body(part, html.parse(text))
        if part.is_empty:
            add_text(part, _LINE.sub("\n\n", text) if _is_unwrapped(text) else text, titles=False)
        self._builder.add_extracted(part.build(), deeper=level - 1)

    def _grid(self, rows: Sequence[Sequence[Json]], name: str) -> None:
        cells = [[shown(cell) for cell in row] for row in rows]
        layout = find_layout(cells[:100])
        first = layout.first
        add_preamble(self._builder, cells[:first], sheet=name or None)
        header = cells[first] if layout.has_header and _are_names(cells, first) else []
        first += bool(header)
        body = list(enumerate(cells[first:], start=first + 1))
        add_typed_rows(self._builder, header, body, sheet=name or None)


def _are_scalars(items: Sequence[Json]) -> bool:
    return not any(isinstance(one, list | dict) for one in items)


def _is_fact(value: Json) -> bool:
    """Say whether a value reads well in a line with others."""
    if isinstance(value, list):
        return _are_scalars(value) and len(shown(value)) <= 500
    return not isinstance(value, dict)


def _is_unwrapped(text: str) -> bool:
    """Say whether each line is a paragraph: most are longer than one would wrap them."""
    lengths = sorted(len(line) for line in text.split("\n") if line.strip())
    return "\n\n" not in text and bool(lengths) and lengths[len(lengths) // 2] >= _LONG_LINE


def _are_names(cells: Sequence[Sequence[str]], first: int) -> bool:
    """Say whether a list of words is sure to name the columns of the lists after it."""
    short = all(len(cell.split()) <= 3 for cell in cells[first])
    return short or names_values(cells[first], cells[first + 1 : first + 100])


def _is_map_of_records(value: Mapping[str, Json]) -> bool:
    """Say whether an object holds objects of one kind by their keys."""
    objects = [one for one in value.values() if isinstance(one, dict)]
    if len(objects) < 3 or len(objects) < len(value):
        return False
    common = set.intersection(*(set(one) for one in objects))
    return len(common) >= 0.5 * max(len(one) for one in objects) > 0
