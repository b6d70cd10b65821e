"""Questions about a table as a whole, which rows quoted from it do not answer."""

from collections.abc import Collection, Iterable

from pipelines.counting import WORKED_OUT
from pipelines.tables.links import Vocabulary
from pipelines.tables.words import is_plural, tokens_of

_ASKING_ROWS = frozenset({"which", "what", "list", "show", "all", "the", "our", "me", "of", "give"})
# A value of at most so many rows, and of no larger a share, tells which are meant.
_FEW, _ONE_IN = 2, 4
_SHORT = 3


def asks_of_all(question: str, vocabulary: Vocabulary, rows: Collection[int]) -> bool:
    """Whether a question is about a table's rows together, and names none of some rows.

    :param rows: Numbers of the rows that were quoted.
    """
    if WORKED_OUT.search(question) is None and not _lists(question, vocabulary):
        return False
    return not _names_one(question, vocabulary, rows)


def _lists(question: str, vocabulary: Vocabulary) -> bool:
    """Whether a question begins with what several rows are called: "which invoices …"."""
    for token in tokens_of(question):
        if vocabulary.calls_rows(token):
            return token.word.endswith("s") and not token.word.endswith("ss")
        if token.word not in _ASKING_ROWS:
            return False
    return False


def _names_one(question: str, vocabulary: Vocabulary, rows: Iterable[int]) -> bool:
    """Whether a question holds a cell of one of the rows that few others have."""
    table = vocabulary.table
    if _names_by_word(question, vocabulary, rows):
        return True
    said = [f" {_plain(question)} ", f" {_plain(question, singular=True)} "]
    few = max(1, min(_FEW, len(table.rows) // _ONE_IN))
    for number in rows:
        for column, value in zip(table.columns, table.values[number], strict=True):
            text = "" if value is None or column.kind == "bool" else _plain(str(value))
            if not _tells(text) or not any(f" {text} " in one for one in said):
                continue
            if sum(one == value for one in table.values_of(column)) <= few:
                return True
    return False


def _names_by_word(question: str, vocabulary: Vocabulary, rows: Iterable[int]) -> bool:
    """Whether a question has a word or number that only one row is called by."""
    table, said = vocabulary.table, set(_plain(question).split())
    for column in vocabulary.naming.columns:
        called = [set(_plain(str(value)).split()) for value in table.values_of(column)]
        for number in rows:
            for word in called[number] & said:
                if (word.isdigit() or _tells(word)) and sum(word in other for other in called) == 1:
                    return True
    return False


def _tells(text: str) -> bool:
    """Whether a cell is long enough to be found in a question, or a code such as "C3"."""
    is_code = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    return len(text) >= _SHORT or is_code


def _plain(text: str, *, singular: bool = False) -> str:
    words = (token.word for token in tokens_of(text) if token.kind != "other")
    return " ".join(word[:-1] if singular and is_plural(word) else word for word in words)
