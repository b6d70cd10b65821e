"""Ruled tables on PDF pages: cells found from the lines drawn around them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.convert.extracted import clean
from pipelines.convert.pdf_page import Edge, PageText, Segment
from pipelines.convert.tables import Cell, looks_like_header

# Lines this close meet; positions this close are one.
_NEAR = 2.5
_MAX_LINES = 4000
_MAX_CELLS = 5000
_CELL_CHARACTERS = 1500

Join = Callable[[Sequence[Segment]], str]


@dataclass(slots=True)
class Grid:
    """A ruled table.

    :param cells: Cells with their text, row by row, as HTML has them.
    :param heads: Rows at its top that name the columns.
    :param members: Ids of the segments in it.
    """

    cells: list[list[Cell]]
    heads: int
    members: set[int]


def find_grids(page: PageText, segments: Sequence[Segment], join: Join) -> list[Grid]:
    """Find tables whose cells have lines around them.

    :param page: The page with its lines.
    :param segments: The text to look at.
    :param join: Turns the segments of a cell into its text.
    """
    if len(page.edges) > _MAX_LINES:
        return []
    grids = []
    for edges in _groups(page.edges):
        xs = _positions([edge.at for edge in edges if not edge.level])
        ys = _positions([edge.at for edge in edges if edge.level])[::-1]
        if len(xs) < 3 or len(ys) < 2 or len(xs) * len(ys) > _MAX_CELLS:
            continue
        inside = [
            segment
            for segment in segments
            if xs[0] < (segment.left + segment.right) / 2 < xs[-1]
            and ys[-1] < segment.base + 0.3 * segment.size < ys[0]
        ]
        if inside and (grid := _grid(page, edges, xs, ys, inside, join)):
            grids.append(grid)
    return grids


def _groups(edges: Sequence[Edge]) -> list[list[Edge]]:
    """Put edges that touch each other together."""
    parents = list(range(len(edges)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    upright = [i for i, edge in enumerate(edges) if not edge.level]
    for index, edge in enumerate(edges):
        if not edge.level:
            continue
        for other in upright:
            line = edges[other]
            if (
                edge.start - _NEAR <= line.at <= edge.end + _NEAR
                and line.start - _NEAR <= edge.at <= line.end + _NEAR
            ):
                parents[root(other)] = root(index)
    groups: dict[int, list[Edge]] = {}
    for index, edge in enumerate(edges):
        groups.setdefault(root(index), []).append(edge)
    return [group for group in groups.values() if len(group) >= 5]


def _positions(values: list[float]) -> list[float]:
    """Return distinct positions in rising order."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > _NEAR:
            found.append(value)
    return found


def _grid(
    page: PageText,
    edges: list[Edge],
    xs: list[float],
    ys: list[float],
    inside: list[Segment],
    join: Join,
) -> Grid | None:
    """Lay one table out; None when it is a frame or a chart rather than a table."""
    columns, rows = len(xs) - 1, len(ys) - 1

    def wall(level: bool, at: float, middle: float) -> bool:
        return any(
            edge.level == level
            and abs(edge.at - at) <= _NEAR
            and edge.start - _NEAR <= middle <= edge.end + _NEAR
            for edge in edges
        )

    right = [
        [wall(False, xs[c + 1], (ys[r] + ys[r + 1]) / 2) for c in range(columns)]
        for r in range(rows)
    ]
    below = [
        [wall(True, ys[r + 1], (xs[c] + xs[c + 1]) / 2) for c in range(columns)]
        for r in range(rows)
    ]
    taken = [[False] * columns for _ in range(rows)]
    contents: dict[tuple[int, int], list[Segment]] = {}
    for segment in inside:
        x, y = (segment.left + segment.right) / 2, segment.base + 0.3 * segment.size
        column = next(c for c in range(columns) if x <= xs[c + 1])
        row = next(r for r in range(rows) if y >= ys[r + 1])
        contents.setdefault((row, column), []).append(segment)
    cells: list[list[Cell]] = []
    firsts: list[list[Segment]] = []
    filled = 0
    for row in range(rows):
        cells.append([])
        firsts.append([])
        for column in range(columns):
            if taken[row][column]:
                continue
            width = 1
            while column + width < columns and not right[row][column + width - 1]:
                width += 1
            height = 1
            while row + height < rows and not any(
                below[row + height - 1][c] or taken[row + height][c]
                for c in range(column, column + width)
            ):
                height += 1
            own: list[Segment] = []
            for r in range(row, row + height):
                for c in range(column, column + width):
                    taken[r][c] = True
                    own += contents.get((r, c), [])
            order = {id(segment): place for place, segment in enumerate(inside)}
            own.sort(key=lambda segment: order[id(segment)])
            text = clean(join(own))
            if len(text) > _CELL_CHARACTERS:
                return None
            filled += bool(text)
            cells[-1].append(Cell(text, columns=width, rows=height))
            firsts[-1] += own[:1]
    kept = [number for number, row in enumerate(cells) if row]
    most = max(sum(bool(cell.text) for cell in row) for row in cells)
    if filled < 2 or most < 2 or filled < 0.2 * sum(map(len, cells)):
        return None
    return Grid(
        [cells[number] for number in kept],
        _heads(page, cells, firsts, xs, ys),
        set(map(id, inside)),
    )


def _heads(
    page: PageText,
    cells: list[list[Cell]],
    firsts: list[list[Segment]],
    xs: list[float],
    ys: list[float],
) -> int:
    """Count the rows at the top that name columns: by their ground, their weight, their words."""
    if len(cells) < 2:
        return 0

    def ground(row: int) -> bool:
        x, y = xs[0] + 3, ys[row] - 3
        return any(f[0] <= x <= f[2] and f[1] <= y <= f[3] for f in page.fills)

    if len(cells[0]) > 1 and firsts[0]:
        bold = all(segment.bold for segment in firsts[0])
        plain = any(not segment.bold for row in firsts[1:] for segment in row)
        shaded = ground(0) and not ground(1)
        if (bold and plain) or shaded or looks_like_header(cells):
            return 1
    return 0
