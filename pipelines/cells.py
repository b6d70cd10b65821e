"""A table's row, cut down to the cells that tell what is asked."""

import re

from adapters.training.sameness import content_words
from pipelines.facts import stems

BETWEEN = " | "
# With fewer cells a text is no row, or short as it is.
_MOST_WHOLE = 3
_ASKS_MONEY = re.compile(
    r"\b(?:how much|money|costs?|charg|bill|invoice|spen[dt]|expens|come to|came to|fare|price|pay"
    r"|paid|worth|amount)|[$€£]",
    re.IGNORECASE,
)
_MONEY = re.compile(r"[$€£]|\b(?:cost|price|amount|charge|fare|pay|total)", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]|\w{3}")


def telling_cells(question: str, row: str, very: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """Return a row's cells that answer, or say of what, and where the very answer stands in them.

    Those are the cells that the very answer stands in, that have a word of the question, or money
    where it asks for some, and the first one with words, which tends to name the row. Any other
    text is returned as it is, and so is a row of which no cell says of what.

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
    names = next((cell for cell in cells if _LETTERS.search(cell.partition(": ")[2])), None)
    kept: list[str] = []
    start, length, is_told = 0, 0, False
    first, last = very
    for cell in cells:
        end = start + len(cell)
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
        start = end + len(BETWEEN)
    return (BETWEEN.join(kept), (first, last)) if is_told else (row, very)


def _telling(text: str) -> set[str]:
    """Return the stems of a text's words; a digit or two tell nothing."""
    return {stem for stem in stems(content_words(text)) if _WORD.search(stem)}
