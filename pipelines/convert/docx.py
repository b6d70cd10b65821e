"""Word documents, read from their XML so that nothing a reader sees is lost.

Parts and elements are those of ECMA-376 (WordprocessingML). Names are compared without
namespace, since strict and transitional documents differ in nothing else here.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from pipelines.convert.docx_styles import Numbering, Style, Styles
from pipelines.convert.docx_text import Paragraph, read_paragraph
from pipelines.convert.extracted import BlockKind, Extracted, ExtractedBuilder, clean
from pipelines.convert.ooxml import (
    OfficePackage,
    attribute,
    child,
    children,
    core_properties,
    local,
)
from pipelines.convert.symbol_font import UNKNOWN
from pipelines.convert.tables import Cell, add_table, looks_like_header
from pipelines.convert.titles import meaningful_title
from pipelines.errors import ConversionError

_WRAPPERS = frozenset(
    ["sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "AlternateContent"]
)
_CODE_STYLES = re.compile(r"^(?:html preformatted|source ?code|code|plain text|macro text)\b")
_TOC_STYLES = re.compile(r"^toc \d")
_PAGE_NUMBER = re.compile(r"^(?:page\s*)?\d*(?:\s*(?:of|/)\s*\d*)?$", re.IGNORECASE)
_PSEUDO_HEADING_CHARACTERS = 90


def convert(path: Path) -> Extracted:
    """Turn a Word document into text with its structure.

    Headings come from styles and outline levels; headers and footers appear once, foot-
    and endnotes and comments after the paragraph that refers to them; inserted text is
    kept, deleted and hidden text is not.

    :raises ConversionError: When it is damaged, encrypted, a zip bomb or no document.
    """
    with OfficePackage(path) as package:
        main = next(iter(package.targets("officeDocument")), "word/document.xml")
        root = package.part(main)
        body = child(root, "body")
        if body is None:
            raise ConversionError("damaged: it has no document part")
        document = _Document(package, main, shaded=child(root, "background") is not None)
        document.run(body, core_properties(package))
        return document.builder.build()


class _Document:
    """One document on its way to blocks."""

    def __init__(self, package: OfficePackage, main: str, *, shaded: bool) -> None:
        self.builder = ExtractedBuilder()
        self._package = package
        self._relations = package.related(main)
        self._styles = Styles(self._related_part("styles"))
        self._numbering = Numbering(self._related_part("numbering"))
        self._marks = _note_marks(package.part(main))
        self._notes: dict[tuple[str, str], etree._Element] = {}
        for kind in ("footnote", "endnote", "comment"):
            for note in children(self._related_part(f"{kind}s"), kind):
                self._notes[kind, attribute(note, "id") or ""] = note
        # White text is seen where the page has a colour.
        self._shaded = shaded
        self._styled = 0
        self._unknown = 0
        self._line = ""

    def _related_part(self, kind: str) -> etree._Element | None:
        target = next((to for known, to in self._relations.values() if known == kind), None)
        return None if target is None else self._package.part(target)

    def run(self, body: etree._Element, properties: dict[str, str]) -> None:
        title = meaningful_title(properties.pop("title", None))
        first = [self._read(p).text for p in list(_paragraphs(body))[:30]]
        self.builder.title = title
        if title and title not in map(clean, first):
            self.builder.add("property", f"title: {title}")
        for name, value in properties.items():
            self.builder.add_property(name, value)
        shown: set[str] = set()
        self._marginals("header", shown)
        self._blocks(body)
        self._marginals("footer", shown)
        if self._unknown:
            self.builder.notice(
                f"{self._unknown} characters have no known letter and are shown as {UNKNOWN}"
            )

    def _marginals(self, kind: str, shown: set[str]) -> None:
        """Append each distinct text of the headers, or of the footers, once."""
        for known, target in self._relations.values():
            root = self._package.part(target) if known == kind else None
            if root is None:
                continue
            for element in _paragraphs(root):
                text = clean(self._read(element).text)
                if text and text not in shown and not _PAGE_NUMBER.match(text):
                    shown.add(text)
                    self.builder.add("paragraph", text)

    def _read(self, element: etree._Element) -> Paragraph:
        shaded = self._shaded or any(map(self._is_ground, element.iterancestors()))
        return read_paragraph(element, shaded=shaded, marks=self._marks, styles=self._styles)

    def _is_ground(self, element: etree._Element) -> bool:
        """Tell what may have a colour behind the text in it."""
        name = local(element)
        if name == "tbl":
            properties = child(element, "tblPr")
            style = self._styles.get(attribute(child(properties, "tblStyle"), "val"))
            shaded = style.shaded or style.header_row
            return shaded or child(properties, "shd") is not None
        # A shape's ground is not looked up.
        return name == "txbxContent" or (name == "tc" and child(element, "tcPr", "shd") is not None)

    def _blocks(self, parent: etree._Element) -> None:
        for element in parent:
            name = local(element)
            if name == "p":
                self._paragraph(element)
            elif name == "tbl":
                self._table(element)
            elif name in _WRAPPERS:
                chosen = child(element, "Choice")
                self._blocks(element if chosen is None else chosen)

    def _paragraph(self, element: etree._Element) -> None:
        paragraph = self._read(element)
        style = self._styles.get(paragraph.style)
        text = clean(paragraph.text)
        if text and not _TOC_STYLES.match(style.name):
            kind, level, marker = self._place(element, paragraph, style, text)
            if kind == "heading":
                self.builder.title = self.builder.title or text
            # A paragraph's line breaks may set facts one below the other.
            as_read = kind in ("code", "paragraph")
            shown = paragraph.text if as_read else f"{marker} {text}" if marker else text
            if kind == "paragraph" and self._continues(text):
                self.builder.continue_last(text)
            else:
                self.builder.add(kind, shown, level=level)
            self._line = text
        self._attached(paragraph)

    def _continues(self, text: str) -> bool:
        """Whether a paragraph is but the next line of the one before.

        Documents made from hard-wrapped text have each line in a paragraph of its own.
        """
        kind, before = self.builder.last or ("heading", "")
        if kind not in ("paragraph", "list_item") or re.search(r"[.!?:;…][\"'”’)\]]*$", before):
            return False
        if text[0].islower():
            return len(self._line) >= 25
        # A capital may begin a name in mid-sentence, or another line of a list of names.
        return 55 <= len(self._line) <= 95 and bool(
            re.search(r"[a-z](?: \S*[a-z,]){6}$", self._line)
        )

    def _attached(self, paragraph: Paragraph) -> None:
        """Append what hangs on a paragraph: text boxes, notes, comments."""
        self._unknown += paragraph.unknown
        for box in paragraph.boxes:
            self._blocks(box)
        for kind, identity in paragraph.notes:
            note = self._notes.get((kind, identity))
            if note is None:
                continue
            text = " ".join(self._read(p).text for p in _paragraphs(note))
            if clean(text) and kind == "comment":
                author = attribute(note, "author")
                self.builder.add("footnote", f"Comment{f' by {author}' if author else ''}: {text}")
            elif clean(text):
                mark = self._marks.get((kind, identity), identity)
                self.builder.add("footnote", f"[{mark}] {text}")

    def _place(
        self, element: etree._Element, paragraph: Paragraph, style: Style, text: str
    ) -> tuple[BlockKind, int, str]:
        """Tell what a paragraph is, how deep it stands, and the number it shows."""
        properties = child(element, "pPr")
        direct = attribute(child(properties, "outlineLvl"), "val")
        outline = style.outline
        if direct is not None and direct.isdigit():
            outline = int(direct) if int(direct) < 9 else None
        numbering = child(properties, "numPr")
        identity = attribute(child(numbering, "numId"), "val") or style.numbering[0]
        depth = attribute(child(numbering, "ilvl"), "val")
        index = int(depth) if depth and depth.isdigit() else style.numbering[1] or 0
        marker = None
        if identity and identity != "0":
            marker = self._numbering.marker(identity, index)
        if named := re.match(r"list .*(\d)$", style.name):
            # "List Bullet 2" is a list of its own for Word, the second level for a reader.
            index = max(index, int(named[1]) - 1)
        if outline is not None:
            self._styled = outline + 1
            return "heading", outline + 1, marker or ""
        if marker is not None:
            return "list_item", index, marker
        if style.name == "caption":
            return "caption", 0, ""
        if _CODE_STYLES.match(style.name):
            return "code", 0, ""
        if style.name.startswith("list"):
            return "list_item", index, ""
        bold = paragraph.bold if paragraph.bold is not None else bool(style.bold)
        if bold and len(text) <= _PSEUDO_HEADING_CHARACTERS and re.search(r"[\w)?\]]$", text):
            # Written as a title, though not styled as one; below the last real heading.
            return "heading", min(self._styled + 1, 6), ""
        return "paragraph", 0, ""

    def _table(self, table: etree._Element) -> None:
        rows = [row for row in _through(table, "tr") if not _deleted(row)]
        elements = [_cells(row) for row in rows]
        ids = {
            p.style for row in elements for c in row for p in map(read_paragraph, _paragraphs(c))
        }
        laid_out = any(self._styles.get(identity).outline is not None for identity in ids)
        if laid_out or all(len(row) < 2 for row in elements):
            for cells in elements:
                for cell in cells:
                    self._blocks(cell)
            return
        properties = child(table, "tblPr")
        style = self._styles.get(attribute(child(properties, "tblStyle"), "val"))
        attached: list[Paragraph] = []
        grid = [[self._cell(cell, attached) for cell in row] for row in elements]
        merged = _merge(elements, grid)
        headers = 0
        for row in rows:
            flag = child(row, "trPr", "tblHeader")
            if flag is None or attribute(flag, "val") in ("0", "false", "off"):
                break
            headers += 1
        look = child(properties, "tblLook")
        first_row = attribute(look, "firstRow") == "1" or bool(
            int(attribute(look, "val") or "0", 16) & 0x20
        )
        if not headers and len(grid) > 1:
            styled = first_row and style.header_row and len(grid[0]) > 1
            headers = int(styled or _bold_row(elements[0]) or looks_like_header(grid))
        add_table(self.builder, merged, headers=headers)
        for paragraph in attached:
            self._attached(paragraph)

    def _cell(self, cell: etree._Element, attached: list[Paragraph]) -> Cell:
        span = attribute(child(cell, "tcPr", "gridSpan"), "val")
        parts = []
        for element in _paragraphs(cell):
            paragraph = self._read(element)
            attached.append(paragraph)
            text = clean(paragraph.text)
            listed = child(element, "pPr", "numPr") is not None
            if text:
                parts.append(f"{text};" if listed else text)
        text = " ".join(parts).rstrip(";")
        return Cell(text, columns=int(span) if span and span.isdigit() else 1)


def _note_marks(root: etree._Element | None) -> dict[tuple[str, str], str]:
    """Return the numbers that notes are shown by: in the order that the text refers to them."""
    marks: dict[tuple[str, str], str] = {}
    if root is not None:
        for kind in ("footnote", "endnote"):
            found = dict.fromkeys(attribute(e, "id") for e in root.iter(f"{{*}}{kind}Reference"))
            for number, identity in enumerate(found, start=1):
                marks[kind, identity or ""] = str(number) if kind == "footnote" else f"e{number}"
    return marks


def _paragraphs(parent: etree._Element) -> Iterator[etree._Element]:
    """Yield all paragraphs below, those of nested tables too, not those of text boxes."""
    for element in parent:
        name = local(element)
        if name == "p":
            yield element
        elif name in ("tbl", "tr", "tc") or name in _WRAPPERS:
            chosen = child(element, "Choice")
            yield from _paragraphs(element if chosen is None else chosen)


def _through(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """Yield children of one name, also where a content control wraps them."""
    for element in parent:
        if local(element) == name:
            yield element
        elif local(element) in _WRAPPERS:
            yield from _through(element, name)


def _cells(row: etree._Element) -> list[etree._Element]:
    """Return a row's cells, an empty one where it leaves out columns before its first."""
    cells = list(_through(row, "tc"))
    before = attribute(child(row, "trPr", "gridBefore"), "val")
    if before and before.isdigit() and int(before):
        blank = etree.Element("tc")
        etree.SubElement(etree.SubElement(blank, "tcPr"), "gridSpan", val=before)
        cells.insert(0, blank)
    return cells


