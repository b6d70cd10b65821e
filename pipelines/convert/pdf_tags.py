"""Tagged PDF: structure that the file states itself (ISO 32000, 14.8).

Many programs write for each paragraph, heading, list item and table cell which marked
pieces of the page belong to it. Where that covers a page, it is better than any guess
from the layout: merged cells, header cells and alternative texts are in it.
"""

import ctypes
import re
from collections.abc import Callable, Iterator
from typing import Any

import pypdfium2.raw as raw

from pipelines.convert.extracted import clean
from pipelines.convert.pdf_lines import BULLET_START
from pipelines.convert.pdf_page import PageText, Segment
from pipelines.convert.pdf_pieces import Piece
from pipelines.convert.pdf_words import Words, is_contents_line
from pipelines.convert.tables import Cell

_HEADING = re.compile(r"^H([1-6])?$")
_GROUPS = frozenset(
    "Document Part Art Sect Div BlockQuote NonStruct Private Index L Aside DocumentFragment "  # noqa: SIM905
    "TBody THead TFoot".split()
)
_CELLS = frozenset(["TH", "TD"])
_PAGE_NUMBER = re.compile(r"[\s.]*\b(?:\d{1,4}|[ivxlc]{1,7})$")
_MAX_DEPTH = 60


class TaggedPage:
    """The structure of one page.

    :param page: PDFium's page.
    :param text: Its words.
    :param words: The document's words.
    """

    def __init__(self, page: Any, text: PageText, words: Words) -> None:
        self._text = text
        self._words = words
        self._by_mark: dict[int, list[Segment]] = {}
        for segment in text.segments:
            if segment.mark >= 0:
                self._by_mark.setdefault(segment.mark, []).append(segment)
        self._used: set[int] = set()
        self.pieces: list[Piece] = []
        tree = raw.FPDF_StructTree_GetForPage(page.raw) if self._by_mark else None
        if not tree:
            return
        try:
            for index in range(raw.FPDF_StructTree_CountChildren(tree)):
                self._walk(raw.FPDF_StructTree_GetChildAtIndex(tree, index), 0, -1)
        finally:
            raw.FPDF_StructTree_Close(tree)

    @property
    def rest(self) -> list[Segment]:
        """Segments that no element of the structure holds."""
        return [segment for segment in self._text.segments if segment.mark not in self._used]

    def _walk(self, element: Any, depth: int, list_depth: int) -> None:
        if not element or depth > _MAX_DEPTH:
            return
        kind = _string(raw.FPDF_StructElement_GetType, element)
        heading = _HEADING.match(kind)
        if heading:
            self._add("heading", self._segments(element), level=int(heading[1] or 1))
        elif kind == "Table":
            self._table(element, depth)
        elif kind == "LI":
            self._item(element, depth, list_depth)
        elif kind == "TOCI":
            segments = self._segments(element)
            text = self._words.join(segments)
            if not (is_contents_line(text) or _PAGE_NUMBER.search(text)):
                self._add("paragraph", segments)
        elif kind == "Caption":
            self._add("caption", self._segments(element))
        elif kind == "Note":
            self._add("footnote", self._segments(element))
        elif kind == "Figure":
            self._figure(element)
        elif kind in _GROUPS or kind in ("TOC", "TR") or kind in _CELLS:
            for child, mark in _children(element):
                if child:
                    self._walk(child, depth + 1, list_depth + (kind == "L"))
                else:
                    self._add("paragraph", self._take(mark))
        else:
            self._paragraph(element, depth, list_depth)

    def _paragraph(self, element: Any, depth: int, list_depth: int) -> None:
        """Append a paragraph; blocks that stand inside it follow it."""
        own: list[Segment] = []
        blocks: list[Any] = []

        def collect(parent: Any, level: int) -> None:
            for child, mark in _children(parent):
                if not child:
                    own.extend(self._take(mark))
                elif level < _MAX_DEPTH:
                    kind = _string(raw.FPDF_StructElement_GetType, child)
                    if kind in ("L", "Table", "Figure", "P", "Note"):
                        blocks.append(child)
                    else:
                        collect(child, level + 1)

        collect(element, depth)
        self._add("paragraph", own)
        for block in blocks:
            self._walk(block, depth + 1, list_depth)

    def _item(self, element: Any, depth: int, list_depth: int) -> None:
        """Append a list item: its label and text, then the lists inside it."""
        own: list[Segment] = []
        blocks: list[Any] = []

        def collect(parent: Any, level: int) -> None:
            for child, mark in _children(parent):
                if not child:
                    own.extend(self._take(mark))
                elif level < _MAX_DEPTH:
                    kind = _string(raw.FPDF_StructElement_GetType, child)
                    if kind in ("L", "Table", "Figure") or (kind == "P" and own and blocks):
                        blocks.append(child)
                    else:
                        collect(child, level + 1)

        collect(element, depth)
        self._add("list_item", own, level=max(list_depth, 0))
        for block in blocks:
            self._walk(block, depth + 1, list_depth)

    def _figure(self, element: Any) -> None:
        shown = clean(_string(raw.FPDF_StructElement_GetAltText, element))
        if shown:
            self.pieces.append(Piece("caption", shown, self._text.number))
        self._add("paragraph", self._segments(element))

    def _table(self, element: Any, depth: int) -> None:
        rows: list[list[Cell]] = []
        blocks: list[Any] = []

        def collect(parent: Any, level: int) -> None:
            for child, mark in _children(parent):
                kind = _string(raw.FPDF_StructElement_GetType, child) if child else ""
                if not child:
                    self._add("paragraph", self._take(mark))
                elif kind == "TR":
                    cells = [self._cell(cell) for cell, _ in _children(child) if cell]
                    if any(clean(cell.text) for cell in cells):
                        rows.append(cells)
                elif kind == "Caption" or level >= _MAX_DEPTH:
                    blocks.append(child)
                else:
                    collect(child, level + 1)

        collect(element, depth)
        for block in blocks:
            self._walk(block, depth + 1, -1)
        if rows and max(map(len, rows)) < 2:
            for row in rows:
                self.pieces.append(
                    Piece("paragraph", " ".join(cell.text for cell in row), self._text.number)
                )
        elif rows:
            piece = Piece("table_row", "", self._text.number, cells=rows)
            piece.heads = next(
                (n for n, row in enumerate(rows) if not all(c.heading or not c.text for c in row)),
                len(rows),
            )
            self.pieces.append(piece)

    def _cell(self, element: Any) -> Cell:
        kind = _string(raw.FPDF_StructElement_GetType, element)
        text = clean(self._words.join(self._segments(element)))
        return Cell(
            text or clean(_alternatives(element)),
            columns=_span(element, b"ColSpan"),
            rows=_span(element, b"RowSpan"),
            heading=kind == "TH",
        )

    def _take(self, mark: int) -> list[Segment]:
        if mark in self._used:
            return []
        self._used.add(mark)
        return self._by_mark.get(mark, [])

    def _segments(self, element: Any, depth: int = 0) -> list[Segment]:
        """Return all segments of an element and those inside it, in reading order."""
        found: list[Segment] = []
        for child, mark in _children(element):
            if not child:
                found += self._take(mark)
            elif depth < _MAX_DEPTH:
                found += self._segments(child, depth + 1)
        return found

    def _add(self, kind: Any, segments: list[Segment], level: int = 0) -> None:
        if not segments:
            return
        longest = max(segments, key=lambda segment: len(segment.text))
        text = clean(self._words.join(segments))
        self.pieces.append(
            Piece(
                kind,
                BULLET_START.sub("", text) if kind == "list_item" else text,
                self._text.number,
                size=longest.size,
                bold=all(segment.bold for segment in segments),
                lines=len({round(segment.base) for segment in segments}),
                level=level,
                base=segments[0].base,
                hyphen=segments[-1].hyphen,
            )
        )


