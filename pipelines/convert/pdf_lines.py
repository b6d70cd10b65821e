"""From segments of a PDF page to its pieces: paragraphs, list items, rows of cells.

The order in which the page was written is trusted, since layout programs write column
after column; rows are told from columns by it. What a table's ruling lines say is used
only to keep rows apart.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pipelines.convert.extracted import BlockKind, clean
from pipelines.convert.pdf_page import PageText, Segment

BULLET = re.compile(r"^[•◦▪▫●○■□–‣⁃∙·➢➤✓*\uf0b7-]\s*$")
BULLET_START = re.compile(r"^[•◦▪▫●○■□‣⁃∙·➢➤✓]\s*|^[–-]\s+(?=\S)")
_NUMBER_START = re.compile(r"^\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)](?:\s|$)")
_MARKER = re.compile(r"^(?:\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|§\s*[\d.]+|\d+(?:\.\d+)+\.?)$")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*[\divx]*\s*$|_{4,}\s*\d+$")
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]⁰¹²³⁴⁵⁶⁷⁸⁹]*$")
# Words that begin compounds, and endings that show that a word was cut after all.
_FIRST_WORDS = frozenset(
    "all cross day deep end face five four full half hard high in large long low mid multi new "  # noqa: SIM905
    "non off on one open part post real self short single six small so state ten third three "
    "time top two user well whole wide work world year".split()
)
_SUFFIX = re.compile(r"^(?:ness|ment|less|able|ship|ings|ized|ities|ation|tion|sion|ally)")
_LABEL = re.compile(r":$")


@dataclass(slots=True)
class Piece:
    """One block to be, before the whole document's styles are known.

    :param size: Letter height in points; 0 where it does not matter.
    :param level: Heading level given by a tag, or a list item's depth.
    :param rows: A table's cells; the text is empty then.
    :param heads: Rows at its top that name the columns.
    :param hyphen: Whether its last word goes on in the next piece.
    """

    kind: BlockKind
    text: str
    page: int
    size: float = 0.0
    bold: bool = False
    lines: int = 1
    level: int = 0
    base: float = 0.0
    rows: list[list[str]] = field(default_factory=list)
    heads: int = 0
    hyphen: bool = False


@dataclass(slots=True)
class _Line:
    """Segments on one baseline, written one after the other."""

    segments: list[Segment]

    @property
    def left(self) -> float:
        return self.segments[0].left

    @property
    def right(self) -> float:
        return self.segments[-1].right

    @property
    def base(self) -> float:
        return self.segments[0].base

    @property
    def size(self) -> float:
        return max(self.segments, key=lambda one: len(one.text)).size

    @property
    def bold(self) -> bool:
        return all(one.bold for one in self.segments if not BULLET.match(one.text))

    @property
    def hyphen(self) -> bool:
        return self.segments[-1].hyphen


class Words:
    """The words of a whole document, to put together what line ends cut.

    A hyphen at a line's end is the writer's own when the document has the word with it
    elsewhere, or has both halves as words; otherwise the typesetter put it there.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def learn(self, segments: Iterable[Segment]) -> None:
        """Note the words of a page, not the halves at its line ends."""
        halved = False
        for segment in segments:
            words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", segment.text.lower())
            self._seen.update(words[halved : len(words) - segment.hyphen])
            halved = segment.hyphen

    def join(self, segments: Sequence[Segment]) -> str:
        """Return the text of segments that follow each other."""
        text = ""
        halved = False
        for segment in segments:
            text = self.connect(text, segment.text, halved) if text else segment.text
            halved = segment.hyphen
        return text

    def connect(self, before: str, after: str, halved: bool) -> str:
        """Join two stretches of text, the first of which may end in half a word."""
        if not halved:
            explicit = re.search(r"[^\W\d_]-$", before)
            # A hyphen written as such ends a line where "mid-year" was broken.
            return before + after if explicit and after[:1].islower() else f"{before} {after}"
        first = re.search(r"([^\W\d_]+(?:-[^\W\d_]+)*)$", before)
        second = re.match(r"([^\W\d_]+)", after)
        if first is None or second is None or not after[:1].islower():
            return f"{before}-{after}"
        one, two = first[1].lower(), second[1].lower()
        if one + two in self._seen:
            return before + after
        compound = one in _FIRST_WORDS and len(two) > 3 and not _SUFFIX.match(two)
        known = one in self._seen and two in self._seen
        if f"{one}-{two}" in self._seen or known or compound:
            return f"{before}-{after}"
        return before + after


def is_contents_line(text: str) -> bool:
    """Tell a line of a table of contents: dots up to a page number."""
    return bool(_LEADERS.search(text))


