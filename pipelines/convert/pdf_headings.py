"""Which pieces of a PDF are headings, by its bookmarks, its tags and its letter sizes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.convert.extracted import clean
from pipelines.convert.pdf_page import PageText
from pipelines.convert.pdf_pieces import Piece
from pipelines.convert.pdf_words import is_contents_line

if TYPE_CHECKING:
    import pypdfium2 as pdfium

_HEADING_CHARACTERS = 200
_BOLD_CHARACTERS = 110
_LARGER = 1.12
_MAX_BOOKMARKS = 5000
_NUMBER = re.compile(r"^(?:\(?(?:\d+|[a-z]|[ivx]+)[.)]|§?\s*\d+(?:\.\d+)*\.?)\s+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?:;,][\"'”’)\]]*$")


class Headings:
    """Answers for each piece of one document whether it is a heading, and how high.

    Bookmarks decide, then tags; then text larger than the body's, the largest highest;
    then short lines in bold, lowest.

    :param document: The opened PDF.
    :param pages: Its pages.
    :param pieces: Its pieces, page by page.
    """

    def __init__(
        self,
        document: "pdfium.PdfDocument",
        pages: Sequence[PageText],
        pieces: Sequence[Sequence[Piece]],
    ) -> None:
        self._bookmarks: dict[str, list[tuple[int, int]]] = {}
        for number, mark in enumerate(document.get_toc(max_depth=6)):
            if number >= _MAX_BOOKMARKS:
                break
            place = mark.get_dest()
            index = place.get_index() if place is not None else None
            key = _key(mark.get_title() or "")
            if key:
                page = -1 if index is None else index + 1
                self._bookmarks.setdefault(key, []).append((page, mark.level + 1))
        heights: Counter[float] = Counter()
        for text in pages:
            for segment in text.segments:
                heights[_rounded(segment.size)] += len(segment.text)
        self._body = heights.most_common(1)[0][0] if heights else 0.0
        everything = [piece for found in pieces for piece in found]
        tagged = Counter(piece.kind == "heading" for piece in everything)
        self._tagged = tagged[True] >= max(3, len(pages) // 4)
        self._marked = sum(map(bool, map(self._bookmark, everything))) >= 3
        sizes = {_rounded(piece.size) for piece in everything if self._is_large(piece)}
        self._sizes = sorted(sizes, reverse=True)[:5]
        self._last = 0
        self.title = self._find_title(pieces[0] if pieces else ())

    def level(self, piece: Piece) -> int:
        """Return a piece's heading level, from 1; 0 for what is no heading.

        To be asked in reading order: a heading known only by its looks stands below the
        last one that a bookmark or tag vouches for.
        """
        if piece.kind not in ("paragraph", "list_item", "heading"):
            return 0
        sure = self._bookmark(piece) or (piece.level if piece.kind == "heading" else 0)
        if sure:
            self._last = sure
            return sure
        large = self._is_large(piece)
        if not large and not self._is_bold_title(piece):
            return 0
        if self._marked or self._tagged:
            return min(self._last + 1, 6)
        if large:
            size = _rounded(piece.size)
            return self._sizes.index(size) + 1 if size in self._sizes else 6
        return min(len(self._sizes) + 1, 6)

    def joined(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """Yield a page's pieces, headings of several lines put together."""
        current: Piece | None = None
        for piece in pieces:
            if current is not None and self._one_heading(current, piece):
                current = replace(
                    current,
                    text=f"{current.text} {piece.text}",
                    lines=current.lines + piece.lines,
                    base=piece.base,
                )
                continue
            if current is not None:
                yield current
            current = piece
        if current is not None:
            yield current

    def _one_heading(self, above: Piece, below: Piece) -> bool:
        """Whether a piece is the next line of a heading; one with a bookmark stands alone."""
        alike = above.kind == below.kind and above.level == below.level
        if not alike or abs(above.size - below.size) > 0.6 or above.bold != below.bold:
            return False
        large = above.size > _LARGER * self._body
        heading = large and (above.kind == "heading" or self._is_large(above))
        return (
            heading
            and 0 < above.base - below.base < 1.45 * above.size
            and len(above.text) + len(below.text) < _HEADING_CHARACTERS
            and above.lines + below.lines <= 6
            and not self._bookmark(above)
            and not self._bookmark(below)
        )

    def _bookmark(self, piece: Piece) -> int:
        if piece.lines > 5 or len(piece.text) > _HEADING_CHARACTERS or not self._bookmarks:
            return 0
        for text in (piece.text, _NUMBER.sub("", piece.text)):
            for page, level in self._bookmarks.get(_key(text), ()):
                if page in (-1, piece.page):
                    return level
        return 0

    def _is_large(self, piece: Piece) -> bool:
        return (
            piece.kind in ("paragraph", "list_item")
            and piece.size > _LARGER * self._body
            and piece.lines <= 5
            and len(piece.text) <= _HEADING_CHARACTERS
            and len(re.findall(r"[^\W\d_]", piece.text)) > 2
            and not (piece.text.endswith(".") and len(piece.text) > 80)
            and not is_contents_line(piece.text)
        )

    def _is_bold_title(self, piece: Piece) -> bool:
        return (
            piece.bold
            and piece.kind == "paragraph"
            and piece.lines <= 2
            and len(piece.text) <= _BOLD_CHARACTERS
            and piece.size >= 0.9 * self._body
            and len(re.findall(r"[^\W\d_]", piece.text)) > 2
            and not _SENTENCE_END.search(piece.text)
            and not is_contents_line(piece.text)
        )

    def _find_title(self, first: Sequence[Piece]) -> str | None:
        """Return the largest text of the first page, if it is larger than the body's."""
        large = [piece for piece in first if self._is_large(piece) or piece.kind == "heading"]
        if not large:
            return None
        size = max(piece.size for piece in large)
        for piece in self.joined(first):
            heading = self._is_large(piece) or piece.kind == "heading"
            if heading and piece.size > size - 0.6:
                return clean(piece.text)
        return None


def _rounded(size: float) -> float:
    return round(size * 2) / 2


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", clean(text).lower())
