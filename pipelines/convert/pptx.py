"""PowerPoint presentations: a slide's title as heading, its texts, tables, charts and notes."""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from pipelines.convert.extracted import Extracted, ExtractedBuilder, clean
from pipelines.convert.ooxml import (
    OfficePackage,
    attribute,
    child,
    children,
    core_properties,
    local,
)
from pipelines.convert.tables import Cell, add_table, looks_like_header
from pipelines.convert.titles import meaningful_title
from pipelines.errors import ConversionError

_TITLES = frozenset(["title", "ctrTitle"])
# Placeholders that repeat on every slide.
_MARGINALS = frozenset(["dt", "ftr", "sldNum", "hdr"])
_IMAGE_NAME = re.compile(
    r"^(?:picture|image|graphic|logo|icon)?[\s_-]*\d*$|\.(?:png|jpe?g|gif|svg|emf|wmf|tiff?)$"
    r"|^(?:a |an )?\S+ (?:description automatically generated|ai-generated)",
    re.IGNORECASE,
)


def convert(path: Path) -> Extracted:
    """Turn a presentation into text; a block's page is its slide's number.

    Slides come in the order shown, hidden ones too (a presenter sees them), shapes in the
    order they are read aloud. A slide without title is headed by its number, so that its
    text does not pass for the slide's before.

    :raises ConversionError: When it is damaged, encrypted, a zip bomb or no presentation.
    """
    with OfficePackage(path) as package:
        main = next(iter(package.targets("officeDocument")), "ppt/presentation.xml")
        root = package.part(main)
        if root is None:
            raise ConversionError("damaged: it has no presentation part")
        builder = ExtractedBuilder()
        properties = core_properties(package)
        builder.title = meaningful_title(properties.pop("title", None))
        relations = package.related(main)
        slides = [
            relations.get(_relation(one), ("", ""))[1]
            for one in children(child(root, "sldIdLst"), "sldId")
        ]
        first = _first_title(package, slides)
        if builder.title and builder.title != first:
            builder.add("property", f"title: {builder.title}")
        builder.title = builder.title or first
        for name, value in properties.items():
            builder.add_property(name, value)
        footers: set[str] = set()
        for number, slide in enumerate(slides, start=1):
            _Slide(package, slide, builder, number, footers).add()
        return builder.build()


def _relation(element: etree._Element) -> str:
    """Return the id of the part that a reference stands for; ``id`` itself is another number."""
    for key, value in element.attrib.items():
        if str(key).endswith("}id"):
            return str(value)
    return ""


def _first_title(package: OfficePackage, slides: list[str]) -> str | None:
    for slide in slides[:1]:
        for shape in _shapes(child(package.part(slide), "cSld", "spTree")):
            if _placeholder(shape) in _TITLES:
                return clean(" ".join(t for t, _, _ in _paragraphs(child(shape, "txBody")))) or None
    return None


class _Slide:
    """One slide on its way to blocks."""

    def __init__(
        self,
        package: OfficePackage,
        name: str,
        builder: ExtractedBuilder,
        number: int,
        footers: set[str],
    ) -> None:
        self._package = package
        self._builder = builder
        self._number = number
        self._footers = footers
        self._root = package.part(name)
        self._relations = package.related(name)

    def add(self) -> None:
        """Append the title, then the other shapes, then the speaker's notes."""
        shapes = list(_shapes(child(self._root, "cSld", "spTree")))
        titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
        for shape in titles:
            text = " ".join(text for text, _, _ in _paragraphs(child(shape, "txBody")))
            self._builder.add("heading", text, level=1, page=self._number)
        if not any(clean(text) for t in titles for text, _, _ in _paragraphs(child(t, "txBody"))):
            self._builder.add("heading", f"Slide {self._number}", level=1, page=self._number)
        for shape in shapes:
            if shape not in titles:
                self._shape(shape)
        self._related("notesSlide", "Notes: ")
        self._comments()

    def _shape(self, shape: etree._Element) -> None:
        kind = _placeholder(shape)
        body = child(shape, "txBody")
        if kind in _MARGINALS:
            text = clean(" ".join(text for text, _, _ in _paragraphs(body)))
            if kind != "sldNum" and text and text not in self._footers:
                self._footers.add(text)
                self._builder.add("paragraph", text, page=self._number)
            return
        if body is not None:
            listed = kind in ("body", "obj", "")
            self._text(body, listed=listed and kind is not None)
        for table in shape.iter("{*}tbl"):
            self._table(table)
        for data in shape.iter("{*}chart", "{*}relIds"):
            self._graphic(data)
        properties = next(shape.iter("{*}cNvPr"), None)
        shown = clean(attribute(properties, "descr") or "")
        if shown and not _IMAGE_NAME.search(shown):
            self._builder.add("caption", shown, page=self._number)

    def _text(self, body: etree._Element, *, listed: bool) -> None:
        """Append a shape's paragraphs; in a slide's body several of them are its bullets."""
        paragraphs = [one for one in _paragraphs(body) if clean(one[0])]
        for text, level, bullet in paragraphs:
            item = bullet or (bullet is None and listed and len(paragraphs) > 1) or level > 0
            marker = f"{bullet} " if isinstance(bullet, str) else ""
            if item:
                self._builder.add("list_item", marker + text, level=level, page=self._number)
            else:
                self._builder.add("paragraph", text, page=self._number)

    def _table(self, table: etree._Element) -> None:
        rows: list[list[Cell]] = []
        for row in children(table, "tr"):
            rows.append([])
            for cell in children(row, "tc"):
                if attribute(cell, "hMerge") == "1" or attribute(cell, "vMerge") == "1":
                    continue
                text = " ".join(text for text, _, _ in _paragraphs(child(cell, "txBody")))
                columns, height = attribute(cell, "gridSpan"), attribute(cell, "rowSpan")
                rows[-1].append(
                    Cell(
                        text,
                        int(columns) if columns and columns.isdigit() else 1,
                        int(height) if height and height.isdigit() else 1,
                    )
                )
        flagged = attribute(child(table, "tblPr"), "firstRow") == "1" and len(rows) > 1
        headers = int(flagged or looks_like_header(rows))
        add_table(self._builder, rows, headers=headers, page=self._number)

    def _graphic(self, reference: etree._Element) -> None:
        """Append a chart's table or a diagram's texts."""
        if local(reference) == "relIds":
            identity = next((v for k, v in reference.attrib.items() if str(k).endswith("}dm")), "")
            data = self._package.part(self._relations.get(str(identity), ("", ""))[1])
            for point in data.iter("{*}pt") if data is not None else ():
                text = " ".join(text for text, _, _ in _paragraphs(child(point, "t")))
                self._builder.add("list_item", text, page=self._number)
            return
        chart = self._package.part(self._relations.get(_relation(reference), ("", ""))[1])
        if chart is None:
            return
        for title in chart.iter("{*}title"):
            text = " ".join(text for text, _, _ in _paragraphs(child(title, "tx", "rich")))
            self._builder.add("caption", text, page=self._number)
        add_table(self._builder, _chart_rows(chart), headers=1, page=self._number)

    def _related(self, kind: str, label: str) -> None:
        for known, target in self._relations.values():
            root = self._package.part(target) if known == kind else None
            for shape in _shapes(child(root, "cSld", "spTree")):
                if _placeholder(shape) in ("body", ""):
                    texts = [clean(text) for text, _, _ in _paragraphs(child(shape, "txBody"))]
                    for text in filter(None, texts):
                        self._builder.add("paragraph", label + text, page=self._number)
                        label = ""

    def _comments(self) -> None:
        for kind, target in self._relations.values():
            root = self._package.part(target) if kind == "comments" else None
            for comment in root if root is not None else ():
                text = " ".join(element.text or "" for element in comment.iter("{*}text", "{*}t"))
                if clean(text):
                    self._builder.add("footnote", f"Comment: {text}", page=self._number)


