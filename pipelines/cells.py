"""A table's row, cut down to the cells that tell what is asked."""

import re
from collections.abc import Iterator, Sequence

from adapters.training.sameness import content_words
from pipelines.facts import stems

BETWEEN = " | "
# With fewer cells a text is no row, or short as it is.
_MOST_WHOLE = 3
_SURELY = r"money|costs?|charg|bill|invoice|spen[dt]|expens|come to|came to|fare|price|paid"
_ASKS_MONEY = re.compile(rf"\b(?:{_SURELY}|how much|pay|worth|amount)|[$€£]", re.IGNORECASE)
# "How much" asks for hours too.
_SURELY_MONEY = re.compile(rf"\b(?:{_SURELY})|[$€£]", re.IGNORECASE)
_MONEY = re.compile(r"[$€£]|\b(?:cost|price|amount|charge|fare|pay|total)", re.IGNORECASE)
_AMOUNT = re.compile(r": [^:]*\d[^:]*$")
_LETTERS = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]|\w{3}")


def telling_cells(question: str, row: str, very: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """Return a row's cells that answer, or say of what, and where the very answer stands in them.

    Those are the cells that the very answer stands in, that have a word of the question, or money
    where it asks for some, and the first one with words, which tends to name the row. Any other
    text is returned as it is, and so is a row of which no cell says of what. Where surely money is
    asked for and one cell alone has an amount, the very answer is that amount, unless the question
    names the column of what was taken for it.

    :param row: Its cells, as :func:`pipelines.convert.extracted.row_text` writes them.
    :param very: Where the words that answer begin and end in the row.
    """
    cells = row.split(BETWEEN)
    if len(cells) <= _MOST_WHOLE or not all(": " in cell for cell in cells[1:]):
        return row, very
    # The very answer begins and ends within a cell.
    begins = very[0] + len(row[very[0] : very[1]]) - len(row[very[0] : very[1]].lstrip(BETWEEN))
    very = begins, max(begins, very[0] + len(row[very[0] : very[1]].rstrip(BETWEEN)))
    asked, asks_money = _telling(question), bool(_ASKS_MONEY.search(question))
    placed = list(_placed(cells))
    if _SURELY_MONEY.search(question):
        very = _money(placed, asked, very)
    names = next((cell for cell in cells if _LETTERS.search(cell.partition(": ")[2])), None)
    kept: list[str] = []
    length, is_told = 0, False
    first, last = very
    for start, end, cell in placed:
        answers = start < very[1] and very[0] < end
        says_of_what = bool(asked & _telling(cell))
        is_told |= says_of_what
        has_money = asks_money and _MONEY.search(cell)
        if answers or says_of_what or has_money or cell is names:
            if start <= very[0] < end:
                first = length + very[0] - start
            if start < very[1] <= end:
                last = length + very[1] - start
            kept.append(cell)
            length += len(cell) + len(BETWEEN)
    return (BETWEEN.join(kept), (first, last)) if is_told else (row, very)


def _placed(cells: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield where each cell begins and ends in its row, and the cell."""
    start = 0
    for cell in cells:
        yield start, start + len(cell), cell
        start += len(cell) + len(BETWEEN)


def _money(
    placed: Sequence[tuple[int, int, str]], asked: set[str], very: tuple[int, int]
) -> tuple[int, int]:
    """Return where the only amount of money of a row stands, or what was taken for the answer."""
    amounts = [one for one in placed if _MONEY.search(one[2]) and _AMOUNT.search(one[2])]
    taken = [cell for start, end, cell in placed if start < very[1] and very[0] < end]
    named = any(asked & _telling(cell.rpartition(": ")[0]) for cell in taken)
    if len(amounts) != 1 or named or any(map(_MONEY.search, taken)):
        return very
    start, end, cell = amounts[0]
    return start + len(cell) - len(cell.rpartition(": ")[2]), end


def _telling(text: str) -> set[str]:
    """Return the stems of a text's words; a digit or two tell nothing."""
    return {stem for stem in stems(content_words(text)) if _WORD.search(stem)}
