"""Tables on PDF pages that have no lines around their cells: rows told by what is aligned."""

from collections.abc import Sequence
from itertools import pairwise

from pipelines.convert.extracted import clean
from pipelines.convert.pdf_page import PageText, Segment
from pipelines.convert.pdf_pieces import LABEL, Line, Piece
from pipelines.convert.pdf_words import Words


def table_rows(
    lines: Sequence[Line], start: int, page: PageText
) -> tuple[list[list[list[Segment]]], int]:
    """Read a table's rows from a line on.

    :returns: Rows of cells of segments, and how many lines they took; nothing when
        there is no table.
    """
    if len(lines[start].segments) < 2:
        return [], 0
    rows: list[list[list[Segment]]] = []
    index = start
    while index < len(lines):
        line = lines[index]
        if rows and _continues(rows[-1], line, page):
            for segment in line.segments:
                _cell_of(rows[-1], segment).append(segment)
        elif rows and _beside(rows[-1], line):
            rows[-1] += [[segment] for segment in line.segments]
        elif len(line.segments) > 1 and (not rows or _follows(rows[-1], line)):
            rows.append([[segment] for segment in line.segments])
        else:
            break
        index += 1
    aligned = sum(_aligned(row, other) for row, other in pairwise(rows))
    labelled = sum(bool(LABEL.search(row[0][-1].text)) for row in rows)
    long = sum(len(cell) > 8 for row in rows for cell in row)
    wide = len(rows) == 1 and len(rows[0]) > 2
    is_table = wide or labelled * 2 >= len(rows) or (len(rows) > 1 and aligned * 2 >= len(rows) - 1)
    return (rows, index - start) if is_table and not long else ([], 0)


def _follows(row: list[list[Segment]], line: Line) -> bool:
    """Whether a line may be the next row: below, and not far."""
    lowest = min(segment.base for cell in row for segment in cell)
    return -0.3 * line.size < lowest - line.base < 6 * line.size


def _beside(row: list[list[Segment]], line: Line) -> bool:
    """Whether a line stands right of a row's last cell, whose second line came before it."""
    bases = [segment.base for cell in row for segment in cell]
    right = max(segment.right for cell in row for segment in cell)
    return min(bases) - 1 < line.base < max(bases) + 1 and line.left > right


def _continues(row: list[list[Segment]], line: Line, page: PageText) -> bool:
    """Whether a line holds second lines of a row's cells rather than a new row."""
    for segment in line.segments:
        cell = _cell_of(row, segment)
        last = cell[-1]
        ends = [one for one in cell if abs(one.base - last.base) < 0.3 * last.size]
        left, right = ends[0].left, last.right
        tolerance = 0.35 * segment.size
        centred = abs(left + right - segment.left - segment.right) / 2 < tolerance
        gap = last.base - segment.base
        if not (0.5 * segment.size < gap <= 1.35 * segment.size):
            return False
        if not (abs(left - segment.left) < tolerance or centred) or ends[0].bold != segment.bold:
            return False
        if any(
            segment.base + 0.2 * segment.size < height < last.base - 0.05 * segment.size
            and start < segment.right
            and end > segment.left
            for start, end, height in page.rules
        ):
            return False
    return len(line.segments) < len(row)


def _cell_of(row: list[list[Segment]], segment: Segment) -> list[Segment]:
    """Return the cell of a row that a segment stands under."""
    return min(
        row,
        key=lambda cell: min(
            abs(cell[0].left - segment.left),
            abs((cell[0].left + cell[0].right) - (segment.left + segment.right)) / 2,
        ),
    )


def _aligned(row: list[list[Segment]], other: list[list[Segment]]) -> bool:
    """Whether two rows share the places of at least two cells (all of the shorter's)."""
    shared = 0
    for cell in other:
        one = cell[0]
        for above in row:
            two = above[0]
            if (
                abs(one.left - two.left) < 4
                or abs(one.right - two.right) < 4
                or abs(one.left + one.right - two.left - two.right) < 8
            ):
                shared += 1
                break
    return shared >= min(2, len(row), len(other))


def table_piece(rows: list[list[list[Segment]]], page: PageText, words: Words) -> Piece:
    """Make a piece of a table's rows of cells of segments."""
    texts = [[clean(words.join(cell)) for cell in row] for row in rows]
    first = rows[0][0][0]
    piece = Piece("table_row", "", page.number, size=first.size, base=first.base)
    labels = [LABEL.search(text) for row in texts for text in row]
    if sum(map(bool, labels)) * 3 >= len(labels):
        piece.rows = [pair_labels(row) for row in texts]
        return piece
    head = rows[0]
    bold = all(cell[0].bold for cell in head)
    plain = any(not cell[0].bold for row in rows[1:] for cell in row)
    places = [[_place(head, cell) for cell in row] for row in rows]
    distinct = all(len(set(row)) == len(row) for row in places)
    if bold and plain and len(rows) > 1 and distinct and max(map(len, rows)) <= len(head):
        piece.heads = 1
        piece.rows = [
            [next((t for t, at in zip(row, where, strict=True) if at == column), "")
             for column in range(len(head))]
            for row, where in zip(texts, places, strict=True)
        ]  # fmt: skip
    else:
        piece.rows = texts
    return piece


def _place(head: list[list[Segment]], cell: list[Segment]) -> int:
    """Return the column of a cell: that of the head it overlaps most, or is nearest to."""
    left = min(segment.left for segment in cell)
    right = max(segment.right for segment in cell)

    def nearness(column: int) -> float:
        start = min(segment.left for segment in head[column])
        end = max(segment.right for segment in head[column])
        return min(right, end) - max(left, start)

    return max(range(len(head)), key=nearness)


def pair_labels(row: list[str]) -> list[str]:
    """Write "Label:" and the value beside it as one cell."""
    cells: list[str] = []
    open_label = False
    for text in row:
        if open_label and not LABEL.search(text):
            cells[-1] += f" {text}"
            open_label = False
        else:
            cells.append(text)
            open_label = bool(LABEL.search(text))
    return cells
