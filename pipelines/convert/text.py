"""Plain text: paragraphs, lists, titles and aligned columns told apart by their layout."""

import re
from itertools import pairwise
from pathlib import Path

from pipelines.convert.encoding import decode
from pipelines.convert.extracted import Extracted, ExtractedBuilder, clean
from pipelines.convert.tables import Cell, add_table, looks_like_header
from pipelines.errors import ConversionError

_BULLET = re.compile(r"^(\s*)([-*+•‣◦▪●–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
_PLAIN_BULLET = re.compile(r"[-*+•‣◦▪●–]")
_RULE = re.compile(r"^\s*([=\-~*_#^+])\1{2,}\s*$")
_COLUMNS = re.compile(r"\S(?: {3,}|\t+)\S")
_GAP = re.compile(r" {2,}")
_NUMBERED_TITLE = re.compile(
    r"^(?:chapter|section|part|appendix|annex)\s+[\dIVXA-Z]+\b", re.IGNORECASE
)
_UNDERLINES = {"=": 1, "#": 1, "-": 2, "~": 3, "*": 2, "^": 3, "+": 3, "_": 2}
_SENTENCE_END = re.compile(r"[.!?…;:,][\"'”’)\]]*$")


def convert(path: Path) -> Extracted:
    """Turn a plain text file into paragraphs, list items and the few titles that are sure.

    :raises ConversionError: When it is empty or binary.
    """
    text, notice = decode(path.read_bytes())
    if not text.strip():
        raise ConversionError("the file is empty")
    builder = ExtractedBuilder()
    if notice:
        builder.notice(notice)
    add_text(builder, text)
    return builder.build()


def add_text(builder: ExtractedBuilder, text: str, *, titles: bool = True) -> None:
    """Append running text, paragraph by paragraph.

    :param builder: Receives the blocks; its title, when it has none yet, is the first
        heading found.
    :param text: Text with line breaks; a form feed ends a paragraph.
    :param titles: Look for headings; a letter's lines in capitals are none.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").expandtabs(8)
    paragraph: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            _add_paragraph(builder, paragraph, titles)
            paragraph = []


def _add_paragraph(builder: ExtractedBuilder, lines: list[str], titles: bool) -> None:
    """Tell what a run of lines is, and append it."""
    if titles and _add_titles(builder, lines):
        return
    lines = [line for line in lines if not _RULE.match(line)]
    if not lines:
        return
    if len(lines) > 1 and sum(bool(_COLUMNS.search(line)) for line in lines) >= 0.6 * len(lines):
        # Aligned by blanks: only its own line breaks and gaps say what belongs together.
        rows = [[Cell(cell) for cell in _GAP.split(line.strip())] for line in lines]
        add_table(builder, rows, headers=int(looks_like_header(rows)))
    elif any(_BULLET.match(line) for line in lines):
        _add_list(builder, lines)
    elif _is_wrapped(lines):
        builder.add("paragraph", _joined(lines))
    else:
        for line in lines:
            builder.add("list_item", line)


def _add_titles(builder: ExtractedBuilder, lines: list[str]) -> bool:
    """Append a heading and what follows it in the same run; False when there is none."""
    level = 0
    if len(lines) > 2 and _RULE.match(lines[0]) and _RULE.match(lines[2]):
        lines = lines[1:]
    if len(lines) > 1 and (ruled := _RULE.match(lines[1])) and len(lines[0].strip()) <= 100:
        # As long as the title above it, more or less: else it is a rule or a table's border.
        if 0.6 <= len(lines[1].strip()) / len(lines[0].strip()) <= 1.7:
            level, rest = _UNDERLINES[ruled[1]], lines[2:]
    elif len(lines) == 1 and _is_title(lines[0].strip()):
        level, rest = 1, []
    if not level:
        return False
    builder.add("heading", lines[0], level=level)
    builder.title = builder.title or clean(lines[0])
    if rest:
        _add_paragraph(builder, rest, titles=True)
    return True


def _is_title(line: str) -> bool:
    """Tell a title: a short line of its own in capitals, or one that begins "Chapter 3"."""
    if len(line) > 80 or _SENTENCE_END.search(line):
        return False
    letters = [letter for letter in line if letter.isalpha()]
    capitals = len(letters) >= 4 and all(letter.isupper() for letter in letters)
    return (capitals and len(line.split()) <= 10) or bool(_NUMBERED_TITLE.match(line))


def _add_list(builder: ExtractedBuilder, lines: list[str]) -> None:
    items: list[tuple[int, list[str]]] = []
    before: list[str] = []
    for line in lines:
        found = _BULLET.match(line)
        if found:
            rest = line[found.end() :]
            marker = "" if _PLAIN_BULLET.fullmatch(found[2]) else f"{found[2]} "
            items.append((len(found[1]), [marker + rest]))
        elif items:
            items[-1][1].append(line)
        else:
            before.append(line)
    if before:
        builder.add("paragraph", _joined(before))
    indents = sorted({indent for indent, _ in items})
    for indent, parts in items:
        builder.add("list_item", _joined(parts), level=indents.index(indent))


def _is_wrapped(lines: list[str]) -> bool:
    """Whether line breaks only come from the page's width.

    They do when the next line goes on in small letters, or when its first word would not
    have fitted on the line before.
    """
    if len(lines) == 1:
        return True
    width = max(len(line.rstrip()) for line in lines)
    if width < 40:
        return all(line.lstrip()[0].islower() for line in lines[1:])
    short = sum(
        len(line.rstrip()) + 1 + len(following.split()[0]) < width - 2
        and not following.lstrip()[0].islower()
        for line, following in pairwise(lines)
    )
    return short <= 0.34 * (len(lines) - 1)


def _joined(lines: list[str]) -> str:
    """Join lines; a word hyphenated at a line's end is put together again."""
    text = "\n".join(line.strip() for line in lines)
    return re.sub(r"(?<=[a-zà-ÿ])[-\u2010]\n(?=[a-zà-ÿ])", "", text)
