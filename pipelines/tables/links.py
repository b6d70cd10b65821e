"""Which words of a question name a table, its rows, its columns, or values in them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pipelines.convert.extracted import Scalar
from pipelines.tables.table import Column, Table
from pipelines.tables.values import Values
from pipelines.tables.words import (
    MONTHS,
    Token,
    joined,
    listed,
    name_words,
    stem,
    tells_case,
    without_unit,
)

Role = Literal["row", "table", "column", "value"]

_LONGEST = 8
# A table may be called after what it is rather than after what is in it.
_CONTAINERS = frozenset(
    map(
        stem,
        listed(
            "index list table register log data sheet file database tracker overview export "
            "catalogue catalog directory schedule report "
            "records rows entries lines items"
        ),
    )
)
_ROW_NOUNS = frozenset(map(stem, listed("row record entry line")))
# A column so called holds the thing that the table's own name speaks of first.
_THINGS = frozenset(
    map(stem, listed("asset equipment machine unit vehicle device object plant tag"))
)
_KEYS = frozenset({"id", "no", "nr", "number", "name", "code", "key"})
# Names that end so tell one thing from another, and are no number of things.
_NUMBERINGS = _KEYS - {"name"}
# When a table is of, which its name may end with.
_DATED = frozenset({*MONTHS, *listed("q q1 q2 q3 q4 week month quarter year season")})
# Words that stand in many names and point at none of them.
_WEAK = frozenset(map(stem, listed("of is has in the no number count id name")))
# What is, rather than happens: of it a year alone says nothing about when it began or was bought.
_LASTING = frozenset(
    map(
        stem,
        listed(
            "employees staff people persons workers members customers clients suppliers vendors "
            "contacts users assets machines vehicles equipment devices sites locations buildings "
            "rooms parts spares products items articles materials stock inventory skills contracts"
        ),
    )
)
# Rows of these are people, whom a question may call so, or ask for by "who".
_PERSONS = frozenset(
    map(stem, listed("employees staff people persons workers personnel members users"))
)
_PEOPLE = frozenset({"who", *map(stem, listed("people persons"))})
_EMPLOYED = frozenset(map(stem, listed("employees staff workers personnel colleagues")))
# "In stock" is asked for as the stock; a "total" alone is any.
_PLACES = frozenset({"in", "on"})
_MADE = frozenset(listed("total sum average mean count number min max minimum maximum"))
_QUANTITIES = frozenset(map(stem, listed("quantity qty stock pieces")))
_STOCKS = frozenset(map(stem, listed("stock hand inventory available")))
_SHORT = 2
_SHORT_UNITS = frozenset(listed("kg km kw mm cm m2"))
_MONEY = frozenset(map(stem, listed("price cost amount rate fee")))
_FEW_ROWS = 6
# Longer names are words of their own, and shorter words stand for themselves.
_ABBREVIATED = 4
# A name is not much longer, on average.
_MOST_WORDS = 3.0
_TELLING = frozenset(
    map(stem, listed("note notes comment description remark remarks text details"))
)
# Words that are written in capitals for stress, too.
_STRESSED = frozenset(listed("i in is on at to of as be do an we me my no or if so by up"))


@dataclass(frozen=True, slots=True)
class Link:
    """Words of a question that name something: from ``start`` to before ``end``.

    :param role: What they name: a ``row`` by its kind, the ``table``, a ``column``, a ``value``.
    :param columns: Columns that they may name, or that hold the value.
    :param values: The value as each of those columns holds it.
    :param whole: Whether they are all of the column's name.
    :param negated: Whether they stand for the opposite: "unpaid", "not paid".
    """

    role: Role
    start: int
    end: int
    columns: tuple[Column, ...] = ()
    values: tuple[str, ...] = ()
    whole: bool = False
    negated: bool = False

    @property
    def is_truth(self) -> bool:
        """Whether they name a column of yes and no."""
        return self.role == "column" and len(self.columns) == 1 and self.columns[0].kind == "bool"

    @property
    def is_condition(self) -> bool:
        """Whether they say which rows are meant."""
        return self.role == "value" or self.is_truth


class Vocabulary:
    """The words that a table can be asked by.

    :param table: The table.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.values = Values(table)
        words = name_words(table.name)
        # "Invoices 2025" and "tours-march" are of invoices and tours.
        undated = [word for word in words if not word.isdigit() and word not in _DATED]
        container = len(undated) > 1 and stem(undated[-1]) in _CONTAINERS
        named = undated[:-1] if container else undated
        self._whole = joined(words)
        self._rows = {joined(named[start:]) for start in range(len(named))} - {""}
        self._table = {joined(words[:end]) for end in range(1, len(words))}
        if container:
            self._table |= {stem(undated[-1]), self._whole}
        self.lasts = bool(named) and stem(named[-1]) in _LASTING
        self.is_of_persons = bool(named) and stem(named[-1]) in _PERSONS
        employed = _EMPLOYED if named and stem(named[-1]) in _EMPLOYED else frozenset()
        self._people = (_PEOPLE | employed) if self.is_of_persons else frozenset()
        self._plural = "" if container or not undated[-1:] else " ".join(undated[-2:])
        self._names = {column: name_words(column.name) for column in table.columns}
        self._thing = joined(named[:1]) if len(named) > 1 else ""
        self._whole_columns: dict[str, list[Column]] = {}
        self._parts_of_columns: dict[str, list[Column]] = {}
        for column, own in self._names.items():
            for whole in {joined(own), joined(_said_of(column, own))}:
                self._whole_columns.setdefault(whole, []).append(column)
            for part in set(_parts(own)) - _WEAK:
                if len(part) > _SHORT or part in _SHORT_UNITS:
                    self._parts_of_columns.setdefault(part, []).append(column)
        # What a table of prices has in a column of numbers is not what its rows are.
        behind = [column for column in table.columns[1:] if column.is_number]
        numbers = {joined(_said_of(column, self._names[column])) for column in behind}
        numbers |= {stem(word) for column in behind for word in self._names[column]} & _MONEY
        self._is_called = not numbers & self._rows
        self._rows -= numbers
        self._nouns = [noun for column in self._namings if (noun := self._noun_of(column))]
        self._rows |= set(map(joined, self._nouns))

    @cached_property
    def _namings(self) -> list[Column]:
        """The columns of names or numbers that tell the rows apart: "Item no", "Tyre"."""
        found = []
        for column in self.table.columns:
            values = self.table.values_of(column)
            named = column.kind == "text" or (column.is_number and self.is_numbering(column))
            words = sum(len(str(value).split()) for value in values) / max(1, len(values))
            named = named and not {stem(word) for word in self._names[column]} & _TELLING
            # In a few rows anything may differ.
            named = named and (not self.table.columns.index(column) or len(values) >= _FEW_ROWS)
            if named and words <= _MOST_WORDS and 1 < len(values) == len(set(values) - {None}):
                found.append(column)
        return found

    @property
    def naming(self) -> Column | None:
        """The first column that tells the rows apart, such as "Item"; None where there is none."""
        return self._namings[0] if self._namings else None

    def name_of(self, row: Sequence[Scalar | None]) -> str | None:
        """Return what a row is called, behind a code with its name; None where nothing tells it."""
        found = [row[self.table.columns.index(column)] for column in self._namings]
        names = [value for value in found if isinstance(value, str)]
        if not found:
            return None
        is_code = not (isinstance(found[0], str) and found[0].replace(" ", "").isalpha())
        others = [name for name in names if name != found[0] and not _has_digit(name)]
        return f"{found[0]}, {others[0]}" if is_code and others else str(found[0])

    def _noun_of(self, naming: Column) -> list[str]:
        """Return what a column that names the rows calls each of them: "item", "product"."""
        words = self._names[naming]
        while words and words[-1] in _KEYS:
            words = words[:-1]
        others = (own for column, own in self._names.items() if column is not naming)
        return [] if any(joined(own) == joined(words) for own in others) else words

    def is_named_row(self, link: Link, tokens: Sequence[Token]) -> bool:
        """Whether a link is what the column that names the rows calls each of them."""
        said = "".join(token.stem for token in tokens[link.start : link.end])
        return link.role == "row" and said in map(joined, self._nouns)

    def rows_called(self, count: int) -> str:
        """Return what rows are called: "work orders", or "rows of" the table's name."""
        if not self._is_called and self._nouns:
            return " ".join(self._nouns[0]) + ("" if count == 1 else "s")
        if not self._is_called or not self._plural.endswith("s") or self._plural.endswith("ss"):
            return f"{'row' if count == 1 else 'rows'} of {self.table.name}"
        if count != 1:
            return self._plural
        is_y = self._plural.endswith("ies")
        return f"{self._plural[:-3]}y" if is_y else self._plural[:-1]

    @cached_property
    def thing(self) -> Column | None:
        """The column of the thing that the table's name begins with, where it has one."""
        called = [c for c in self.table.columns if {stem(w) for w in self._names[c]} & _THINGS]
        return called[0] if len(called) == 1 and called[0].kind == "text" and self._thing else None

    def links(self, tokens: Sequence[Token], taken: set[int]) -> list[Link]:
        """Return what the words that are not taken name, longer names first, and take them."""
        found = []
        for length in range(min(_LONGEST, len(tokens)), 0, -1):
            for start in range(len(tokens) - length + 1):
                span = range(start, start + length)
                if taken & set(span):
                    continue
                link = self._link(tokens, start, span.stop)
                if link is not None:
                    found.append(link)
                    taken.update(span)
        return sorted(found, key=lambda link: link.start)

    def whole_columns(self, tokens: Sequence[Token], taken: set[int]) -> list[Link]:
        """Return the columns that are named in full by several words, and take these."""
        found = []
        for start in range(len(tokens)):
            for end in range(min(len(tokens), start + _LONGEST), start + 1, -1):
                link = self._column(tokens[start:end], start, end)
                if link is not None and link.whole and not taken & set(range(start, end)):
                    found.append(link)
                    taken.update(range(start, end))
                    break
        return found

    def _link(self, tokens: Sequence[Token], start: int, end: int) -> Link | None:
        span = tokens[start:end]
        if any(token.kind in ("quoted", "unit", "other") for token in span):
            return None
        if len(span) == 1 and span[0].word == "not":
            # It has the stem of "note", too.
            return None
        key = "".join(token.stem for token in span)
        column = self._column(span, start, end) or self._opposite(span, start, end)
        if column is not None and column.whole and not self._is_row(column, key):
            return column
        if key in self._people:
            return Link("row", start, end)
        if key == self._whole or key in self._rows or (end - start == 1 and key in _ROW_NOUNS):
            return Link("row", start, end)
        if key in self._table:
            return Link("table", start, end)
        return self._value(tokens, start, end) or column

    def _column(self, span: Sequence[Token], start: int, end: int) -> Link | None:
        key = "".join(token.stem for token in span)
        whole = self._whole_columns.get(key)
        columns = whole or self._parts_of_columns.get(key)
        if columns is None and end - start == 1:
            columns = self._abbreviated(span[0])
        return Link("column", start, end, tuple(columns), whole=bool(whole)) if columns else None

    def _abbreviated(self, token: Token) -> list[Column] | None:
        """Return the one column whose name of one word abbreviates a word: "Veh", "Drv", "Qty"."""
        if token.kind != "word" or len(token.word) <= _ABBREVIATED:
            return None
        found = [
            column
            for column, own in self._names.items()
            if len(said := without_unit(own)) == 1 and _abbreviates(said[0], token.word)
        ]
        return found if len(found) == 1 else None

    def _opposite(self, span: Sequence[Token], start: int, end: int) -> Link | None:
        """Return the column of truths that a word denies by how it begins: "unpaid"."""
        said = span[0].word.removeprefix("un") if len(span) == 1 else ""
        columns = self._whole_columns.get(stem(said), []) if said != span[0].word else []
        if len(columns) != 1 or columns[0].kind != "bool":
            return None
        return Link("column", start, end, tuple(columns), whole=True, negated=True)

    def _is_row(self, link: Link, key: str) -> bool:
        """Whether a column is called as the rows are and names each: "Invoice" of invoices."""
        if key not in self._rows or len(link.columns) != 1:
            return False
        values = self.table.values_of(link.columns[0])
        return len(set(values) - {None}) == len(values)

    def _value(self, tokens: Sequence[Token], start: int, end: int) -> Link | None:
        held = self.values.called(tokens[start:end])
        # Without a possessive's ending.
        said = " ".join(token.text[: len(token.word)] for token in tokens[start:end])
        is_number = end - start == 1 and tokens[start].kind == "number"
        if held and (is_number or len(said) <= _SHORT):
            # So short a name is told from a word by its letters, and by what stands before it.
            exact = [one for one in held if one[1] == said]
            before = self._before(tokens, start)
            held = [one for one in exact if one[0] in before]
            if not held and self._is_name(said, tokens, start):
                held = exact
        if not held:
            return None
        columns, values = zip(*held, strict=True)
        return Link("value", start, end, columns, values)

    def _is_name(self, said: str, tokens: Sequence[Token], start: int) -> bool:
        """Whether capitals alone tell a short name: not "A" at the start, "OR", "5 M"."""
        if not said.isupper() or said.casefold() in _STRESSED or not tells_case(tokens):
            return False
        return tokens[start - 1].kind != "number" if start else said != "A"

    def _before(self, tokens: Sequence[Token], start: int) -> tuple[Column, ...]:
        """Return the columns that the words right before a place name."""
        if start and self.thing is not None and tokens[start - 1].stem == self._thing:
            return (self.thing,)
        for first in range(max(0, start - 3), start):
            link = self._column(tokens[first:start], first, start)
            if link is not None:
                return link.columns
        return ()

    def is_named_by(self, link: Link, tokens: Sequence[Token]) -> bool:
        """Whether a link tells this table from others: a row may be called one in any."""
        said = "".join(token.stem for token in tokens[link.start : link.end])
        return link.role in ("row", "table") and said not in _ROW_NOUNS - self._rows

    def calls_rows(self, token: Token) -> bool:
        """Whether a word is what this table's rows are called."""
        return token.stem in self._rows

    def is_thing(self, link: Link, tokens: Sequence[Token]) -> bool:
        """Whether a link is the word for what :attr:`thing` holds."""
        said = "".join(token.stem for token in tokens[link.start : link.end])
        return self.thing is not None and said == self._thing

    def is_entity(self, link: Link) -> bool:
        """Whether columns describe what a link names, one of it in each row.

        "Event date" and "event type" do; of what has a name or number of its own, such as an
        airport, several rows may speak.
        """
        if link.role != "column" or link.whole or len(link.columns) < 2:
            return False
        rests = [set(self._names[column]) for column in link.columns]
        return not any(words & _KEYS for words in rests)

    def is_amount(self, column: Column) -> bool:
        """Whether a column's numbers say how many of something there were."""
        words = self._names[column]
        counts = words[:2] in (["number", "of"], ["no", "of"], ["nr", "of"])
        counts = counts or (len(words) > 1 and stem(words[-1]) == stem("count"))
        return column.kind == "int" and counts

    def is_numbering(self, column: Column) -> bool:
        """Whether a column's numbers are names: by its own, "Room Number", or running on."""
        if {*self._names[column][-1:]} & _NUMBERINGS:
            return True
        if column != self.table.columns[0] or column.kind != "int":
            return False
        values = {int(value) for value in self.table.values_of(column) if value is not None}
        is_each = len(values) == len(self.table.rows) >= _FEW_ROWS
        return is_each and max(values) - min(values) < 2 * len(values)

    def repeated(self, link: Link, tokens: Sequence[Token]) -> Column | None:
        """Return :attr:`repeating` where a link is the word for what it numbers."""
        said = "".join(token.stem for token in tokens[link.start : link.end])
        if link.role != "row" or said not in self._rows:
            return None
        return self.repeating

    @cached_property
    def repeating(self) -> Column | None:
        """The column that numbers what the rows are called, if some share a number: "Order ID"."""
        for column, words in self._names.items():
            if len(words) > 1 and words[-1] in _NUMBERINGS and joined(words[:-1]) in self._rows:
                values = [value for value in self.table.values_of(column) if value is not None]
                if len(set(values)) < len(values):
                    return column
        return None

    def pieces(self, *, only_stock: bool) -> Column | None:
        """Return the column that says how many pieces a row stands for, if there is one.

        :param only_stock: Leave out what says how many were ordered or used.
        """
        wanted = _STOCKS if only_stock else _QUANTITIES | _STOCKS
        for column, words in self._names.items():
            if column.is_number and {stem(word) for word in words} & wanted:
                return column
        return None

    def initials(
        self, tokens: Sequence[Token], links: Sequence[Link], asked: Collection[int]
    ) -> Iterator[Link]:
        """Give words that a column's capitals abbreviate, right beside a value of that column.

        :param asked: Places right behind "per" or "which", where a column stands, too.
        """
        values = [link for link in links if link.role == "value"]
        for column in self.table.columns:
            name = column.name
            if not (name.isupper() and name.isalpha() and 2 <= len(name) <= 5):
                continue
            for start in range(len(tokens) - len(name) + 1):
                end = start + len(name)
                letters = "".join(token.word[:1] for token in tokens[start:end])
                beside = any(
                    v.start == end or v.end == start for v in values if column in v.columns
                )
                if letters == name.casefold() and (beside or start in asked):
                    yield Link("column", start, end, (column,), whole=True)


def _abbreviates(short: str, word: str) -> bool:
    """Whether a name is a word's beginning, or consonants of it in their order."""
    if not 2 < len(short) <= _ABBREVIATED:
        return False
    letters = iter(word)
    in_order = all(letter in letters for letter in short)
    return word.startswith(short) or (
        short[0] == word[0] and in_order and not set(short) & set("aeiou")
    )


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _said_of(column: Column, words: list[str]) -> list[str]:
    """Return the words by which a column of numbers is asked for: "price", "stock"."""
    if not column.is_number:
        return words
    said = without_unit(words)
    said = said[1:] if len(said) > 1 and said[0] in _PLACES else said
    return words if said[0] in _MADE and len(said) == 1 else said


def _parts(words: Sequence[str]) -> Iterator[str]:
    """Give what is left of a name when words at its ends are left out."""
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            if end - start < len(words):
                yield joined(list(words[start:end]))
