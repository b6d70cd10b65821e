"""Tables in running text: cells with their spans become rows that stand on their own."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.convert.extracted import ExtractedBuilder, clean, row_text

# A value that spans rows is repeated in each of them, unless it is whole prose.
_REPEATED_CHARACTERS = 200
# Spans come from outside: a cell across a billion columns is not laid out as such.
_MAX_SPAN = 1000


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    :param text: What it shows.
    :param columns: Columns it spans.
    :param rows: Rows it spans.
    :param heading: Whether it names a row or a column.
    """

    text: str
    columns: int = 1
    rows: int = 1
    heading: bool = False


def add_table(
    builder: ExtractedBuilder,
    rows: Sequence[Sequence[Cell]],
    *,
    headers: int | None = None,
    page: int | None = None,
) -> None:
    """Append a table's rows, each value with the name of its column.

    Several header rows are joined into one name a column. A row with a single cell
    across the whole table is a section's title and stays bare. Names of columns that
    hold no value anywhere are kept in a row of their own.

    :param builder: Receives the rows.
    :param rows: The cells in reading order; a spanned position is left out, as in HTML.
    :param headers: How many rows at the top name the columns; by default those whose
        cells are all headings.
    :param page: Page or slide of the table.
    """
    grid = _grid(rows)
    width = max((max(row, default=-1) + 1 for row in grid), default=0)
    if headers is None:
        headers = 0
        for row in rows:
            if not row or not all(cell.heading or not clean(cell.text) for cell in row):
                break
            headers += 1
    names = [""] * width
    for line in grid[:headers]:
        for column, (cell, _, _) in line.items():
            if len(line) > 1 and cell.columns >= width:
                continue
            shown = clean(cell.text)
            if shown and shown not in names[column].split(" / "):
                names[column] = f"{names[column]} / {shown}" if names[column] else shown
    used: set[int] = set()
    texts = []
    for line in grid[headers:]:
        pairs: list[tuple[str, str]] = []
        cells = [
            (column, cell)
            for column, (cell, first_row, first_column) in sorted(line.items())
            if first_column and (first_row or len(cell.text) <= _REPEATED_CHARACTERS)
        ]
        across = len(cells) == 1 and cells[0][1].columns >= width > 1
        for column, cell in cells:
            if clean(cell.text) and not across:
                used.add(column)
            pairs.append(("" if across else names[column], cell.text))
        if not any(names) and len(cells) == 2 and cells[0][1].heading:
            pairs = [(cells[0][1].text, cells[1][1].text)]
            if not clean(cells[1][1].text):
                pairs = [("", cells[0][1].text)]
        texts.append(row_text(pairs))
    unused = any(
        names[column] and not any(c in used for c in range(column, column + cell.columns))
        for line in grid[:headers]
        for column, (cell, _, first) in line.items()
        if first
    )
    for row in rows[:headers]:
        if unused or (len(row) == 1 and row[0].columns >= width > 1):
            builder.add("table_row", row_text(("", cell.text) for cell in row), page=page)
    for text in texts:
        builder.add("table_row", text, page=page)


def looks_like_header(rows: Sequence[Sequence[Cell]]) -> bool:
    """Guess whether the first row names the columns of a table that does not say so.

    It does when it has short texts without figures, all different, above a column in
    which every row has a figure.
    """
    if len(rows) < 2 or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        return False
    names = [clean(cell.text) for cell in rows[0]]
    if len(set(names)) < len(names) or any(
        not name or len(name) > 60 or any(letter.isdigit() for letter in name) for name in names
    ):
        return False
    return any(
        all(any(letter.isdigit() for letter in row[column].text) for row in rows[1:])
        for column in range(len(names))
    )


def _grid(rows: Sequence[Sequence[Cell]]) -> list[dict[int, tuple[Cell, bool, bool]]]:
    """Lay cells out: column → (cell, whether this is its first row, its first column)."""
    grid: list[dict[int, tuple[Cell, bool, bool]]] = []
    spanning: dict[int, tuple[Cell, int, bool]] = {}
    for cells in rows:
        row: dict[int, tuple[Cell, bool, bool]] = {}
        for column, (cell, left, first) in list(spanning.items()):
            row[column] = (cell, False, first)
            if left == 1:
                del spanning[column]
            else:
                spanning[column] = (cell, left - 1, first)
        column = 0
        for cell in cells:
            while column in row:
                column += 1
            span = min(max(cell.columns, 1), _MAX_SPAN)
            for offset in range(span):
                row.setdefault(column + offset, (cell, True, offset == 0))
                if cell.rows > 1:
                    spanning[column + offset] = (cell, cell.rows - 1, offset == 0)
            column += span
        grid.append(dict(sorted(row.items())))
    return grid
