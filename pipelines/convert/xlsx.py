"""Excel workbooks: each row of a table a passage with typed columns, forms as paragraphs."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from pipelines.convert.column_types import TypeProbe
from pipelines.convert.data_table import (
    SAMPLE_ROWS,
    add_preamble,
    add_typed_rows,
    find_layout,
    in_lines,
    names_values,
)
from pipelines.convert.extracted import Extracted, ExtractedBuilder, clean
from pipelines.convert.ooxml import OfficePackage, check_archive, core_properties
from pipelines.convert.row_shifts import mend_shifts
from pipelines.convert.titles import meaningful_title
from pipelines.convert.xlsx_cells import Merge, SheetFacts, sheet_facts, sheet_parts, shown
from pipelines.errors import ConversionError

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell, MergedCell
    from openpyxl.workbook import Workbook

# A merged value is repeated in each of its rows, unless it is whole prose.
_REPEATED_CHARACTERS = 200
_FORM_ROWS = 60

Row = tuple[int, list[str]]


def convert(path: Path) -> Extracted:
    """Read a workbook, all of its sheets, hidden ones too.

    A sheet may hold titles, several tables below each other and remarks; a sheet of labels
    and values is kept as paragraphs. Formulas give the values last computed; one never
    computed gives itself, with a notice.

    :param path: An XLSX or XLSM file.
    :raises ConversionError: When it is damaged, encrypted or a zip bomb.
    """
    check_archive(path)
    builder = ExtractedBuilder()
    with OfficePackage(path) as package, ZipFile(path) as archive:
        properties = core_properties(package)
        if properties.get("author") == "openpyxl":
            del properties["author"]
        builder.title = meaningful_title(properties.pop("title", None))
        if builder.title:
            builder.add("property", f"title: {builder.title}")
        for name, value in properties.items():
            builder.add_property(name, value)
        parts = sheet_parts(package)
        values = _open(path, values=True)
        formulas: Workbook | None = None
        for sheet in values.worksheets:
            part = parts.get(sheet.title)
            facts = sheet_facts(package, archive, part) if part else SheetFacts((), False, (), ())
            if facts.has_formulas and formulas is None:
                formulas = _open(path, values=False)
            if sheet.sheet_state != "visible":
                builder.notice(f'sheet "{sheet.title}" is hidden')
            computed = formulas if facts.has_formulas else None
            rows, missing = _read(values, computed, sheet.title)
            if missing:
                builder.notice(
                    f'sheet "{sheet.title}": {missing} formulas have no computed value and are '
                    "kept as formulas; open and save it in a spreadsheet program"
                )
            _Sheet(builder, sheet.title, rows, facts).write()
        if not values.worksheets:
            raise ConversionError("holds no worksheets that can be read: save it as .xlsx again")
        for workbook in filter(None, (values, formulas)):
            workbook.close()
    return builder.build()


def _open(path: Path, *, values: bool) -> "Workbook":
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        # It warns of features that it would not write back.
        warnings.simplefilter("ignore")
        return load_workbook(path, read_only=True, data_only=values)


def _read(values: "Workbook", formulas: "Workbook | None", name: str) -> tuple[list[Row], int]:
    """Read the rows that show anything; also returns how many formulas have no value."""
    found: list[Row] = []
    missing = 0
    sources: Iterable[Sequence[Cell | MergedCell]]
    sources = repeat(()) if formulas is None else _rows_of(formulas, name)
    both = zip(_rows_of(values, name), sources, strict=False)
    for number, (row, source) in enumerate(both, start=1):
        cells = [_shown(cell) for cell in row]
        for index, cell in enumerate(source):
            formula = getattr(cell.value, "text", cell.value)
            if not isinstance(formula, str) or not formula.startswith("="):
                continue
            # A text that was computed and is empty has its type though no value.
            if row[index].value is None and row[index].data_type != "str":
                cells[index] = clean(formula)
                missing += 1
        if any(cells):
            found.append((number, cells))
    return found, missing


def _shown(cell: "Cell | MergedCell") -> str:
    value = cell.value
    # To look a format up takes longer than to read the cell.
    plain = value is None or isinstance(value, str)
    return shown(value, None if plain else cell.number_format)


def _rows_of(workbook: "Workbook", name: str) -> "Iterator[Sequence[Cell | MergedCell]]":
    sheet = workbook[name]
    # Some programs write a wrong size of the sheet, and the reader would stop there.
    sheet.reset_dimensions()
    yield from sheet.iter_rows()


class _Sheet:
    """One sheet on its way to blocks."""

    def __init__(
        self, builder: ExtractedBuilder, name: str, rows: list[Row], facts: SheetFacts
    ) -> None:
        self._builder = builder
        self._name = name
        self._facts = facts
        self._wide: dict[int, list[Merge]] = {}
        self._rows = rows
        self._spread_merges()

    def write(self) -> None:
        if _is_form(self._rows):
            for _, cells in self._rows:
                self._paragraph(cells)
        else:
            tables = list(self._tables())
            for table in tables:
                self._write_table(table, alone=len(tables) == 1)
        for text in self._facts.texts:
            self._builder.add("paragraph", text, sheet=self._name)
        for comment in self._facts.comments:
            self._builder.add("footnote", f"Comment on {comment}", sheet=self._name)

    def _spread_merges(self) -> None:
        """Repeat a merged value in each row it stands beside; note the wide ones of headers."""
        by_number = dict(self._rows)
        last = self._rows[-1][0] if self._rows else 0
        for merge in self._facts.merges:
            cells = by_number.get(merge.top, [])
            value = cells[merge.left] if merge.left < len(cells) else ""
            if not value:
                continue
            if merge.right > merge.left:
                self._wide.setdefault(merge.top, []).append(merge)
            if len(value) > _REPEATED_CHARACTERS:
                continue
            for number in range(merge.top + 1, min(merge.bottom, last) + 1):
                below = by_number.get(number)
                if below is not None:
                    below += [""] * (merge.left + 1 - len(below))
                    below[merge.left] = below[merge.left] or value

    def _tables(self) -> Iterator[list[Row]]:
        """Split the sheet where an empty row is followed by another header or by remarks."""
        table: list[Row] = []
        for segment in _segments(self._rows):
            if table and (_is_remark(segment, table) or _begins_table(segment)):
                yield table
                table = []
            table += segment
        if table:
            yield table

    def _write_table(self, table: list[Row], *, alone: bool) -> None:
        cells = [row for _, row in table[: SAMPLE_ROWS + 1]]
        layout = find_layout(cells)
        first = layout.first
        lines_only = max(_filled(row) for row in cells) < 2
        if lines_only or (first + 1 == len(table) and not alone):
            first = len(table)
        add_preamble(self._builder, cells[:first], sheet=self._name)
        header: list[str] = []
        if layout.has_header and first < len(table):
            header, depth = self._header(table, first)
            first += depth
        body = table[first:]
        mended = mend_shifts(header, lambda: body, width=len(header))
        if mended:
            self._builder.notice(
                f'sheet "{self._name}": values that a comma had pushed into the next column '
                f"were put back: {in_lines(sorted(mended), 'row')}"
            )
        body = [(number, mended.get(number, cells)) for number, cells in body]
        if body or header:
            add_typed_rows(self._builder, header, body, sheet=self._name)

    def _header(self, table: list[Row], first: int) -> tuple[list[str], int]:
        """Return the columns' names and how many rows they take: two below merged cells."""
        number, top = table[first]
        spread = list(top)
        for merge in self._wide.get(number, []):
            spread += [""] * (merge.right + 1 - len(spread))
            spread[merge.left : merge.right + 1] = [top[merge.left]] * (
                merge.right - merge.left + 1
            )
        if spread == top or first + 1 >= len(table):
            return top, 1
        below = table[first + 1][1]
        if not all(_is_text(cell) for cell in below if cell):
            return spread, 1
        width = max(len(spread), len(below))
        joined = []
        for upper, lower in zip(_padded(spread, width), _padded(below, width), strict=True):
            names = [name for name in dict.fromkeys((clean(upper), clean(lower))) if name]
            joined.append(" / ".join(names))
        return joined, 2

    def _paragraph(self, cells: Sequence[str]) -> None:
        """Append a form's row: labels with what stands beside them."""
        parts: list[str] = []
        label = ""
        for cell in filter(None, map(clean, cells)):
            if label:
                parts.append(f"{label} {cell}")
                label = ""
            elif cell.endswith(":"):
                label = cell
            else:
                parts.append(cell)
        parts += [label] if label else []
        if len(parts) == 2 and not any(":" in part for part in parts):
            parts = [f"{parts[0]}: {parts[1]}"]
        self._builder.add("paragraph", " | ".join(parts), sheet=self._name)


