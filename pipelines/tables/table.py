"""Tables as the index holds them: typed columns, and rows with their place in the document."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, Literal

from haystack import Document

from pipelines.answer import Citation
from pipelines.convert.extracted import Scalar

Kind = Literal["int", "float", "bool", "date", "datetime", "text"]

_INT64 = 2**63
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
# Rows in whose text the way a column writes its numbers is looked up.
_LOOKED_AT = 200
_UNIT = r"[$€£¥₹]|USD|EUR|GBP|CHF|%"
_MOST_DECIMALS = 6
_ONLY_TOTAL = frozenset({"total", "subtotal", "sum", "grand total"})
_TOTAL = re.compile(
    r"^(?:grand[ -]|sub[ -]?)?totals?\b|\b(?:sub[ -]?)?totals?:?$|^(?:all|sum|average):?$",
    re.IGNORECASE,
)
_TRUTHS = {"yes": True, "no": False, "y": True, "n": False}


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    :param name: Its name, unique in its table without regard to case.
    :param kind: What all of its values are.
    :param before: The currency that its cells write before a number.
    :param after: The currency or percent sign that they write after it.
    :param decimals: Digits after the point that they write at most.
    """

    name: str
    kind: Kind
    before: str = ""
    after: str = ""
    decimals: int = 0

    @property
    def is_number(self) -> bool:
        """Whether it can be added up."""
        return self.kind in ("int", "float")

    @property
    def is_moment(self) -> bool:
        """Whether it holds dates, with or without a time."""
        return self.kind in ("date", "datetime")


@dataclass(frozen=True, slots=True)
class Row:
    """A row's place.

    :param start: Offset of its first character in the document's extracted text.
    :param end: Offset after its last character.
    :param text: The row, exactly as it stands there.
    :param page: Page or slide, from 1, or None.
    """

    start: int
    end: int
    text: str
    page: int | None


@dataclass(frozen=True)
class Table:
    """A table.

    :param name: Its name, unique in the index: the document's, and the sheet's if it has more.
    :param root: What was indexed: a folder, or a database's address without password.
    :param document: The document it stands in, relative to the root.
    :param title: The document's title, or None.
    :param sheet: Its sheet, or None.
    :param columns: Its columns, in their order.
    :param rows: Its rows, in their order.
    :param values: The rows' values by column: dates as ISO 8601 text, None where there is none.
    """

    name: str
    root: str
    document: str
    title: str | None
    sheet: str | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    values: tuple[tuple[Scalar | None, ...], ...]

    def column(self, name: str) -> Column | None:
        """Return the column of a name; None when there is no such."""
        return next((column for column in self.columns if column.name == name), None)

    def values_of(self, column: Column) -> list[Scalar | None]:
        """Return a column's values in the order of the rows."""
        place = self.columns.index(column)
        return [row[place] for row in self.values]

    @cached_property
    def totals(self) -> Mapping[int, str]:
        """Rows that sum up others, by their number from 0, with the text that says so.

        It is the first text of the row, such as "Total", "Subtotal", "Grand Total", "North Total",
        or another that is no more than "Total".
        """
        texts = [place for place, column in enumerate(self.columns) if column.kind == "text"]
        found: dict[int, str] = {}
        for number, row in enumerate(self.values):
            said = [str(row[place]).strip() for place in texts if row[place] is not None]
            sums = [text for text in said[:1] if _TOTAL.search(text)]
            sums += [text for text in said[1:] if text.casefold() in _ONLY_TOTAL]
            if sums:
                found[number] = sums[0]
        return found

    def cite(self, row: int) -> Citation:
        """Return the citation of a row, by its number from 0."""
        place = self.rows[row]
        return Citation(
            self.document, self.title, place.page, place.start, place.end, place.text, 1.0
        )


def read_tables(passages: Iterable[Document]) -> list[Table]:
    """Return the tables whose rows are among an index's passages, by name.

    :param passages: Made by :func:`pipelines.split.split`, of the kind "row".
    """
    placed = sorted(
        (one for one in passages if one.meta.get("columns")),
        key=lambda one: (*_table_of(one), one.meta["start"]),
    )
    found = [(key, list(_rows(rows))) for key, rows in groupby(placed, key=_table_of)]
    sheets: dict[tuple[str, str], int] = {}
    for (root, document, _), _ in found:
        sheets[root, document] = sheets.get((root, document), 0) + 1
    names: set[str] = set()
    tables = []
    for (root, document, sheet), rows in found:
        base = PurePosixPath(document).stem or document
        if sheet and sheets[root, document] > 1:
            base = f"{base} {sheet}"
        name, number = base, 1
        while name.casefold() in names:
            number += 1
            name = f"{base} {number}"
        names.add(name.casefold())
        tables.append(_table(name, root, document, sheet, rows))
    return tables


def _table_of(passage: Document) -> tuple[str, str, str]:
    meta = passage.meta
    return meta["root"], meta["document"], meta.get("sheet") or ""