def _children(element: Any) -> Iterator[tuple[Any, int]]:
    """Yield an element's children in order: (element, -1) or (None, marked content)."""
    count = raw.FPDF_StructElement_CountChildren(element)
    for index in range(max(count, 0)):
        child = raw.FPDF_StructElement_GetChildAtIndex(element, index)
        mark = -1 if child else raw.FPDF_StructElement_GetChildMarkedContentID(element, index)
        if child or mark >= 0:
            yield child, mark


def _string(read: Callable[..., int], element: Any) -> str:
    """Read one of PDFium's UTF-16 strings."""
    length = read(element, None, 0)
    if length <= 2:
        return ""
    buffer = ctypes.create_string_buffer(length)
    read(element, buffer, length)
    return buffer.raw[: length - 2].decode("utf-16-le", "replace")


def _alternatives(element: Any) -> str:
    """Return the alternative texts of the figures in a cell."""
    texts = [_string(raw.FPDF_StructElement_GetAltText, element)]
    texts += [_alternatives(child) for child, _ in _children(element) if child]
    return " ".join(filter(None, texts))


def _span(element: Any, name: bytes) -> int:
    for index in range(max(raw.FPDF_StructElement_GetAttributeCount(element), 0)):
        attributes = raw.FPDF_StructElement_GetAttributeAtIndex(element, index)
        value = raw.FPDF_StructElement_Attr_GetValue(attributes, name) if attributes else None
        number = ctypes.c_float()
        if value and raw.FPDF_StructElement_Attr_GetNumberValue(value, number):
            return min(max(int(number.value), 1), 1000)
    return 1
