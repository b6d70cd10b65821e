"""Examples as the trainer takes them: tokens and labels, packed into rows."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from adapters.chat_markup import ChatMarkup
from adapters.errors import TrainingError
from adapters.training import shared
from adapters.training.attention import SHORT, Piece, groups_of
from adapters.training.examples import Example
from adapters.training.render import IGNORED, render

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples packed into rows, best fit first; none is cut.

    Where examples begin alike, a row has their beginning once and their ends behind it.

    :param dataset: A row has ``input_ids``, ``labels``, and for each of its pieces its length
        in ``lengths`` and in ``seen`` the tokens of the beginning that it goes on from.
    :param tokens: In all rows, but for what fills them up.
    :param saved: Tokens that the examples have more, each on its own.
    :param longest: Tokens of the longest row.
    :param most_learned: Tokens with a label, of the row that has most.
    :param most_scores: Scores of attention that a head holds, of the row that has most.
    """

    dataset: "Dataset"
    tokens: int
    saved: int
    longest: int
    most_learned: int
    most_scores: int

    def __len__(self) -> int:
        return len(self.dataset)


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands in one row: an example, or several behind the beginning that they share."""

    ids: list[int]
    labels: list[int]
    pieces: tuple[Piece, ...]


_Rendered = tuple[list[int], list[int]]

# Of a row that is not learned from, see adapters.training.rehearsal.
REHEARSED = "rehearsed"

# Shorter ones would leave a processor idle.
_LEAST_TOKENS = 256


def pack(
    examples: Sequence[Example],
    markup: ChatMarkup,
    tokens: int,
    window: int,
    *,
    least_rows: int = 1,
    multiple: int = 1,
) -> Rows:
    """Return examples packed into rows.

    :param markup: The model's own.
    :param tokens: Of a row at most; a longer example is a row of its own.
    :param window: Tokens that the model reads at most.
    :param least_rows: Make rows shorter for about so many.
    :param multiple: Fill rows up to a multiple of so many tokens; nothing is learned from these.
    :raises GenerationError: When the model's template cannot write an example.
    :raises TrainingError: When one is longer than the window.
    """
    from datasets import Dataset

    rendered = []
    for example in examples:
        ids, labels = render(example, markup)
        if len(ids) > window:
            raise TrainingError(
                f"line {example.line} takes {len(ids):,} tokens of the model's {window:,}: "
                "shorten or remove it"
            )
        rendered.append((ids, labels))
    total = sum(len(ids) for ids, _ in rendered)
    groups = shared.groups([ids[: _open(labels)] for ids, labels in rendered])
    needed = total - sum(length * (len(members) - 1) for length, members in groups)
    tokens = min(tokens, max(_LEAST_TOKENS, needed // least_rows))
    blocks: list[_Block] = []
    for length, members in groups:
        blocks += _blocks([rendered[number] for number in members], length, tokens)
    rows = [_row(row) for row in _best_fit(blocks, tokens)]
    taken = sum(len(row["input_ids"]) for row in rows)
    rows = [_filled(row, multiple) for row in rows]
    learned = [sum(label != IGNORED for label in row["labels"]) for row in rows]
    return Rows(
        Dataset.from_list(rows),
        tokens=taken,
        saved=total - taken,
        longest=max(len(row["input_ids"]) for row in rows),
        most_learned=max(learned),
        most_scores=max(map(_scores, rows)),
    )


def collate(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a row as the model takes it, and how many tokens it has, none filled up."""
    (row,) = rows
    pieces = list(zip(row["lengths"], row["seen"], strict=True))
    return {
        "input_ids": torch.tensor([row["input_ids"]]),
        "labels": torch.tensor([row["labels"]]),
        "position_ids": positions(pieces),
        "pieces": pieces,
        "tokens": row["tokens"][0],
        REHEARSED: bool(row.get(REHEARSED)),
    }


def positions(pieces: Sequence[Piece]) -> torch.Tensor:
    """Return the place of each token in its example, in a row of pieces."""
    return torch.cat([torch.arange(seen, seen + length) for length, seen in pieces])[None]


def _open(labels: Sequence[int]) -> int:
    """Return how many tokens an example may share: not the last one before it learns.

    That one has to be its own, as the first learned token is predicted behind it.
    """
    learned = (at for at, label in enumerate(labels) if label != IGNORED)
    return max(0, next(learned, len(labels)) - 1)


def _blocks(members: list[_Rendered], length: int, tokens: int) -> Iterator[_Block]:
    """Return a group's blocks: one if it fits into a row, or several with its beginning each."""
    if len(members) == 1 or length == 0:
        yield from map(_alone, members)
        return
    parts: list[list[_Rendered]] = []
    room = 0
    for member in sorted(members, key=lambda member: -len(member[0])):
        own = len(member[0]) - length
        if length + own > tokens:
            yield _alone(member)
            continue
        if own > room:
            parts.append([])
            room = tokens - length
        parts[-1].append(member)
        room -= own
    for part in parts:
        yield _alone(part[0]) if len(part) == 1 else _joined(part, length)


def _alone(member: _Rendered) -> _Block:
    ids, labels = member
    # Nothing stands before it that it could be predicted from.
    return _Block(ids, [IGNORED, *labels[1:]], ((len(ids), 0),))


def _joined(members: list[_Rendered], length: int) -> _Block:
    ids, labels = members[0][0][:length], [IGNORED] * length
    pieces = [(length, 0)]
    for own_ids, own_labels in members:
        ids += own_ids[length:]
        labels += own_labels[length:]
        pieces.append((len(own_ids) - length, length))
    return _Block(ids, labels, tuple(pieces))


def _best_fit(blocks: list[_Block], tokens: int) -> list[list[_Block]]:
    """Return blocks in rows, the longest first, each where it leaves least room."""
    rows: list[list[_Block]] = []
    rooms: list[tuple[int, int]] = []
    for block in sorted(blocks, key=lambda block: -len(block.ids)):
        at = bisect_left(rooms, (len(block.ids), -1))
        if at < len(rooms):
            room, place = rooms.pop(at)
        else:
            room, place = tokens, len(rows)
            rows.append([])
        rows[place].append(block)
        insort(rooms, (room - len(block.ids), place))
    return rows


def _scores(row: dict[str, list[int]]) -> int:
    groups = groups_of(list(zip(row["lengths"], row["seen"], strict=True)))
    lengths = [sum(length for length, _ in group) for group in groups]
    return sum(length**2 for length in lengths if length <= SHORT)


def _filled(row: dict[str, list[int]], multiple: int) -> dict[str, list[int]]:
    """Return a row with a piece behind its others that makes its length a multiple."""
    missing = -len(row["input_ids"]) % multiple
    if not missing:
        return row
    filling = {
        "input_ids": [0] * missing,
        "labels": [IGNORED] * missing,
        "lengths": [missing],
        "seen": [0],
        "tokens": [],
    }
    return {name: values + filling[name] for name, values in row.items()}


def _row(blocks: list[_Block]) -> dict[str, list[int]]:
    pieces = [piece for block in blocks for piece in block.pieces]
    return {
        "input_ids": [token for block in blocks for token in block.ids],
        "labels": [label for block in blocks for label in block.labels],
        "lengths": [length for length, _ in pieces],
        "seen": [seen for _, seen in pieces],
        "tokens": [sum(length for length, _ in pieces)],
    }
