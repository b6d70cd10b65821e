"""What stands on a PDF page: its visible words with place and style, its rules, its images.

PDFium's text layer is read character by character through its C interface: it is quick
(about 2 µs a character), keeps the order in which the page was written, and knows where
words end. Coordinates are in points, from the bottom left of the page as displayed.
"""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from pipelines.convert.pdf_visible import Box, Ground, colour_of, hidden_texts

_SIGNS = re.compile(r"wingding|webding|dingbat|symbolmt|^(?:\w+\+)?symbol$", re.IGNORECASE)
_BOLD = re.compile(r"bold|black|heavy|semibd|[-,]bd|demi", re.IGNORECASE)
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
# Wider than this many letter heights, a gap sets cells apart rather than words.
_CELL_GAP = 1.5
# Points: what is thinner is a line; what is shorter is a letter's part or an ornament.
_LINE_WIDTH = 3.0
_LEAST_SIDE = 6.0
_MAX_PARTS = 2000
_HYPHENS = (0x02, 0xAD)


@dataclass(slots=True)
class Segment:
    """A run of words on one line with no gap in it as wide as between two columns.

    :param hyphen: Whether its last word goes on in the next segment.
    :param broken: Whether the page's writer broke the line after it.
    :param mark: Marked content that it belongs to; -1 when it is in none.
    """

    text: str
    left: float
    right: float
    base: float
    size: float
    bold: bool
    mark: int = -1
    hyphen: bool = False
    broken: bool = False
    upright: bool = True


@dataclass(frozen=True, slots=True)
class Edge:
    """A straight line, or one side of a filled box.

    :param level: Whether it is horizontal.
    :param at: Its height, or how far right it stands if it is upright.
    :param start: Where along the other direction it begins.
    :param end: Where it ends.
    """

    level: bool
    at: float
    start: float
    end: float


@dataclass(slots=True)
class PageText:
    """One page.

    :param segments: Its visible text in the order written.
    :param edges: Lines and the sides of boxes.
    :param rules: The level ones among them: left, right, height.
    :param fills: Boxes (left, bottom, right, top) filled with a colour other than white.
    :param letters: Visible characters, unreadable ones included.
    :param hidden: Characters that cannot be seen, which are left out.
    :param unreadable: Characters whose font does not say what they are.
    :param has_drawing: Whether it shows an image, or as many lines as drawn letters take.
    """

    number: int
    width: float
    height: float
    segments: list[Segment] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    rules: list[tuple[float, float, float]] = field(default_factory=list)
    fills: list[tuple[float, float, float, float]] = field(default_factory=list)
    letters: int = 0
    unreadable: int = 0
    hidden: int = 0
    has_drawing: bool = False


@dataclass(slots=True)
class _Ink:
    """What one text object of the page looks like."""

    visible: bool
    size: float
    bold: bool
    mark: int
    upright: bool
    signs: bool


