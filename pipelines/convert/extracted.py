"""What a converter makes of a file: its text, and where in it each block stands."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Scalar = str | int | float | bool
BlockKind = Literal[
    "heading", "paragraph", "list_item", "table_row", "caption", "footnote", "code", "property"
]

_INVISIBLE = dict.fromkeys(
    [0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SPACES = re.compile(r"\s+")
_TRAILING = re.compile(r"[ \t\u00a0]+$", re.MULTILINE)
# "Opening hours: Tue-Fri 10-18", "Tel.: 114", but not "Q: May I?", answered by the next line.
LABELLED = re.compile(r"\W{0,3}\w[^.!?;\n]{1,38}?\.?:\W{0,3}\s+\S")


def clean(text: str, *, keep_lines: bool = False) -> str:
    """Normalise what typesetting does to characters, and nothing that carries meaning.

    Composes accents (NFC), spells ligatures out, drops soft hyphens, zero-width and
    control characters, and folds white space to single blanks.

    :param text: Any text.
    :param keep_lines: Keep line breaks and indentation, as code needs.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_INVISIBLE).translate(_LIGATURES)
        # Lone surrogates come from broken encodings and cannot be stored as UTF-8.
        text = text.encode("utf-8", "replace").decode("utf-8")
    if keep_lines:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return _TRAILING.sub("", _CONTROL.sub("", text)).strip("\n")
    return _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()


@dataclass(frozen=True, slots=True)
class Block:
    """One stretch of the extracted text that belongs together.

    :param kind: What it is; table rows carry their column names in their own text.
    :param start: Offset of its first character in :attr:`Extracted.text`.
    :param end: Offset after its last character.
    :param level: Heading level (1 is the highest) or nesting depth of a list item (0 is the
        outermost).
    :param page: Page or slide, from 1; None where the format has none.
    :param sheet: Sheet or table a row comes from; None in running text.
    :param row: Row number in that sheet as its own program shows it, from 1.
    :param columns: The row's typed values by column name: numbers as numbers, dates as ISO
        8601 text.
    :param turns: Where it goes on on another page: offset in the text, and that page.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    page: int | None = None
    sheet: str | None = None
    row: int | None = None
    columns: Mapping[str, Scalar] | None = None
    turns: tuple[tuple[int, int], ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Return the page on which a place of it stands.

        :param offset: In the text.
        """
        return page_at(offset, self.turns, self.page)


def page_at(offset: int, turns: Sequence[tuple[int, int]], first: int | None) -> int | None:
    """Return the page on which a place stands.

    :param offset: The place, in the text.
    :param turns: Where other pages begin, in order: offset and page.
    :param first: The page before these.
    """
    return next((page for start, page in reversed(turns) if start <= offset), first)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text with its structure.

    Blocks are in reading order and do not overlap; between two of them there is white
    space only, so that every readable character belongs to exactly one block.

    :param text: The whole text.
    :param blocks: Its blocks.
    :param title: The document's own title, if it has one.
    :param properties: Front matter and document properties (author, date, subject …) as text.
    :param notices: What was repaired on the way and a reader should know, one line each.
    """

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class ExtractedBuilder:
    """Collects blocks in reading order and keeps their offsets."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._length = 0
        self._notices: list[str] = []
        self.title: str | None = None
        self.properties: dict[str, str] = {}

    def add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int = 0,
        page: int | None = None,
        sheet: str | None = None,
        row: int | None = None,
        columns: Mapping[str, Scalar] | None = None,
    ) -> None:
        """Append one block, cleaned; an empty one is left out. See :class:`Block`.

        A paragraph whose every line begins with a label of its own becomes one for each.
        """
        if kind == "paragraph" and "\n" in text:
            lines = _labelled_lines(text)
            for line in lines[:-1]:
                self.add(kind, line, level=level, page=page, sheet=sheet, row=row, columns=columns)
            text = lines[-1]
        text = clean(text, keep_lines=kind == "code")
        if not text:
            return
        if self._blocks:
            # Items of a list and rows of a table stand close; other blocks are set apart.
            previous = self._blocks[-1].kind
            close = kind == previous and kind in ("list_item", "table_row", "property")
            separator = "\n" if close else "\n\n"
            self._parts.append(separator)
            self._length += len(separator)
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        self._blocks.append(Block(kind, start, self._length, level, page, sheet, row, columns))

    @property
    def is_empty(self) -> bool:
        """Whether no block was appended so far."""
        return not self._blocks

    def add_property(self, name: str, value: str) -> None:
        """Record a property and append it as a block, so that it can be searched."""
        if clean(value):
            self.properties.setdefault(clean(name), value)
            self.add("property", f"{name}: {value}")

    @property
    def last(self) -> tuple[BlockKind, str] | None:
        """Kind and text of the block appended last; None before the first."""
        return (self._blocks[-1].kind, self._parts[-1]) if self._blocks else None

    def continue_last(self, text: str, *, joint: str = " ", page: int | None = None) -> None:
        """Append text to the last block: the rest of a paragraph that was cut in two.

        :param text: The rest.
        :param joint: What stands between; nothing where a word was cut.
        :param page: The page that it stands on; None where the format has none.
        """
        last, begins = self._blocks[-1], self._length + len(joint)
        turns = last.turns
        if page is not None and page != last.page_at(begins):
            turns = (*turns, (begins, page))
        text = joint + clean(text)
        self._parts[-1] += text
        self._length += len(text)
        self._blocks[-1] = replace(last, end=self._length, turns=turns)

    def add_extracted(self, extracted: "Extracted", *, deeper: int = 0) -> None:
        """Append another document's blocks, its headings some levels deeper."""
        for block in extracted.blocks:
            self.add(
                block.kind,
                extracted.text[block.start : block.end],
                level=block.level + (deeper if block.kind == "heading" else 0),
                page=block.page,
                sheet=block.sheet,
                row=block.row,
                columns=block.columns,
            )
            if block.turns:
                moved = self._blocks[-1].start - block.start
                turns = tuple((start + moved, page) for start, page in block.turns)
                self._blocks[-1] = replace(self._blocks[-1], turns=turns)

    def notice(self, text: str) -> None:
        """Record something repaired, in one line for the reader."""
        self._notices.append(clean(text))

    def build(self) -> Extracted:
        """Return what was collected."""
        title = clean(self.title) if self.title else None
        return Extracted(
            text="".join(self._parts),
            blocks=tuple(self._blocks),
            title=title or None,
            properties={clean(k): clean(v) for k, v in self.properties.items() if clean(v)},
            notices=tuple(self._notices),
        )


def _labelled_lines(text: str) -> list[str]:
    """Return the lines of facts set one below the other; the whole text where it is none."""
    lines: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if LABELLED.match(line):
            lines.append(line)
        elif lines and (line[0].islower() or line[0] == "("):
            lines[-1] += f"\n{line}"
        else:
            return [text]
    return lines or [text]


def row_text(columns: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """Write a table row so that it stands on its own: ``Name: value | Name: value``.

    Empty values are left out; a column without a name gives its value alone.

    :param columns: Values by column name, or pairs where names repeat or are missing.
    """
    cells = []
    for name, value in columns.items() if isinstance(columns, Mapping) else columns:
        shown = clean(str(value)) if value is not None else ""
        if shown:
            cells.append(f"{clean(name)}: {shown}" if name.strip() else shown)
    return " | ".join(cells)
