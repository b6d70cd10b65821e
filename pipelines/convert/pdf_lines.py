"""From segments of a PDF page to its pieces: paragraphs, list items, rows of cells.

The order in which the page was written is trusted, since layout programs write column
after column; rows are told from columns by it.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from pipelines.convert.extracted import clean
from pipelines.convert.pdf_grid import Grid, find_grids
from pipelines.convert.pdf_page import PageText, Segment
from pipelines.convert.pdf_pieces import BULLET, LABEL, Line, Piece
from pipelines.convert.pdf_rows import pair_labels, table_piece, table_rows
from pipelines.convert.pdf_words import Words, is_contents_line

BULLET_START = re.compile(r"^[•◦▪▫●○■□‣⁃∙·➢➤✓]\s*|^[–-]\s+(?=\S)")
_NUMBER_START = re.compile(r"^\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)](?:\s|$)")
_MARKER = re.compile(r"^(?:\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|§\s*[\d.]+|\d+(?:\.\d+)+\.?)$")
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]⁰¹²³⁴⁵⁶⁷⁸⁹]*$")


def lay_out(page: PageText, segments: Sequence[Segment], words: Words) -> list[Piece]:
    """Turn segments without tags into pieces.

    :param page: The page that they are from.
    :param segments: In the order written.
    :param words: The document's words.
    """
    pieces: list[Piece] = []
    pending: list[Segment] = []
    owners = {
        member: grid for grid in find_grids(page, segments, words.join) for member in grid.members
    }
    done: set[int] = set()
    for segment in segments:
        grid = owners.get(id(segment))
        if grid is None:
            pending.append(segment)
        elif id(grid) not in done:
            done.add(id(grid))
            pieces += _lay_out_lines(page, pending, words)
            pending = []
            pieces.append(_ruled(grid, page, segment))
    return pieces + _lay_out_lines(page, pending, words)


def _ruled(grid: Grid, page: PageText, first: Segment) -> Piece:
    piece = Piece("table_row", "", page.number, size=first.size, base=first.base)
    texts = [[cell.text for cell in row] for row in grid.cells]
    labels = [bool(LABEL.search(text)) for row in texts for text in row if text]
    if sum(labels) * 3 >= len(labels):
        piece.rows = [pair_labels(row) for row in texts]
    else:
        piece.cells, piece.heads = grid.cells, grid.heads
    return piece


def _lay_out_lines(page: PageText, segments: Sequence[Segment], words: Words) -> list[Piece]:
    lines = _lines(segments)
    pieces: list[Piece] = []
    index = 0
    while index < len(lines):
        rows, used = table_rows(lines, index, page)
        if rows:
            pieces.append(table_piece(rows, page, words))
            index += used
        else:
            last = index + 1
            while last < len(lines) and not table_rows(lines, last, page)[0]:
                last += 1
            pieces += _paragraphs(lines[index:last], page, words)
            index = last
    return pieces


def _lines(segments: Sequence[Segment]) -> list[Line]:
    lines: list[list[Segment]] = []
    for segment in segments:
        previous = lines[-1][-1] if lines else None
        if (
            previous is None
            or previous.hyphen
            or not (previous.upright and segment.upright)
            or abs(previous.base - segment.base) >= 0.3 * max(previous.size, segment.size)
            or segment.left <= previous.right - segment.size
        ):
            lines.append([segment])
            continue
        gap = segment.left - previous.right
        marker = len(lines[-1]) == 1 and (
            BULLET.match(previous.text) or _MARKER.match(previous.text)
        )
        if gap < 1.2 * segment.size or (marker and gap < 4 * segment.size):
            lines[-1][-1] = _merged(previous, segment)
        else:
            lines[-1].append(segment)
    return [Line(line) for line in lines]


def _merged(one: Segment, other: Segment) -> Segment:
    longer = max(one, other, key=lambda segment: len(segment.text))
    return Segment(
        f"{one.text} {other.text}",
        one.left,
        other.right,
        one.base,
        longer.size,
        longer.bold,
        one.mark,
        other.hyphen,
        other.broken,
        longer.upright,
    )


def _paragraphs(lines: Sequence[Line], page: PageText, words: Words) -> list[Piece]:
    pieces: list[Piece] = []
    group: list[Line] = []
    indents: list[float] = []
    gaps: dict[int, list[float]] = defaultdict(list)
    for above, line in pairwise(lines):
        if 0 < above.base - line.base < 2.5 * line.size and abs(above.size - line.size) < 0.6:
            gaps[round(line.size)].append(above.base - line.base)
    for line in lines:
        if len(line.segments) > 1:
            # Cells of no table: a signature's name and date, two addresses.
            if group:
                pieces.append(_piece(group, page, words, indents))
                group = []
            pieces.append(table_piece([[[segment] for segment in line.segments]], page, words))
            continue
        if group and not _same_paragraph(group, line, gaps[round(line.size)], _edge(lines, line)):
            pieces.append(_piece(group, page, words, indents))
            group = []
        group.append(line)
    if group:
        pieces.append(_piece(group, page, words, indents))
    return pieces


def _edge(lines: Sequence[Line], line: Line) -> float:
    """Return how far right the lines of a line's column go."""
    return max(one.right for one in lines if abs(one.left - line.left) < 3 * line.size)


