"""What the rows of a table are called, each and all, by the columns that tell them apart."""

from collections.abc import Sequence
from functools import cached_property

from pipelines.convert.extracted import Scalar
from pipelines.tables.column_names import KEYS, NUMBERINGS
from pipelines.tables.table import Column, Table
from pipelines.tables.words import joined, listed, name_words, stem

# In fewer rows anything may differ.
_FEW_ROWS = 6
# A name is not much longer, on average.
_MOST_WORDS = 3.0
_TELLING = frozenset(
    map(stem, listed("note notes comment description remark remarks text details"))
)
# How to reach somebody, which is no name for them.
_REACHING = frozenset(
    map(stem, listed("email mail phone telephone mobile fax address url website link iban account"))
)


class Naming:
    """The names of a table's rows.

    :param table: The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    @cached_property
    def columns(self) -> list[Column]:
        """The columns of names or numbers that tell the rows apart: "Item no", "Tyre"."""
        return [column for column in self._table.columns if self._names_rows(column)]

    def _names_rows(self, column: Column) -> bool:
        values = self._table.values_of(column)
        is_first = column == self._table.columns[0]
        if not 1 < len(values) == len(set(values) - {None}):
            return False
        if not is_first and len(values) < _FEW_ROWS:
            return False
        if {stem(word) for word in name_words(column.name)} & (_TELLING | _REACHING):
            return False
        words = sum(len(str(value).split()) for value in values) / len(values)
        is_name = column.kind == "text" and words <= _MOST_WORDS
        return is_name or (column.is_number and self.is_numbering(column))

    def is_numbering(self, column: Column) -> bool:
        """Whether a column's numbers are names: by its own, "Room Number", or running on."""
        if {*name_words(column.name)[-1:]} & NUMBERINGS:
            return True
        if column != self._table.columns[0] or column.kind != "int":
            return False
        values = {int(value) for value in self._table.values_of(column) if value is not None}
        is_each = len(values) == len(self._table.rows) >= _FEW_ROWS
        return is_each and max(values) - min(values) < 2 * len(values)

    @cached_property
    def nouns(self) -> list[list[str]]:
        """What those columns call each row, in words: "item", "tyre"."""
        return [noun for column in self.columns if (noun := self._noun_of(column))]

    def _noun_of(self, naming: Column) -> list[str]:
        words = name_words(naming.name)
        while words and words[-1] in KEYS:
            words = words[:-1]
        others = (name_words(one.name) for one in self._table.columns if one is not naming)
        return [] if any(joined(own) == joined(words) for own in others) else words

    def name_of(self, row: Sequence[Scalar | None]) -> str | None:
        """Return what a row is called, behind a code with its name; None where nothing tells it."""
        found = [row[self._table.columns.index(column)] for column in self.columns]
        if not found:
            return None
        code = str(found[0])
        if isinstance(found[0], str) and code.replace(" ", "").isalpha():
            return code
        names = (one for one in found[1:] if isinstance(one, str) and not _has_digit(one))
        name = next(names, None)
        return code if name is None else f"{code}, {name}"


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))
