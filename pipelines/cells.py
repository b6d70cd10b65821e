"""A table's row, cut down to the cells that tell what is asked."""

import re
from collections.abc import Iterator, Sequence

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
# Asks for an amount of money: not "how much time", "when was it paid", "what firm was paid".
_ASKS_AMOUNT = re.compile(
    r"\b(?:how much|what(?:'s| (?:did|do|does|was|were|is|are|has|have|had|we|i|you|they)))\b"
    r"[^.?!;]*\b(?:costs?|price|charged?|spen[dt]|paid|pay|come to|came to|bill|fare)\b",
    re.IGNORECASE,
)
_ASKS_OTHER = re.compile(r"\b(?:who|whom|whose|when|where|which|why)\b", re.IGNORECASE)
_AMOUNT = re.compile(r"(?:[$€£]|[A-Z]{3})?\s?\d[\d.,' ]*(?:[$€£]|[A-Z]{3})?")
# Columns of money by a word, and those of which it says something else: "Cost centre".
_PRICED = re.compile(r"\b(?:costs?|price|amount|charged?|fare|pay|paid|total)\b", re.IGNORECASE)
_UNPRICED = re.compile(
    r"\b(?:hours?|days?|dates?|cent(?:re|er)|terms?|no|numbers?|codes?|ids?|types?|grades?|items?)\b",
    re.IGNORECASE,
)
_CURRENCY = re.compile(r"[$€£]")
_LETTERS = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]|\w{3}")


def telling_cells(question: str, row: str, very: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """Return a row's cells that answer, or say of what, and where the very answer stands in them.

    Those are the cells that the very answer stands in, that have a word of the question, or money
    where it asks for some, and the first one with words, which tends to name the row. Any other
    text is returned as it is, and so is a row of which no cell says of what. Where surely an
    amount of money is asked for, one cell alone has one, and what was taken for the answer is
    neither a number nor of a column that the question names, that amount is the very answer.

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
    if _ASKS_AMOUNT.search(question) and not _ASKS_OTHER.search(question):
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


def names_more(question: str, row: str, other: str) -> bool:
    """Return whether a row's cells have all words of the question that another's have, and more.

    Their columns' names do not count: every row has them. What is no row never does.
    """
    if BETWEEN not in row or BETWEEN not in other:
        return False
    asked = _telling(question)
    return _named(asked, other) < _named(asked, row)


def named_row(question: str, rows: Sequence[str]) -> int:
    """Return the place of the row that a question names: of one like the first, or the first's.

    Like it are those with the same columns, and one is named that names more: see
    :func:`names_more`.

    :param rows: Texts, of which the first is the likeliest answer; any may be no row.
    """
    if BETWEEN not in rows[0]:
        return 0
    asked, columns = _telling(question), _columns(rows[0])
    place, named = 0, _named(asked, rows[0])
    for number, row in enumerate(rows):
        if BETWEEN in row and _columns(row) == columns and named < (more := _named(asked, row)):
            place, named = number, more
    return place


def _named(asked: set[str], row: str) -> set[str]:
    return asked & _telling(_values(row))


def _columns(row: str) -> list[str]:
    return [label for label, colon, _ in (c.partition(": ") for c in row.split(BETWEEN)) if colon]


def _values(row: str) -> str:
    cells = (cell.partition(": ") for cell in row.split(BETWEEN))
    return " ".join(value or label for label, _, value in cells)


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
    amounts = [
        (end - len(value), end)
        for _, end, cell in placed
        for label, _, value in [cell.rpartition(": ")]
        if _AMOUNT.fullmatch(value)
        and (_PRICED.search(label) or _CURRENCY.search(value))
        and not _UNPRICED.search(label)
    ]
    taken = [
        cell.rpartition(": ") for start, end, cell in placed if start < very[1] and very[0] < end
    ]
    kept = any(asked & _telling(label) or value[:1].isdigit() for label, _, value in taken)
    return very if kept or len(amounts) != 1 else amounts[0]


def _telling(text: str) -> set[str]:
    """Return the stems of a text's words; a digit or two tell nothing."""
    return {stem for stem in stems(content_words(text)) if _WORD.search(stem)}