def _same_paragraph(group: list[Line], line: Line, gaps: list[float], edge: float) -> bool:
    last = group[-1]
    text = line.segments[0].text
    ended = bool(_SENTENCE_END.search(last.segments[-1].text))
    if is_contents_line(last.segments[-1].text) or is_contents_line(line.segments[-1].text):
        return False
    if abs(last.size - line.size) > 0.6 or line.segments[0].upright != last.segments[0].upright:
        return False
    if last.bold != line.bold and (len(group) == 1 or line.bold):
        return False
    if BULLET_START.match(text) or BULLET.match(text):
        return False
    first = group[0]
    numbered = bool(_NUMBER_START.match(first.segments[0].text))
    if _NUMBER_START.match(text) and (ended or (numbered and abs(first.left - line.left) < 3)):
        return False
    gap = last.base - line.base
    if gap < -0.3 * line.size:
        # The next column, or a box: the sentence may go on there.
        return not ended and (text[:1].islower() or last.hyphen) and not last.bold
    # The closer third of a letter size's gaps are those inside paragraphs.
    usual = sorted(gaps)[len(gaps) // 3] if len(gaps) > 2 else 0.0
    if gap > max(1.2 * usual if usual > line.size else 0.0, 1.35 * line.size):
        return False
    if gap < 0.3 * line.size and line.left > last.right:
        return not ended
    word = len(text.split(" ", 1)[0]) * 0.5 * line.size
    if last.right + word < edge - line.size and not text[:1].islower() and not last.hyphen:
        # The line was ended on purpose: its next word would have fitted.
        return False
    short = last.right < edge - 4 * line.size
    indent = line.left - (group[1].left if len(group) > 1 else first.left)
    marked = numbered or BULLET_START.match(first.segments[0].text)
    if ended and (short or (indent > 0.8 * line.size and not marked)):
        return False
    return not (len(group) > 1 and line.left < group[-1].left - 1.5 * line.size and ended)


def _piece(group: list[Line], page: PageText, words: Words, indents: list[float]) -> Piece:
    segments = [segment for line in group for segment in line.segments]
    text = clean(words.join(segments))
    size = max(group, key=lambda line: sum(len(s.text) for s in line.segments)).size
    piece = Piece(
        "paragraph",
        text,
        page.number,
        size=size,
        bold=all(line.bold for line in group),
        lines=len(group),
        base=group[0].base,
        hyphen=segments[-1].hyphen,
    )
    bullet = BULLET_START.match(text)
    if bullet or _NUMBER_START.match(text):
        piece.kind = "list_item"
        piece.text = text[bullet.end() :] if bullet else text
        left = group[0].left
        while indents and indents[-1] > left + 4:
            indents.pop()
        if not indents or indents[-1] < left - 4:
            indents.append(left)
        piece.level = len(indents) - 1
    return piece