def _padded(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))]


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell) for cell in cells)


def _is_text(cell: str) -> bool:
    return _kinds([cell]) == {"text"}


def _kinds(cells: Sequence[str]) -> set[str]:
    kinds: set[str] = set()
    for cell in cells:
        probe = TypeProbe()
        probe.see(cell)
        kinds.add(probe.column_type().kind)
    return kinds - {"empty"}


def _segments(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the stretches of rows between empty ones."""
    segment: list[Row] = []
    for row in rows:
        if segment and row[0] > segment[-1][0] + 1:
            yield segment
            segment = []
        segment.append(row)
    if segment:
        yield segment


def _is_remark(segment: Sequence[Row], table: Sequence[Row]) -> bool:
    """Say whether lines of text stand below a table that has several columns."""
    wide = max(_filled(cells) for _, cells in table) > 2
    return wide and all(_filled(cells) < 2 for _, cells in segment)


def _begins_table(segment: Sequence[Row]) -> bool:
    cells = [row for _, row in segment[: SAMPLE_ROWS + 1]]
    layout = find_layout(cells)
    body = cells[layout.first + 1 :]
    return layout.has_header and bool(body) and names_values(cells[layout.first], body)


def _is_form(rows: Sequence[Row]) -> bool:
    """Say whether a sheet holds labels and values rather than a table.

    One used column; labels that end with a colon in two of five rows; or two columns, the
    first of distinct words and the second of values of different kinds.
    """
    used = {index for _, cells in rows for index, cell in enumerate(cells) if cell}
    if len(used) < 2:
        return True
    labelled = sum(any(cell.endswith(":") for cell in cells) for _, cells in rows)
    if labelled >= 0.4 * len(rows):
        return True
    if len(used) > 2 or len(rows) > _FORM_ROWS:
        return False
    left, right = sorted(used)
    labels = [cells[left] for _, cells in rows if left < len(cells) and cells[left]]
    values = [cells[right] for _, cells in rows if right < len(cells) and cells[right]]
    kinds = _kinds(values)
    return (
        len(set(labels)) == len(labels)
        and _kinds(labels) == {"text"}
        and len(kinds) > 1
        and (kinds - {"int", "float"} != {"text"} or not _is_text(values[0]))
    )
