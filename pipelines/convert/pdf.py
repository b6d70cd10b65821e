"""PDF: text in reading order with headings, lists, tables, form fields and page numbers.

Text comes from PDFium (pypdfium2), which reads a page eight times as fast as pypdf does.
A page that is tagged is read by its tags (:mod:`pipelines.convert.pdf_tags`), any other
by its layout (:mod:`pipelines.convert.pdf_lines`).
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from pipelines.convert.extracted import Extracted, ExtractedBuilder, clean
from pipelines.convert.pdf_forms import comments, fields
from pipelines.convert.pdf_headings import Headings
from pipelines.convert.pdf_lines import lay_out
from pipelines.convert.pdf_page import PageReader, PageText, Segment
from pipelines.convert.pdf_pieces import Piece
from pipelines.convert.pdf_tags import TaggedPage
from pipelines.convert.pdf_words import Words, is_contents_line
from pipelines.convert.tables import Cell, add_table
from pipelines.convert.titles import meaningful_title
from pipelines.errors import ConversionError

# It warns on each form in XFA; the same fields are there as an AcroForm, which is read.
logging.getLogger("pypdfium2").setLevel(logging.ERROR)

_NO_TEXT = "no text layer (scanned?): run OCR first, e.g. ocrmypdf"
_UNREADABLE = (
    "its fonts do not say which letters they show: run OCR first, e.g. ocrmypdf --force-ocr"
)
_PAGE_NUMBER = re.compile(
    r"^(?:page|p\.)?\s*[-–|]?\s*(?:\d{1,4}|[ivxlc]{1,7})\s*(?:(?:of|/)\s*\d{1,4})?\s*[-–|]?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+|^[ivxlc]{1,7}$", re.IGNORECASE)
# What a program writes where its user wrote nothing.
_NOBODY = frozenset(["anonymous", "unspecified", "unknown", "untitled", "none"])
_DATE = re.compile(r"^D?:?(\d{4})(\d\d)?(\d\d)?")
# Running heads and feet stand in these parts of a page's height.
_MARGIN = 0.1
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]⁰¹²³⁴⁵⁶⁷⁸⁹]*$")


def convert(path: Path) -> Extracted:
    """Turn a PDF into text with its structure; each block knows its page, from 1.

    Running heads and feet are kept once, page numbers and tables of contents are not.
    Text that cannot be seen (white on white, below 2 points, outside the page, covered) is
    left out with a notice; what OCR wrote behind a scanned image is kept.

    :raises ConversionError: When it has no text layer, needs a password, or is damaged.
    """
    document = _open(path)
    try:
        return _Conversion(document, path).run()
    finally:
        document.close()


def _open(path: Path) -> "pdfium.PdfDocument":
    if not path.stat().st_size:
        raise ConversionError("the file is empty")
    try:
        document = pdfium.PdfDocument(path)
        if document.get_formtype() != raw.FORMTYPE_NONE:
            document.init_forms()
    except pdfium.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == raw.FPDF_ERR_PASSWORD:
            raise ConversionError(
                "encrypted: it needs a password; save it without one first"
            ) from None
        if code == raw.FPDF_ERR_SECURITY:
            raise ConversionError("encrypted in a way that cannot be opened") from None
        raise ConversionError("damaged, truncated or not a PDF") from None
    if not len(document):
        document.close()
        raise ConversionError("damaged: it has no pages")
    return document


class _Conversion:
    """One document on its way to blocks."""

    def __init__(self, document: "pdfium.PdfDocument", path: Path) -> None:
        self._document = document
        self._path = path
        self._builder = ExtractedBuilder()
        self._words = Words()
        self._before: Piece | None = None

    def run(self) -> Extracted:
        pages = [page for page in map(self._read, range(len(self._document))) if page is not None]
        self._check(pages)
        kept = _drop_margins(pages)
        for page in pages:
            self._words.learn(page.segments)
        pieces = [self._pieces(page) for page in pages]
        headings = Headings(self._document, pages, pieces)
        self._properties(headings)
        for page, found in zip(pages, pieces, strict=True):
            for piece in headings.joined(found):
                self._add(piece, headings)
            for text in kept.get(page.number, ()):
                self._builder.add("paragraph", text, page=page.number)
            self._add_annotations(page.number)
        return self._builder.build()

    def _read(self, index: int) -> PageText | None:
        try:
            page = self._document[index]
        except pdfium.PdfiumError:
            self._builder.notice(f"page {index + 1} is damaged and was not read")
            return None
        try:
            return PageReader(page, index + 1).read()
        finally:
            page.close()

    def _check(self, pages: list[PageText]) -> None:
        """Refuse a document without readable text; name the pages that have none."""
        if not pages:
            raise ConversionError("damaged: none of its pages can be read")
        letters = sum(page.letters for page in pages)
        unreadable = sum(page.unreadable for page in pages)
        # A slide's footer or a stamp over scanned pages is not a text layer.
        silent = [page for page in pages if page.letters < 10]
        sparse = letters < 25 * len(pages) and len(silent) > len(pages) / 2
        if not letters or (sparse and any(page.has_drawing for page in silent)):
            if not self._has_values():
                raise ConversionError(_NO_TEXT)
        elif unreadable > 0.3 * letters:
            raise ConversionError(_UNREADABLE)
        elif numbers := [page.number for page in silent if page.has_drawing and not page.letters]:
            one = len(numbers) == 1
            self._builder.notice(
                f"page{'' if one else 's'} {_ranges(numbers)} {'has' if one else 'have'} no text "
                "(scanned?): run OCR, e.g. ocrmypdf --skip-text"
            )
        if hidden := [page.number for page in pages if page.hidden]:
            noun = "page" if len(hidden) == 1 else "pages"
            self._builder.notice(f"{noun} {_ranges(hidden)}: text that cannot be seen was left out")
        if unreadable > 0.02 * letters and not unreadable > 0.3 * letters:
            self._builder.notice(f"{unreadable} characters have no known letter and were left out")

    def _has_values(self) -> bool:
        form = self._document.formenv
        if form is None:
            return False
        return any(
            field.value
            for index in range(len(self._document))
            for field in fields(self._document[index], form.raw)
        )

    def _pieces(self, page: PageText) -> list[Piece]:
        """Read a page by its tags if they hold most of it, else by its layout."""
        letters = sum(len(segment.text) for segment in page.segments)
        tagged = sum(len(segment.text) for segment in page.segments if segment.mark >= 0)
        if tagged > 0.5 * letters:
            opened = self._document[page.number - 1]
            try:
                structure = TaggedPage(opened, page, self._words)
            finally:
                opened.close()
            rest = structure.rest
            if sum(len(segment.text) for segment in rest) < 0.4 * letters:
                return structure.pieces + lay_out(page, rest, self._words)
        return lay_out(page, page.segments, self._words)

    def _properties(self, headings: Headings) -> None:
        facts = {key: clean(value) for key, value in self._document.get_metadata_dict().items()}
        facts = {
            key: value for key, value in facts.items() if value.lower().strip("()") not in _NOBODY
        }
        title = meaningful_title(facts.get("Title"))
        if title and title.lower() == self._path.stem.lower():
            title = None
        shown = headings.title
        # A title cut short at its first line is on the first page whole.
        if title and shown and shown.lower().startswith(title.lower()):
            title = shown
        self._builder.title = title or shown
        if title and title != shown:
            self._builder.add("property", f"title: {title}")
        for key, name in (("Author", "author"), ("Subject", "subject"), ("Keywords", "keywords")):
            self._builder.add_property(name, facts.get(key, ""))
        for key, name in (("CreationDate", "created"), ("ModDate", "modified")):
            if found := _DATE.match(facts.get(key, "")):
                self._builder.properties[name] = "-".join(part for part in found.groups() if part)

    def _add(self, piece: Piece, headings: Headings) -> None:
        before, self._before = self._before, piece
        if piece.kind == "table_row":
            rows = piece.cells or [
                [Cell(text) for text in row]
                for row in piece.rows
                if not is_contents_line(" ".join(row))
            ]
            add_table(self._builder, rows, headers=piece.heads, page=piece.page)
            return
        if is_contents_line(piece.text):
            self._before = before
            return
        level = headings.level(piece)
        if level:
            piece.kind = "heading"
            self._builder.add("heading", piece.text, level=level, page=piece.page)
        elif before is not None and self._continues(before, piece):
            last = (self._builder.last or ("paragraph", ""))[1]
            whole = self._words.connect(last, piece.text, before.hyphen)
            rest = whole[len(last) :]
            joint = " " if rest.startswith(" ") else ""
            self._builder.continue_last(rest, joint=joint, page=piece.page)
        else:
            self._builder.add(piece.kind, piece.text, level=piece.level, page=piece.page)

    def _continues(self, before: Piece, piece: Piece) -> bool:
        """Whether a paragraph is the rest of the one before a column's or page's end."""
        last = self._builder.last
        return (
            last is not None
            and last[0] == before.kind
            and before.kind in ("paragraph", "list_item")
            and (
                piece.kind == "paragraph"
                or (piece.kind == "list_item" and before.page < piece.page)
            )
            and not piece.bold
            and abs(before.size - piece.size) < 0.6
            and (before.hyphen or piece.text[:1].islower())
            and not _SENTENCE_END.search(last[1])
        )

    def _add_annotations(self, number: int) -> None:
        page = self._document[number - 1]
        try:
            form = self._document.formenv
            empty = []
            for field in fields(page, form.raw) if form is not None else ():
                if field.value:
                    text = f"{field.label}: {field.value}" if field.label else field.value
                    self._builder.add("property", text, page=number)
                else:
                    empty.append(field.label)
            if empty:
                names = "; ".join(dict.fromkeys(empty))
                self._builder.add("property", f"Form fields: {names}", page=number)
            for text in comments(page):
                self._builder.add("footnote", f"Comment: {text}", page=number)
        finally:
            page.close()


def _drop_margins(pages: list[PageText]) -> dict[int, list[str]]:
    """Take running heads, feet and page numbers out of the pages.

    :returns: The running texts, each once, by the page they first stand on.
    """
    places: dict[str, list[tuple[PageText, Segment]]] = defaultdict(list)
    dropped: dict[int, set[int]] = defaultdict(set)
    for page in pages:
        for segment in _in_margins(page):
            text = clean(segment.text)
            if _PAGE_NUMBER.match(text) and _is_outermost(segment, page):
                dropped[page.number].add(id(segment))
            else:
                # "Title | 5": the number changes, the rest does not.
                places[_NUMBER.sub("#", text)].append((page, segment))
    kept: dict[int, list[str]] = defaultdict(list)
    numbers: list[tuple[PageText, Segment]] = []
    least = 2 if len(pages) <= 4 else 3
    for pattern, found in places.items():
        count = len({page.number for page, _ in found})
        # A table's head may be repeated there as well; its tags say where it belongs.
        tagged = found[0][1].mark >= 0
        if count < (max(least, 0.4 * len(pages)) if tagged else least):
            continue
        page, segment = found[0]
        text = clean(segment.text)
        if _PAGE_NUMBER.match(text) or not re.search(r"[^\W\d_]", pattern):
            numbers += found
            continue
        if len(re.findall(r"[^\W\d_]", text)) > 3:
            kept[page.number].append(text)
        for page, segment in found:
            dropped[page.number].add(id(segment))
    _drop_numbers(numbers, dropped)
    for page in pages:
        gone = dropped.get(page.number)
        if gone:
            page.segments = [segment for segment in page.segments if id(segment) not in gone]
    return kept


def _drop_numbers(numbers: list[tuple[PageText, Segment]], dropped: dict[int, set[int]]) -> None:
    """Drop the numbers that recur alone or in a running line; the others are a table's."""
    known = {id(segment) for _, segment in numbers}
    for page, number in numbers:
        beside = [id(one) for one in page.segments if one is not number and _level(one, number)]
        texts = [one for one in beside if one not in known]
        if not beside or (texts and dropped[page.number].issuperset(texts)):
            dropped[page.number].add(id(number))


def _in_margins(page: PageText) -> Iterator[Segment]:
    """Yield what stands in a page's upper and lower margin."""
    for segment in page.segments:
        if not _MARGIN * page.height <= segment.base <= (1 - _MARGIN) * page.height:
            yield segment


def _is_outermost(segment: Segment, page: PageText) -> bool:
    """Whether nothing stands beside a segment, nor between it and its edge of the page."""
    side = 1 if segment.base > page.height / 2 else -1
    return not any(
        one.upright and (_level(one, segment) or side * (one.base - segment.base) > 0)
        for one in page.segments
        if one is not segment
    )


def _level(one: Segment, other: Segment) -> bool:
    return abs(one.base - other.base) < max(2.0, 0.3 * other.size)


def _ranges(numbers: list[int]) -> str:
    """Write page numbers as ``3, 7-9``."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