def _deleted(row: etree._Element) -> bool:
    return child(row, "trPr", "del") is not None


def _bold_row(cells: list[etree._Element]) -> bool:
    paragraphs = [read_paragraph(p) for cell in cells for p in _paragraphs(cell)]
    return len(cells) > 1 and all(p.bold or not p.text.strip() for p in paragraphs)


def _merge(cells: list[list[etree._Element]], grid: list[list[Cell]]) -> list[list[Cell]]:
    """Turn cells that continue the one above into one cell spanning rows."""
    result: list[list[Cell]] = []
    open_cells: dict[int, tuple[int, int]] = {}
    for row, (elements, row_cells) in enumerate(zip(cells, grid, strict=True)):
        result.append([])
        column = 0
        for element, cell in zip(elements, row_cells, strict=True):
            merge = child(element, "tcPr", "vMerge")
            continues = merge is not None and attribute(merge, "val") in (None, "continue")
            if continues and column in open_cells:
                above_row, above = open_cells[column]
                origin = result[above_row][above]
                result[above_row][above] = Cell(origin.text, origin.columns, row - above_row + 1)
            else:
                result[-1].append(cell)
                open_cells.pop(column, None)
                if merge is not None:
                    open_cells[column] = (row, len(result[-1]) - 1)
            column += cell.columns
    return result
