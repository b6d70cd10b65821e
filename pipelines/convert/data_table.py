"""Tables of data: find their header, name their columns, write their rows with types."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.convert.column_types import Kind, TypeProbe
from pipelines.convert.extracted import ExtractedBuilder, Scalar, clean, row_text
from pipelines.convert.row_shifts import is_nameless

# Rows at the top that are looked at to find the header.
SAMPLE_ROWS = 100
_YEARS = range(1800, 2101)
_SHOWN_LINES = 10


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    :param name: Its name among the typed values: unique and without full stops.
    :param label: Its name in the text of a row; empty where it has none.
    """

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a table begins.

    :param first: Index of its first row, the header if there is one.
    :param has_header: Whether that row names the columns.
    """

    first: int
    has_header: bool


def find_layout(rows: Sequence[Sequence[str]], *, decimal_comma: bool = False) -> Layout:
    """Find the header below titles and remarks.

    Rows at the top that fill no more than half of the columns are no part of the table. The
    first row of the table is its header unless it holds a value where a name should be: a
    number or date on top of a column of such, or a word that stands below it again.

    :param rows: The first rows; see :data:`SAMPLE_ROWS`.
    :param decimal_comma: See :class:`~pipelines.convert.column_types.TypeProbe`.
    """
    filled = [sum(not _blank(cell) for cell in row) for row in rows]
    usual = sorted(filled)[len(filled) // 2] if filled else 0
    least = max(2, usual // 2 + 1) if usual > 1 else 1
    if usual == 2:
        # Beside a column of numbered rows, which needs no name, stands the only name.
        filled = [
            n + (bool(n) and len(r) > 1 and _blank(r[0])) for n, r in zip(filled, rows, strict=True)
        ]
    first = next((i for i, n in enumerate(filled) if n >= least), 0)
    body = rows[first + 1 : first + 1 + SAMPLE_ROWS]
    return Layout(first, _is_header(rows[first], body, decimal_comma) if rows else False)


def _blank(cell: str) -> bool:
    return not cell or not clean(cell)


def _same(one: str, other: str) -> bool:
    return one.strip() == other.strip()


def _is_header(
    candidate: Sequence[str], body: Sequence[Sequence[str]], decimal_comma: bool
) -> bool:
    names = [clean(cell) for cell in candidate]
    if not any(names):
        return False
    # A header may stand again further down.
    body = [row for row in body if sum(map(_same, row, candidate)) <= len(candidate) / 2]
    again = values = 0
    for index, name in enumerate(names):
        if not name:
            continue
        below = [row[index] for row in body if index < len(row) and not _blank(row[index])]
        kind = _kind_of(below, decimal_comma)
        own = _kind_of([name], decimal_comma)
        if own in ("text", "empty"):
            again += kind == "text" and name.casefold() in {clean(b).casefold() for b in below}
            continue
        # "2019" over a column of figures is a name.
        is_year = own == "int" and name.isdigit() and int(name) in _YEARS
        years_below = is_year and all(b.strip().isdigit() and int(b) in _YEARS for b in below)
        if (not is_year or years_below) and kind in (own, "int", "float"):
            values += 1
    return values == 0 and again <= len([name for name in names if name]) / 2


def _kind_of(values: Iterable[str], decimal_comma: bool) -> Kind:
    probe = TypeProbe(decimal_comma=decimal_comma)
    for value in values:
        probe.see(value)
    return probe.column_type().kind


def names_values(candidate: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Say whether a row of words stands over at least one column of numbers or dates."""
    for index, name in enumerate(candidate):
        below = [row[index] for row in body if index < len(row)]
        if _kind_of([name], False) == "text" and _kind_of(below, False) not in ("text", "empty"):
            return True
    return False


def columns_of(header: Sequence[str], width: int) -> list[Column]:
    """Name the columns: "column 3" where there is no name, "Name 2" where one stands again.

    :param header: The names as written; empty for a table without header.
    :param width: How many columns there are; at least the header's.
    """
    columns: list[Column] = []
    taken: set[str] = set()
    # How often a name stood so far: a hostile header repeats one a million times.
    times: dict[str, int] = {}
    for index in range(max(width, len(header))):
        label = clean(header[index]) if index < len(header) else ""
        base = label.replace(".", "_").strip() or f"column {index + 1}"
        name, number = base, times.get(base.casefold(), 1)
        while name.casefold() in taken:
            number += 1
            name = f"{base} {number}"
        taken.add(name.casefold())
        times[base.casefold()] = number
        columns.append(Column(name, f"{label} {number}" if label and number > 1 else label))
    return columns


def add_row(
    builder: ExtractedBuilder,
    columns: Sequence[Column],
    shown: Sequence[str],
    values: Sequence[Scalar | None],
    *,
    sheet: str | None = None,
    row: int | None = None,
) -> bool:
    """Append one row of data: what it shows as text, its values by column.

    :param shown: What each cell shows.
    :param values: What each cell means; None for nothing.
    :returns: Whether there was anything in it.
    """
    text = row_text((c.label, cell) for c, cell in zip(columns, shown, strict=False) if cell)
    if not text:
        return False
    typed = {c.name: v for c, v in zip(columns, values, strict=False) if v is not None}
    builder.add("table_row", text, sheet=sheet, row=row, columns=typed)
    return True


def add_preamble(
    builder: ExtractedBuilder, rows: Iterable[Sequence[str]], *, sheet: str | None = None
) -> None:
    """Append the rows above a table as paragraphs: a title, a remark, a name and its value."""
    for row in rows:
        cells = [cell for cell in map(clean, row) if cell]
        if len(cells) == 2:
            cells = [f"{cells[0].rstrip(':')}: {cells[1]}"]
        builder.add("paragraph", " | ".join(cells), sheet=sheet)


def add_typed_rows(
    builder: ExtractedBuilder,
    header: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str]]],
    *,
    sheet: str | None = None,
) -> None:
    """Append a table whose rows are at hand, the types of its columns inferred.

    :param header: The columns' names; empty for a table without header.
    :param rows: Numbers of the rows and what their cells show.
    :param sheet: The sheet they are on.
    """
    width = max((len(cells) for _, cells in rows), default=0)
    probes = [TypeProbe() for _ in range(max(width, len(header)))]
    for _, cells in rows:
        for probe, cell in zip(probes, cells, strict=False):
            probe.see(cell)
    types = [probe.column_type() for probe in probes]
    columns = columns_of(header, width)
    unused = [c.label for c, kind in zip(columns, types, strict=True) if kind.kind == "empty"]
    add_unused(builder, unused, sheet=sheet)
    for number, cells in rows:
        values = [kind.parse(cell) for kind, cell in zip(types, cells, strict=False)]
        add_row(builder, columns, cells, values, sheet=sheet, row=number)


def add_unused(
    builder: ExtractedBuilder, labels: Sequence[str], *, sheet: str | None = None
) -> None:
    """Append the names of columns without any value, which no row shows."""
    labels = [label for label in labels if not is_nameless(label)]
    if labels:
        builder.add("paragraph", f"Columns without values: {', '.join(labels)}", sheet=sheet)


def in_lines(lines: Sequence[int], word: str = "line") -> str:
    """Write line numbers for a notice: "line 5", "lines 5, 9 and 12 more"."""
    shown = ", ".join(map(str, lines[:_SHOWN_LINES]))
    more = len(lines) - _SHOWN_LINES
    return f"{word if len(lines) == 1 else word + 's'} {shown}" + (
        f" and {more} more" if more > 0 else ""
    )