def lay_out(page: PageText, segments: Sequence[Segment], words: Words) -> list[Piece]:
    """Turn segments without tags into pieces.

    :param page: The page that they are from.
    :param segments: In the order written.
    :param words: The document's words.
    """
    lines = _lines(segments)
    pieces: list[Piece] = []
    index = 0
    while index < len(lines):
        rows, used = _rows(lines, index, page)
        if rows:
            pieces.append(_table(rows, page, words))
            index += used
        else:
            last = index + 1
            while last < len(lines) and not _rows(lines, last, page)[0]:
                last += 1
            pieces += _paragraphs(lines[index:last], page, words)
            index = last
    return pieces


def _lines(segments: Sequence[Segment]) -> list[_Line]:
    lines: list[_Line] = []
    for segment in segments:
        previous = lines[-1].segments[-1] if lines else None
        if (
            previous is not None
            and previous.upright
            and segment.upright
            and abs(previous.base - segment.base) < 0.3 * max(previous.size, segment.size)
            and segment.left > previous.right - segment.size
            and not previous.hyphen
        ):
            alone = len(lines[-1].segments) == 1
            near = segment.left - previous.right < 4 * segment.size
            gap = segment.left - previous.right < 1.2 * segment.size
            if gap or (
                alone and near and (BULLET.match(previous.text) or _MARKER.match(previous.text))
            ):
                lines[-1].segments[-1] = _merged(previous, segment)
            else:
                lines[-1].segments.append(segment)
        else:
            lines.append(_Line([segment]))
    return lines


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


def _rows(
    lines: Sequence[_Line], start: int, page: PageText
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
    labelled = sum(bool(_LABEL.search(row[0][-1].text)) for row in rows)
    long = sum(len(cell) > 8 for row in rows for cell in row)
    wide = len(rows) == 1 and len(rows[0]) > 2
    is_table = wide or labelled * 2 >= len(rows) or (len(rows) > 1 and aligned * 2 >= len(rows) - 1)
    return (rows, index - start) if is_table and not long else ([], 0)


def _follows(row: list[list[Segment]], line: _Line) -> bool:
    """Whether a line may be the next row: below, and not far."""
    lowest = min(segment.base for cell in row for segment in cell)
    return -0.3 * line.size < lowest - line.base < 6 * line.size


def _beside(row: list[list[Segment]], line: _Line) -> bool:
    """Whether a line stands right of a row's last cell, whose second line came before it."""
    bases = [segment.base for cell in row for segment in cell]
    right = max(segment.right for cell in row for segment in cell)
    return min(bases) - 1 < line.base < max(bases) + 1 and line.left > right


def _continues(row: list[list[Segment]], line: _Line, page: PageText) -> bool:
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


def _table(rows: list[list[list[Segment]]], page: PageText, words: Words) -> Piece:
    texts = [[clean(words.join(cell)) for cell in row] for row in rows]
    first = rows[0][0][0]
    piece = Piece("table_row", "", page.number, size=first.size, base=first.base)
    labels = [_LABEL.search(text) for row in texts for text in row]
    if sum(map(bool, labels)) * 3 >= len(labels):
        piece.rows = [_pair_labels(row) for row in texts]
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


def _pair_labels(row: list[str]) -> list[str]:
    """Write "Label:" and the value beside it as one cell."""
    cells: list[str] = []
    open_label = False
    for text in row:
        if open_label and not _LABEL.search(text):
            cells[-1] += f" {text}"
            open_label = False
        else:
            cells.append(text)
            open_label = bool(_LABEL.search(text))
    return cells


def _paragraphs(lines: Sequence[_Line], page: PageText, words: Words) -> list[Piece]:
    pieces: list[Piece] = []
    group: list[_Line] = []
    indents: list[float] = []
    gaps = sorted(
        above.base - line.base
        for above, line in pairwise(lines)
        if 0 < above.base - line.base < 2 * line.size and abs(above.size - line.size) < 0.6
    )
    # The closer third of gaps are those inside paragraphs.
    usual = gaps[len(gaps) // 3] if gaps else 0.0
    for line in lines:
        if len(line.segments) > 1:
            # Cells of no table: a signature's name and date, two addresses.
            if group:
                pieces.append(_piece(group, page, words, indents))
                group = []
            pieces.append(_table([[[segment] for segment in line.segments]], page, words))
            continue
        if group and not _same_paragraph(group, line, usual, _edge(lines, line)):
            pieces.append(_piece(group, page, words, indents))
            group = []
        group.append(line)
    if group:
        pieces.append(_piece(group, page, words, indents))
    return pieces


def _edge(lines: Sequence[_Line], line: _Line) -> float:
    """Return how far right the lines of a line's column go."""
    return max(one.right for one in lines if abs(one.left - line.left) < 3 * line.size)


def _same_paragraph(group: list[_Line], line: _Line, usual: float, edge: float) -> bool:
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


def _piece(group: list[_Line], page: PageText, words: Words, indents: list[float]) -> Piece:
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
