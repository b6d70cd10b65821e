"""Cut an extracted text into passages along its structure.

A passage is an exact slice of the text. It never mixes sections, unless several tiny ones
fit together under the heading they share; it starts with its section's heading where it
is the first of it; lists stay with the paragraph that leads into them; a block is cut
only when it is longer than a passage may be, at the ends of its sentences.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile, groupby, pairwise
from pathlib import PurePosixPath
from typing import Any, Literal

from haystack import Document

from pipelines.convert.extracted import Block, Extracted
from pipelines.packing import CountTokens, Piece, pack, pieces_of, size_of, tiny

# Part of every passage's id: raise it when the same text comes out cut differently.
_VERSION = 1
_CONTEXT_CHARACTERS = 256
_SEPARATOR = " > "
_NAME_WORD = re.compile(r"[^\W\d_]{2,}")
_UNTELLING_NAMES = frozenset({"readme", "index", "default", "document", "untitled"})
_UNTELLING_SHEET = re.compile(r"(?:Sheet|Tabelle|Feuil|Hoja|Foglio|Blad)\s?\d+", re.IGNORECASE)

_SectionKind = Literal["text", "property", "row"]


@dataclass(slots=True)
class _Section:
    """Blocks under the same headings, in order.

    :param path: The headings above and of the section, outermost first.
    """

    kind: _SectionKind
    path: tuple[str, ...]
    sheet: str | None
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Passage:
    """Pieces that become one passage.

    :param limit: Tokens its content may have.
    :param mergeable: It is all of a small section of running text.
    :param cut: Whether the passage before, and the one after, has a part of its first, or last,
        list.
    """

    section: _Section
    path: tuple[str, ...]
    pieces: tuple[Piece, ...]
    limit: int
    mergeable: bool
    cut: tuple[bool, bool] = (False, False)


def split(
    extracted: Extracted,
    *,
    root: str,
    document: str,
    format: str,
    max_tokens: int,
    count_tokens: CountTokens,
) -> list[Document]:
    """Cut a text into passages.

    Each is a Haystack document: its content the exact slice of the text, its id the same
    for the same content at the same place with the same settings, and in its ``meta``
    ``root``, ``document``, ``title``, ``headings`` ("A > B"), ``page``, ``start``,
    ``end``, ``format``, ``kind`` ("text", or "row" with ``sheet``, ``row`` and
    ``columns``), and ``page_turns`` where it goes on on other pages: the offset and the number
    of each in turn; ``headings_at`` and ``items_at``, where headings and the items of lists that
    it has whole stand in its content: beginning and end of each in turn. What is unknown is
    absent.

    :param extracted: The text and its blocks.
    :param root: What was indexed: a folder, or a database's address without password.
    :param document: The document's path relative to it.
    :param format: The document's format, such as "pdf".
    :param max_tokens: Tokens a passage may have, its context (see
        :func:`passage_context`) included; a context never takes more than half.
    :param count_tokens: Counts the embedder's tokens of many texts at once, without
        special tokens; called at most four times.
    :raises ValueError: If ``max_tokens`` is below 16.
    """
    if max_tokens < 16:
        raise ValueError("a passage needs room for at least 16 tokens")
    sections = list(_sections(extracted))
    contexts = [
        _SEPARATOR.join(_context(extracted.title, document, section.sheet, section.path))
        for section in sections
    ]
    distinct = list(dict.fromkeys(contexts))
    taken = dict(zip(distinct, count_tokens(distinct) if distinct else [], strict=True))
    limits = [max(max_tokens - taken[context], max_tokens // 2) for context in contexts]
    measured = pieces_of(
        extracted.text,
        [block for section in sections for block in section.blocks],
        [number for number, section in enumerate(sections) for _ in section.blocks],
        limits,
        count_tokens,
    )
    _open_with_properties(sections, measured, limits)
    passages = []
    for section, pieces, limit in zip(sections, measured, limits, strict=True):
        if not pieces:
            continue
        packed = pack(pieces, limit)
        small = section.kind == "text" and len(packed) == 1 and size_of(pieces) < tiny(limit)
        cuts = [False, *(_in_list(*pair) for pair in pairwise(packed)), False]
        passages += [
            _Passage(section, section.path, tuple(p), limit, small, cut)
            for p, cut in zip(packed, pairwise(cuts), strict=True)
        ]
    place: dict[str, Any] = {"root": root, "document": document, "format": format}
    return [_document(extracted, p, place, max_tokens) for p in _merge_tiny(passages)]


def _open_with_properties(
    sections: Sequence[_Section], measured: list[list[Piece]], limits: Sequence[int]
) -> None:
    """Let a property or two open the text after them: alone they would outrank it in a search."""
    for number in range(len(sections) - 1):
        kinds = (sections[number].kind, sections[number + 1].kind)
        if kinds == ("property", "text") and size_of(measured[number]) < tiny(limits[number]):
            measured[number + 1] = measured[number] + measured[number + 1]
            measured[number] = []


def passage_context(document: Document) -> str:
    """Return what a passage is embedded and found under besides its content.

    That is the document's title (the words of its file's name where it has none), the
    sheet, and the headings above the passage: each once, and none that the content itself
    opens with. At most 256 characters; where that is too little, the nearest headings stay.

    :param document: A passage made by :func:`split`.
    """
    meta = document.meta
    headings = str(meta.get("headings") or "")
    pieces = _context(
        meta.get("title"),
        str(meta.get("document") or ""),
        meta.get("sheet"),
        headings.split(_SEPARATOR) if headings else (),
    )
    opening = (document.content or "")[:512].split("\n")[:8]
    shown = {line.strip().casefold() for line in opening}
    return _SEPARATOR.join(piece for piece in pieces if piece.casefold() not in shown)


def _context(
    title: str | None, document: str, sheet: str | None, headings: Iterable[str]
) -> list[str]:
    if not title:
        title = " ".join(_NAME_WORD.findall(PurePosixPath(document).stem))
        title = "" if title.casefold() in _UNTELLING_NAMES else title
    if not sheet or _UNTELLING_SHEET.fullmatch(sheet):
        sheet = ""
    distinct: dict[str, str] = {}
    for piece in (title, sheet, *headings):
        if piece:
            distinct.setdefault(piece.casefold(), piece[:_CONTEXT_CHARACTERS].strip())
    pieces = list(distinct.values())
    while len(pieces) > 1 and len(_SEPARATOR.join(pieces)) > _CONTEXT_CHARACTERS:
        # The title stays as long as there is anything between it and the nearest heading.
        del pieces[1 if len(pieces) > 2 else 0]
    return pieces


def _sections(extracted: Extracted) -> Iterator[_Section]:
    headings: list[Block] = []
    section: _Section | None = None

    def path() -> tuple[str, ...]:
        return tuple(extracted.text[h.start : h.end].replace("\n", " ") for h in headings)

    for block in extracted.blocks:
        kind = _section_kind(block)
        is_heading = block.kind == "heading"
        previous = section.blocks[-1] if section else None
        # A heading with nothing of its own opens its first subsection.
        opens = previous is not None and previous.kind == "heading" and previous.level < block.level
        if is_heading:
            while headings and headings[-1].level >= block.level:
                headings.pop()
            headings.append(block)
        if (
            section is None
            or section.kind != kind
            or section.sheet != block.sheet
            or kind == "row"
            or (is_heading and not opens)
        ):
            if section:
                yield section
            section = _Section(kind, (), block.sheet)
        section.blocks.append(block)
        section.path = () if kind == "property" else path()
    if section:
        yield section


def _section_kind(block: Block) -> _SectionKind:
    if block.kind == "table_row" and block.columns is not None:
        return "row"
    return "property" if block.kind == "property" else "text"


def _merge_tiny(passages: Sequence[_Passage]) -> Iterator[_Passage]:
    """Join neighbouring small sections under the heading they share, while they fit."""
    waiting: _Passage | None = None
    for passage in passages:
        merged = _merged(waiting, passage) if waiting else None
        if waiting and not merged:
            yield waiting
        waiting = merged or passage
    if waiting:
        yield waiting


def _merged(left: _Passage, right: _Passage) -> _Passage | None:
    if not (left.mergeable and right.mergeable and left.section.sheet == right.section.sheet):
        return None
    shared = 0
    for ours, theirs in zip(left.path, right.path, strict=False):
        if ours != theirs:
            break
        shared += 1
    # Siblings, or a section and its own subsection; not cousins.
    if shared < max(len(left.path), len(right.path)) - 1:
        return None
    pieces, limit = left.pieces + right.pieces, min(left.limit, right.limit)
    if size_of(pieces) > limit:
        return None
    return _Passage(left.section, left.path[:shared], pieces, limit, mergeable=True)


def _document(
    extracted: Extracted, passage: _Passage, place: dict[str, Any], max_tokens: int
) -> Document:
    start, end = passage.pieces[0].start, passage.pieces[-1].end
    content = extracted.text[start:end]
    block = passage.pieces[0].block
    headings = _SEPARATOR.join(passage.path)
    is_row = passage.section.kind == "row"
    meta: dict[str, Any] = place | {"start": start, "end": end, "kind": "row" if is_row else "text"}
    optional: dict[str, Any] = {
        "title": extracted.title,
        "headings": headings or None,
        "page": block.page_at(start),
        "page_turns": _turns(passage.pieces) or None,
        "headings_at": _places(passage, passage.pieces, "heading"),
        "items_at": _places(passage, _whole_lists(passage), "list_item"),
        "sheet": block.sheet,
        "row": block.row if is_row else None,
        "columns": dict(block.columns) if is_row and block.columns else None,
    }
    meta |= {key: value for key, value in optional.items() if value is not None}
    settings = f"{_VERSION} {max_tokens}"
    identity = [place["root"], place["document"], str(start), str(end), content, settings]
    # What a passage is embedded under is part of it: another title makes another passage.
    identity += [extracted.title or "", headings]
    digest = hashlib.sha256("\0".join(identity).encode("utf-8", "surrogatepass"))
    return Document(id=digest.hexdigest()[:32], content=content, meta=meta)


def _turns(pieces: Sequence[Piece]) -> list[int]:
    """Return where pages begin inside of a passage: offset and page in turn."""
    found: list[int] = []
    last = pieces[0].block.page_at(pieces[0].start)
    for piece in pieces:
        inside = (at for at, _ in piece.block.turns if piece.start < at < piece.end)
        for offset in (piece.start, *inside):
            page = piece.block.page_at(offset)
            if page is not None and page != last:
                found += [offset, page]
                last = page
    return found


def _in_list(before: Sequence[Piece], after: Sequence[Piece]) -> bool:
    """Return whether a cut between two passages is one in a list."""
    return _is_item(before[-1]) and _is_item(after[0])


def _is_item(piece: Piece) -> bool:
    return piece.block.kind == "list_item"


def _whole_lists(passage: _Passage) -> list[Piece]:
    """Return a passage's pieces without those of lists that go on in others."""
    pieces = list(passage.pieces)
    before, after = passage.cut
    if before:
        pieces = list(dropwhile(_is_item, pieces))
    if after:
        pieces = list(dropwhile(_is_item, reversed(pieces)))[::-1]
    return pieces


def _places(passage: _Passage, pieces: Sequence[Piece], kind: str) -> list[int] | None:
    """Return where blocks of a kind begin and end in a passage's content, in turn."""
    found: list[int] = []
    at = passage.pieces[0].start
    for block, parts in groupby(pieces, key=lambda piece: piece.block):
        if block.kind == kind:
            whole = list(parts)
            found += [whole[0].start - at, whole[-1].end - at]
    return found or None
