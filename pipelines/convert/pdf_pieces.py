"""What the pages of a PDF are taken apart into: lines, and pieces that become blocks."""

import re
from dataclasses import dataclass, field

from pipelines.convert.extracted import BlockKind
from pipelines.convert.pdf_page import Segment
from pipelines.convert.tables import Cell

BULLET = re.compile(r"^[•◦▪▫●○■□–‣⁃∙·➢➤✓*\uf0b7-]\s*$")
LABEL = re.compile(r":$")


@dataclass(slots=True)
class Piece:
    """One block to be, before the whole document's styles are known.

    :param size: Letter height in points; 0 where it does not matter.
    :param level: Heading level given by a tag, or a list item's depth.
    :param rows: A table's cells; the text is empty then.
    :param cells: The same where cells are known to span rows or columns.
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
    cells: list[list[Cell]] | None = None
    heads: int = 0
    hyphen: bool = False


class Line:
    """Segments on one baseline, written one after the other; its places as attributes.

    :param segments: At least one.
    """

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self.left = segments[0].left
        self.right = segments[-1].right
        self.base = segments[0].base
        self.size = max(segments, key=lambda one: len(one.text)).size
        self.bold = all(one.bold for one in segments if not BULLET.match(one.text))
        self.hyphen = segments[-1].hyphen