class PageReader:
    """Reads the words of one page.

    :param page: The page; the caller closes it.
    :param number: Its number, from 1.
    """

    def __init__(self, page: "pdfium.PdfPage", number: int) -> None:
        self._page = page
        self._rotation = page.get_rotation()
        self._crop = page.get_bbox()
        left, bottom, right, top = self._crop
        width, height = right - left, top - bottom
        if self._rotation in (90, 270):
            width, height = height, width
        self.result = PageText(number, width, height)
        self._inks: dict[int, _Ink] = {}
        self._grounds: list[Ground] = []
        # When each text object is painted, by its address, and those that cannot be seen.
        self._order: dict[int, int] = {}
        self._hidden: set[int] = set()

    def read(self) -> PageText:
        """Return the page's visible text, its rules, and whether it has images."""
        self._read_objects()
        edges = self.result.edges
        upright = [edge for edge in edges if not edge.level][:_MAX_PARTS]
        self.result.rules = [(edge.start, edge.end, edge.at) for edge in edges if edge.level]
        textpage = self._page.get_textpage()
        try:
            self._hidden = hidden_texts(self._page, textpage.raw, self._grounds, self._order)
            self.result.segments = list(_segments(self._words(textpage.raw), upright))
        finally:
            textpage.close()
        return self.result

    def _place(self, x: float, y: float) -> tuple[float, float]:
        """Turn a point of the page's own space into one of the page as displayed."""
        left, bottom, right, top = self._crop
        if self._rotation == 90:
            return y - bottom, right - x
        if self._rotation == 180:
            return right - x, top - y
        if self._rotation == 270:
            return top - y, x - left
        return x - left, y - bottom

    def _read_objects(self) -> None:
        count = raw.FPDFPage_CountObjects(self._page.raw)
        self.result.has_drawing = count > 20
        box = [ctypes.c_float() for _ in range(4)]
        for index in range(count):
            item = raw.FPDFPage_GetObject(self._page.raw, index)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_TEXT:
                self._order[ctypes.addressof(item.contents)] = index
                continue
            if not raw.FPDFPageObj_GetBounds(item, *box):
                continue
            left, bottom, right, top = (value.value for value in box)
            if kind == raw.FPDF_PAGEOBJ_PATH:
                self._add_path(item, index, (left, bottom, right, top))
            else:
                is_image = kind == raw.FPDF_PAGEOBJ_IMAGE
                self._grounds.append(Ground((left, bottom, right, top), None, index, is_image))
                # A picture of at least an icon's size, or a form that may hold one.
                self.result.has_drawing |= min(right - left, top - bottom) > 50

    def _add_path(self, item: Any, order: int, box: Box) -> None:
        left, bottom, right, top = box
        fill = ctypes.c_int()
        stroke = ctypes.c_int()
        raw.FPDFPath_GetDrawMode(item, fill, stroke)
        colour = colour_of(item) if fill.value else None
        if fill.value:
            self._grounds.append(Ground(box, colour, order))
        x0, y0 = self._place(left, bottom)
        x1, y1 = self._place(right, top)
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        width, height = x1 - x0, y1 - y0
        if not stroke.value and colour is not None and min(colour) >= 250:
            # White boxes are grounds, not frames.
            return
        edges = self.result.edges
        if width > _LINE_WIDTH and height > _LINE_WIDTH:
            if fill.value:
                self.result.fills.append((x0, y0, x1, y1))
            if raw.FPDFPath_CountSegments(item) > 6:
                self._add_lines(item)
            elif min(width, height) > _LEAST_SIDE:
                edges += (Edge(True, y0, x0, x1), Edge(True, y1, x0, x1))
                edges += (Edge(False, x0, y0, y1), Edge(False, x1, y0, y1))
        elif width > _LEAST_SIDE:
            edges.append(Edge(True, (y0 + y1) / 2, x0, x1))
        elif height > _LEAST_SIDE:
            edges.append(Edge(False, (x0 + x1) / 2, y0, y1))

    def _add_lines(self, item: Any) -> None:
        """Add the straight lines of a path of many parts, such as a whole grid."""
        matrix = raw.FS_MATRIX()
        raw.FPDFPageObj_GetMatrix(item, matrix)
        x, y = ctypes.c_float(), ctypes.c_float()
        before: tuple[float, float] | None = None
        for index in range(min(raw.FPDFPath_CountSegments(item), _MAX_PARTS)):
            part = raw.FPDFPath_GetPathSegment(item, index)
            raw.FPDFPathSegment_GetPoint(part, x, y)
            point = self._place(
                matrix.a * x.value + matrix.c * y.value + matrix.e,
                matrix.b * x.value + matrix.d * y.value + matrix.f,
            )
            if before is not None and raw.FPDFPathSegment_GetType(part) == raw.FPDF_SEGMENT_LINETO:
                (x0, y0), (x1, y1) = before, point
                if abs(y0 - y1) < 1 and abs(x0 - x1) > _LEAST_SIDE:
                    self.result.edges.append(Edge(True, y0, min(x0, x1), max(x0, x1)))
                elif abs(x0 - x1) < 1 and abs(y0 - y1) > _LEAST_SIDE:
                    self.result.edges.append(Edge(False, x0, min(y0, y1), max(y0, y1)))
            before = point

    def _ink(self, text: Any, item: Any, key: int, index: int) -> _Ink:
        matrix = raw.FS_MATRIX()
        raw.FPDFText_GetMatrix(text, index, matrix)
        scale = (matrix.b**2 + matrix.d**2) ** 0.5 or 1.0
        size = raw.FPDFText_GetFontSize(text, index) * scale
        angle = round(raw.FPDFText_GetCharAngle(text, index) / 1.5708) * 90 % 360
        name = ctypes.create_string_buffer(128)
        flags = ctypes.c_int()
        raw.FPDFText_GetFontInfo(text, index, name, 128, flags)
        # Bit 19 of a font's flags is ForceBold (ISO 32000, table 121).
        font = name.value.decode("utf-8", "replace")
        bold = bool(_BOLD.search(font)) or bool(flags.value & 0x40000)
        return _Ink(
            visible=key not in self._hidden,
            size=size,
            bold=bold,
            mark=raw.FPDFPageObj_GetMarkedContentID(item),
            signs=bool(_SIGNS.search(font)),
            upright=angle in (self._rotation, (360 - self._rotation) % 360),
        )

    def _words(self, text: Any) -> Iterator[Segment]:
        """Yield word after word, with what follows it: a blank, a line's end, a hyphen."""
        edges = [ctypes.c_double() for _ in range(4)]
        origin = [ctypes.c_double() for _ in range(2)]
        left, right, bottom, top = edges
        word: Segment | None = None
        last: int | None = None
        high = 0
        cut = False
        turned = self._rotation != 0
        shift = self._crop[0]
        for index in range(raw.FPDFText_CountChars(text)):
            code = raw.FPDFText_GetUnicode(text, index)
            if code in (0x0A, 0x0D) and raw.FPDFText_IsGenerated(text, index) == 1:
                # PDFium's guess, wrong between the letters of some handwriting fonts.
                cut, last = word is not None, None
                continue
            if code in (0x20, 0x09, 0xA0, 0x0A, 0x0D, 0x3000):
                if word is not None:
                    word.broken |= cut or code in (0x0A, 0x0D)
                    yield word
                    word, last, cut = None, None, False
                continue
            item = raw.FPDFText_GetTextObject(text, index)
            key = ctypes.addressof(item.contents) if item else 0
            ink = self._inks.get(key)
            if ink is None:
                ink = self._inks[key] = self._ink(text, item, key, index)
            if not ink.visible:
                self.result.hidden += 1
                continue
            if code in _HYPHENS or (code == 0xFFFE and raw.FPDFText_IsHyphen(text, index) == 1):
                if word is not None:
                    word.hyphen = True
                    yield word
                    word, last, cut = None, None, False
                continue
            self.result.letters += 1
            if code in (0, 0xFFFD, 0xFFFE, 0xFFFF) or 0xE000 <= code <= 0xF8FF:
                self.result.unreadable += 1
                if not 0xF000 <= code <= 0xF0FF:
                    continue
                # Symbol fonts put their signs there; bullets are what they are used for.
                code = 0x2022
            if 0xD800 <= code < 0xDC00:
                high = code
                continue
            if 0xDC00 <= code < 0xE000:
                code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
            # What such fonts draw for an ASCII letter is a bullet, an arrow or a box.
            letter = "•" if ink.signs and code < 0x80 and chr(code).isalpha() else chr(code)
            raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
            x0, x1 = left.value - shift, right.value - shift
            if turned:
                x0 = self._place(left.value, bottom.value)[0]
                x1 = self._place(right.value, top.value)[0]
                x0, x1 = min(x0, x1), max(x0, x1)
            if last != key or word is None:
                raw.FPDFText_GetCharOrigin(text, index, *origin)
                base = self._place(origin[0].value, origin[1].value)[1]
                if word is not None and cut:
                    near = -0.1 * word.size < x0 - word.right < 0.15 * word.size
                    if not near or abs(base - word.base) > 0.1 * word.size:
                        word.broken = True
                        yield word
                        word = None
                    cut = False
                if word is not None:
                    raised = base - word.base > 0.15 * word.size and ink.size < 0.85 * word.size
                    if raised and letter.isdigit():
                        letter = letter.translate(_SUPERSCRIPT)
                    elif abs(base - word.base) > 0.5 * word.size or (
                        x0 - word.right > 0.4 * word.size
                    ):
                        yield word
                        word = None
                last = key
            elif word.text[-1] in "⁰¹²³⁴⁵⁶⁷⁸⁹" and ink.size < 0.85 * word.size:
                letter = letter.translate(_SUPERSCRIPT)
            if word is None:
                word = Segment(letter, min(x0, x1), max(x0, x1), base, ink.size, ink.bold, ink.mark)
                word.upright = ink.upright
            else:
                word.text += letter
                if x0 < word.left:
                    word.left = x0
                if x1 > word.right:
                    word.right = x1
        if word is not None:
            yield word


