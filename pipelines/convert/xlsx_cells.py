"""What an Excel cell shows, and what openpyxl's streaming reader leaves out of a sheet."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zipfile import ZipFile

from lxml import etree

from pipelines.convert.extracted import clean
from pipelines.convert.ooxml import OfficePackage, attribute, child, children, local

_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 256
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
# Quoted text and escaped characters of a number format, and its positive section.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.')
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]|([$€£¥₹])")
_PADDED = re.compile(r"0{2,}")


def shown(value: object, number_format: str | None = None) -> str:
    """Write a cell's value as its sheet shows it, to full precision.

    Dates come in ISO 8601; a number keeps the percent sign, the currency and the leading
    zeros that its format gives it, but is not rounded.

    :param value: The value as openpyxl reads it.
    :param number_format: The cell's number format.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return _number(value, number_format or "General")
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ", timespec="seconds")
        timed = "h" in _LITERAL.sub("", (number_format or "").casefold())
        return text if value.time() != time() or timed else text[:10]
    if isinstance(value, time):
        return value.isoformat(timespec="seconds" if value.second else "minutes")
    if isinstance(value, date | timedelta):
        return str(value)
    return clean(str(getattr(value, "text", value)))


def _number(value: int | float | Decimal, number_format: str) -> str:
    positive = number_format.split(";", maxsplit=1)[0]
    bare = _LITERAL.sub("", positive)
    if "%" in bare:
        return f"{float(value) * 100:.12g}%"
    # Excel itself shows and keeps fifteen digits.
    text = str(value) if isinstance(value, int) else f"{value:.15g}"
    if _PADDED.fullmatch(bare) and text.isdigit():
        return text.zfill(len(bare))
    currency = _CURRENCY.search(positive.replace('"', ""))
    sign = next((group for group in currency.groups() if group), "").strip() if currency else ""
    if not sign:
        return text
    return f"{sign}{text}" if len(sign) == 1 and not text.startswith("-") else f"{text} {sign}"


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged stretch of cells; rows from 1, columns from 0, both ends included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What stands about a sheet outside its values.

    :param merges: Its merged cells.
    :param has_formulas: Whether any cell has a formula.
    :param comments: Its comments, as "B5 (Author): text".
    :param texts: What its text boxes and charts say.
    """

    merges: tuple[Merge, ...]
    has_formulas: bool
    comments: tuple[str, ...]
    texts: tuple[str, ...]


def sheet_parts(package: OfficePackage) -> dict[str, str]:
    """Return the name of each sheet's part by the sheet's name."""
    main = next(iter(package.targets("officeDocument")), "xl/workbook.xml")
    related = package.related(main)
    parts = {}
    for sheet in children(child(package.part(main), "sheets"), "sheet"):
        # The relationship's id has the local name of the sheet's own id.
        ids = [str(value) for key, value in sheet.attrib.items() if str(key).endswith("}id")]
        if ids and ids[0] in related:
            parts[attribute(sheet, "name") or ""] = related[ids[0]][1]
    return parts


def sheet_facts(package: OfficePackage, archive: ZipFile, part: str) -> SheetFacts:
    """Scan a sheet's part for what the streaming reader leaves out.

    :param package: The workbook.
    :param archive: The same, for reading the sheet as a stream.
    :param part: Name of the sheet's part.
    """
    merges: dict[Merge, None] = {}
    has_formulas = False
    rest = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            window = rest + chunk
            has_formulas = has_formulas or _FORMULA.search(window) is not None
            for left, top, right, bottom in _MERGED.findall(window):
                merges[Merge(int(top), _column(left), int(bottom), _column(right))] = None
            rest = window[-_OVERLAP_BYTES:]
    comments, texts = _comments(package, part), []
    for drawing in package.targets("drawing", part):
        texts += _paragraphs(package.part(drawing))
        for chart in package.targets("chart", drawing):
            texts += _paragraphs(package.part(chart))
    return SheetFacts(tuple(merges), has_formulas, tuple(comments), tuple(texts))


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _comments(package: OfficePackage, part: str) -> list[str]:
    found = []
    threaded: set[str] = set()
    for target in package.targets("threadedComment", part):
        for comment in children(package.part(target), "threadedComment"):
            said = child(comment, "text")
            place = attribute(comment, "ref") or ""
            if said is not None and clean(said.text or ""):
                threaded.add(place)
                found.append(f"{place}: {said.text}")
    for target in package.targets("comments", part):
        root = package.part(target)
        authors = [a.text or "" for a in children(child(root, "authors"), "author")]
        for comment in children(child(root, "commentList"), "comment"):
            place = attribute(comment, "ref") or ""
            text = clean("".join(_texts(comment)))
            # A threaded comment leaves a placeholder behind for older programs.
            if not text or place in threaded:
                continue
            number = int(attribute(comment, "authorId") or 0)
            author = clean(authors[number]) if number < len(authors) else ""
            text = text.removeprefix(f"{author}:").strip()
            found.append(f"{place} ({author}): {text}" if author else f"{place}: {text}")
    return found


def _texts(element: etree._Element) -> Iterable[str]:
    return (one.text or "" for one in element.iter() if local(one) == "t")


def _paragraphs(root: etree._Element | None) -> list[str]:
    if root is None:
        return []
    paragraphs = ("".join(_texts(one)) for one in root.iter() if local(one) == "p")
    return [text for text in map(clean, paragraphs) if text]