def _shapes(tree: etree._Element | None) -> Iterator[etree._Element]:
    """Yield shapes, pictures and frames, those in groups too, hidden ones not."""
    for element in tree if tree is not None else ():
        name = local(element)
        properties = next(element.iter("{*}cNvPr"), None)
        if name == "grpSp":
            if attribute(properties, "hidden") != "1":
                yield from _shapes(element)
        elif name == "AlternateContent":
            yield from _shapes(child(element, "Choice"))
        elif (
            name in ("sp", "pic", "graphicFrame", "cxnSp")
            and attribute(properties, "hidden") != "1"
        ):
            yield element


def _placeholder(shape: etree._Element) -> str | None:
    """Return which placeholder of the layout a shape fills; None when it fills none."""
    for properties in shape:
        holder = child(properties, "nvPr", "ph")
        if holder is not None:
            return attribute(holder, "type") or ""
    return None


def _paragraphs(body: etree._Element | None) -> Iterator[tuple[str, int, str | bool | None]]:
    """Yield a text body's paragraphs: text, depth, and the bullet.

    The bullet is its number as text, True for a sign, False for none, None where the
    paragraph leaves it to its layout.
    """
    numbers: dict[int, int] = {}
    for paragraph in children(body, "p"):
        properties = child(paragraph, "pPr")
        depth = attribute(properties, "lvl") or "0"
        level = int(depth) if depth.isdigit() else 0
        text = "".join(_text(paragraph))
        bullet: str | bool | None = None
        numbered = child(properties, "buAutoNum")
        if child(properties, "buNone") is not None:
            bullet = False
        elif child(properties, "buChar") is not None:
            bullet = True
        if numbered is not None and text.strip():
            start = attribute(numbered, "startAt") or "1"
            numbers[level] = numbers.get(level, int(start) - 1 if start.isdigit() else 0) + 1
            bullet = f"{numbers[level]}."
        for deeper in [
            one for one in numbers if one > level or (numbered is None and one == level)
        ]:
            del numbers[deeper]
        yield text, level, bullet


def _text(paragraph: etree._Element) -> Iterator[str]:
    for element in paragraph.iter("{*}t", "{*}br"):
        yield " " if local(element) == "br" else element.text or ""


def _chart_rows(chart: etree._Element) -> list[list[Cell]]:
    """Lay a chart's cached values out: a row a category, a column a series."""
    series = []
    categories: dict[str, str] = {}
    for one in chart.iter("{*}ser"):
        name = next((v.text or "" for v in _values(child(one, "tx"))), "")
        for point in _points(child(one, "cat")) or _points(child(one, "xVal")):
            categories.setdefault(*point)
        series.append((name, dict(_points(child(one, "val")) or _points(child(one, "yVal")))))
    if not series:
        return []
    keys = list(categories) or sorted({key for _, values in series for key in values})
    rows = [[Cell(""), *(Cell(name) for name, _ in series)]]
    for key in keys:
        label = Cell(categories.get(key, ""), heading=True)
        rows.append([label, *(Cell(values.get(key, "")) for _, values in series)])
    return rows


def _values(element: etree._Element | None) -> Iterator[etree._Element]:
    if element is not None:
        yield from element.iter("{*}v")


def _points(element: etree._Element | None) -> list[tuple[str, str]]:
    if element is None:
        return []
    return [
        (attribute(point, "idx") or "", next((v.text or "" for v in _values(point)), ""))
        for point in element.iter("{*}pt")
    ]
