"""Pack the blocks of a section into passages of a given size in tokens."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipelines.convert.extracted import Block
from pipelines.sentences import sentence_spans

CountTokens = Callable[[Sequence[str]], list[int]]
Span = tuple[int, int]

# A token of running text has about four characters. One of sixteen is no text (base64, a
# run of dots): it counts by its length, since a reader and a prompt must hold it, too.
_CHARACTERS_PER_TOKEN = 16
_ATOM = re.compile(r"\S{1,32}")
_LINE = re.compile(r"\S[^\n]*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch that stays whole: a block, or a sentence or word of one that is too long.

    :param start: Offset of its first character in the text.
    :param end: Offset after its last.
    :param tokens: Its length in the embedder's tokens, at least 1.
    :param block: The block it is, or is part of.
    :param leads: It leads into the next piece and should not end a passage.
    """

    start: int
    end: int
    tokens: int
    block: Block
    leads: bool = False


def size_of(pieces: Sequence[Piece]) -> int:
    """Return the tokens of all pieces together."""
    return sum(piece.tokens for piece in pieces)


def tiny(limit: int) -> int:
    """Return the size in tokens below which a passage is too small to stand alone."""
    return limit // 4


def pieces_of(
    text: str,
    blocks: Sequence[Block],
    section: Sequence[int],
    limits: Sequence[int],
    count: CountTokens,
) -> list[list[Piece]]:
    """Measure blocks, and cut those that do not fit into a passage.

    Cuts at the ends of sentences (of lines in code), a sentence too long at words.

    :param text: The text of the blocks.
    :param blocks: All blocks in order.
    :param section: For each block the number of its section, from 0, ascending.
    :param limits: For each section the tokens a passage of it may have.
    :param count: Counts the tokens of many texts at once; called at most three times.
    :returns: For each section its pieces in order.
    """

    def measured(spans: Sequence[Span]) -> list[int]:
        counts = count([text[start:end] for start, end in spans]) if spans else []
        return [
            max(tokens, (end - start) // _CHARACTERS_PER_TOKEN, 1)
            for tokens, (start, end) in zip(counts, spans, strict=True)
        ]

    def sentences(piece: Piece) -> list[Span]:
        stretch = text[piece.start : piece.end]
        if piece.block.kind == "code":
            spans = [match.span() for match in _LINE.finditer(stretch)]
        else:
            spans = sentence_spans(stretch)
        return [(piece.start + start, piece.start + end) for start, end in spans]

    def words(piece: Piece) -> list[Span]:
        return [match.span() for match in _ATOM.finditer(text, piece.start, piece.end)]

    found: list[list[Piece]] = [[] for _ in limits]
    tokens = measured([(block.start, block.end) for block in blocks])
    for block, number, size in zip(blocks, section, tokens, strict=True):
        found[number].append(Piece(block.start, block.end, size, block))
    rooms = [_room(pieces, limit) for pieces, limit in zip(found, limits, strict=True)]
    for cut in (sentences, words):
        found = _refine(found, rooms, cut, measured)
    return [_mark_leads(pieces, limit) for pieces, limit in zip(found, limits, strict=True)]


def _room(pieces: Sequence[Piece], limit: int) -> int:
    # Headings take their share of the first passage, and must not stand alone in it.
    headings = size_of([piece for piece in pieces if piece.block.kind == "heading"])
    return max(limit - headings, limit // 2)


def _refine(
    sections: list[list[Piece]],
    rooms: Sequence[int],
    cut: Callable[[Piece], list[Span]],
    measured: Callable[[Sequence[Span]], list[int]],
) -> list[list[Piece]]:
    """Replace every piece larger than its section's room by what ``cut`` makes of it."""
    long = [
        piece
        for pieces, room in zip(sections, rooms, strict=True)
        for piece in pieces
        if piece.tokens > room
    ]
    cuts = [cut(piece) for piece in long]
    tokens = iter(measured([span for spans in cuts for span in spans]))
    finer = iter(
        [
            [Piece(start, end, next(tokens), piece.block) for start, end in spans]
            for piece, spans in zip(long, cuts, strict=True)
        ]
    )
    return [
        [part for piece in pieces for part in (next(finer) if piece.tokens > room else (piece,))]
        for pieces, room in zip(sections, rooms, strict=True)
    ]


def _mark_leads(pieces: list[Piece], limit: int) -> list[Piece]:
    marked = []
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        if following is not None and _leads_into(piece, following, limit):
            piece = replace(piece, leads=True)
        marked.append(piece)
    return marked


def _leads_into(piece: Piece, following: Piece, limit: int) -> bool:
    kind, next_kind = piece.block.kind, following.block.kind
    if kind == "heading":
        return True
    if kind == "paragraph" and next_kind in ("list_item", "table_row", "code"):
        return piece.tokens <= tiny(limit)
    return kind == "caption" and next_kind == "table_row"


def pack(pieces: Sequence[Piece], limit: int) -> list[list[Piece]]:
    """Fill passages with pieces in order.

    What belongs together (a list or table with the paragraph that leads into it, a heading
    with what follows) stays so where it fits into a passage. A last passage too small to
    stand alone shares the pieces of the one before.

    :param limit: Tokens a passage may have; only a piece larger than that exceeds it.
    """
    packed: list[list[Piece]] = []
    current: list[Piece] = []
    for group in _groups(pieces):
        if size_of(current) + size_of(group) <= limit:
            current += group
            continue
        if size_of(group) <= limit and size_of(current) >= tiny(limit):
            packed.append(current)
            current = list(group)
            continue
        size = size_of(current)
        for piece in group:
            if current and size + piece.tokens > limit:
                keep = _before_leads(current, limit - piece.tokens)
                packed.append(current[:keep])
                current = current[keep:]
                size = size_of(current)
            current.append(piece)
            size += piece.tokens
    if current:
        packed.append(current)
    return _balance_tail(packed, limit)


def _groups(pieces: Sequence[Piece]) -> list[list[Piece]]:
    groups: list[list[Piece]] = []
    for piece in pieces:
        if groups and _bound(groups[-1][-1], piece):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _bound(left: Piece, right: Piece) -> bool:
    kind = left.block.kind
    return left.leads or (kind == right.block.kind and kind in ("list_item", "table_row"))


def _before_leads(pieces: Sequence[Piece], room: int) -> int:
    """Return how many pieces stay when those at the end that lead on move to the next passage."""
    keep = len(pieces)
    while keep > 0 and pieces[keep - 1].leads:
        keep -= 1
    moves = 0 < keep < len(pieces) and size_of(pieces[keep:]) <= room
    return keep if moves else len(pieces)


def _balance_tail(packed: list[list[Piece]], limit: int) -> list[list[Piece]]:
    if len(packed) < 2 or size_of(packed[-1]) >= tiny(limit):
        return packed
    pieces = packed[-2] + packed[-1]
    total, left = size_of(pieces), 0
    best: tuple[int, int] | None = None
    for at in range(1, len(pieces)):
        before, after = pieces[at - 1], pieces[at]
        left += before.tokens
        if left > limit or total - left > limit or before.leads:
            continue
        # A cut inside a paragraph or a list costs as much as an eighth of a passage.
        inside = before.block is after.block or _bound(before, after)
        cost = abs(total - 2 * left) + (limit // 8 if inside else 0)
        if best is None or cost < best[0]:
            best = (cost, at)
    if total <= limit:
        return [*packed[:-2], pieces]
    if best is None:
        return packed
    return [*packed[:-2], pieces[: best[1]], pieces[best[1] :]]