def _segments(words: Iterator[Segment], upright: list[Edge]) -> Iterator[Segment]:
    """Join words that follow each other on a line, with no upright edge between them."""

    def parted(before: Segment, after: Segment) -> bool:
        return any(
            before.right - 1 <= edge.at <= after.left + 1
            and edge.start <= after.base + 0.3 * after.size <= edge.end
            for edge in upright
        )

    current: Segment | None = None
    for word in words:
        if current is None:
            current = word
            continue
        size = max(current.size, word.size)
        gap = word.left - current.right
        joined = (
            not current.hyphen
            and current.mark == word.mark
            and abs(word.base - current.base) < 0.4 * size
            and -0.5 * size < gap < _CELL_GAP * size
            and not (upright and gap > 0.3 * size and parted(current, word))
        )
        if not current.upright and not word.upright:
            joined = current.mark == word.mark and not current.broken
        if not joined:
            yield current
            current = word
            continue
        current.text += f" {word.text}"
        current.right = max(current.right, word.right)
        current.left = min(current.left, word.left)
        # A label in bold does not make its value a title.
        current.bold &= word.bold
        if len(word.text) > len(current.text) / 2:
            current.size = word.size
        current.hyphen, current.broken = word.hyphen, word.broken
    if current is not None:
        yield current