def _rows(passages: Iterable[Document]) -> Iterator[tuple[Row, Document]]:
    """Give each row once: a long one is several passages, which each have all its values."""
    row: Row | None = None
    first: Document | None = None
    for passage in passages:
        meta, text = passage.meta, passage.content or ""
        if (
            row is not None
            and first is not None
            and first.meta.get("row") == meta.get("row")
            and 0 <= meta["start"] - row.end <= 1
            and first.meta["columns"] == meta["columns"]
        ):
            # Within a row white space is a single blank.
            text = row.text + " " * (meta["start"] - row.end) + text
            row = Row(row.start, meta["end"], text, row.page)
            continue
        if row is not None and first is not None:
            yield row, first
        row = Row(meta["start"], meta["end"], text, meta.get("page"))
        first = passage
    if row is not None and first is not None:
        yield row, first


def _table(
    name: str, root: str, document: str, sheet: str, rows: Sequence[tuple[Row, Document]]
) -> Table:
    held: list[Mapping[str, Any]] = [passage.meta["columns"] for _, passage in rows]
    columns: list[Column] = []
    cells: list[list[Scalar | None]] = []
    taken: set[str] = set()
    for given in _in_order(held):
        values = [_scalar(one.get(given)) for one in held]
        kind = _kind([value for value in values if value is not None])
        shown, number = given, 1
        while shown.casefold() in taken:
            number += 1
            shown = f"{given} {number}"
        taken.add(shown.casefold())
        looked_at = (row.text for row, _ in rows[:_LOOKED_AT])
        columns.append(_as_written(shown, given, kind, values, looked_at))
        cells.append([None if value is None else _of_kind(value, kind) for value in values])
    return Table(
        name,
        root,
        document,
        rows[0][1].meta.get("title"),
        sheet or None,
        tuple(columns),
        tuple(row for row, _ in rows),
        tuple(zip(*cells, strict=True)),
    )


def _in_order(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns that rows have values in, each behind the one before it in its row."""
    names: list[str] = []
    known: set[str] = set()
    for row in rows:
        if row.keys() <= known:
            continue
        place = 0
        for name in row:
            if name in known:
                place = names.index(name) + 1
            else:
                names.insert(place, name)
                known.add(name)
                place += 1
    return names


def _scalar(value: Any) -> Scalar | None:
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _kind(values: Sequence[Scalar]) -> Kind:
    types = {type(value) for value in values}
    if types == {bool}:
        return "bool"
    if types == {int} and all(-_INT64 <= value < _INT64 for value in values):  # type: ignore[operator]
        return "int"
    if types and types <= {int, float}:
        return "float"
    if types == {str}:
        said = {str(value).casefold() for value in values}
        # One letter alone may stand for anything.
        if said <= {"yes", "no"} or said == {"y", "n"}:
            return "bool"
        if all(_DAY.fullmatch(str(value)) and _parsed(str(value)) for value in values):
            return "date"
        if all(_MOMENT.match(str(value)) and _parsed(str(value)) for value in values):
            return "datetime"
    return "text"


def _parsed(value: str) -> datetime | date | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _of_kind(value: Scalar, kind: Kind) -> Scalar:
    if kind == "float":
        return float(value)
    if kind == "datetime":
        # The day and the year that the cell shows are those of its own zone.
        moment = datetime.fromisoformat(str(value)).replace(tzinfo=None)
        return moment.isoformat(timespec="seconds")
    if kind == "bool" and isinstance(value, str):
        return _TRUTHS[value.casefold()]
    return str(value) if kind == "text" else value


def _as_written(
    name: str, label: str, kind: Kind, values: Sequence[Scalar | None], rows: Iterable[str]
) -> Column:
    """Return a column with what its cells write beside their numbers, if all write the same."""
    if kind not in ("int", "float"):
        return Column(name, kind)
    cell = re.compile(
        rf"(?:^| \| ){re.escape(label)}: \(?[-+−]?\s?(?P<before>{_UNIT})?"
        rf"[^|A-Z$€£¥₹%]*?(?:[.,](?P<cents>\d\d))?\s?(?P<after>{_UNIT})?\)?(?= \| |$)"
    )
    written = [found for row in rows if (found := cell.search(row))]
    befores = {found["before"] or "" for found in written}
    afters = {found["after"] or "" for found in written}
    decimals = 0
    if kind == "float":
        # What is shown may have a comma there; what is stored has a point.
        fractions = (repr(value).partition(".")[2] for value in values if value is not None)
        decimals = max((len(one) for one in fractions if one.isdigit() and one != "0"), default=0)
        units = befores | afters
        if written and (all(found["cents"] for found in written) or units - {"", "%"}):
            decimals = max(decimals, 2)
    return Column(
        name,
        kind,
        befores.pop() if len(befores) == 1 else "",
        afters.pop() if len(afters) == 1 else "",
        min(decimals, _MOST_DECIMALS),
    )
