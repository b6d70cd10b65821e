"""Which words of a question name a table, its rows, its columns, or values in them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pipelines.tables.column_names import (
    KEYS,
    NUMBERINGS,
    is_abbreviation,
    parts,
    wholes,
)
from pipelines.tables.naming import Naming
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
)

Role = Literal["row", "table", "column", "value"]

_LONGEST = 8
# A table may be called after what it is rather than after what is in it.
_CONTAINERS = frozenset(
    map(
        stem,
        listed(
            "index list table register log data sheet file database tracker overview export "
            "catalogue catalog directory schedule report history timetable survey inventory "
            "records rows entries lines items"
        ),
    )
)
_ROW_NOUNS = frozenset(map(stem, listed("row record entry line")))
# A column so called holds the thing that the table's own name speaks of first.
_THINGS = frozenset(
    map(stem, listed("asset equipment machine unit vehicle device object plant tag"))
)
# When a table is of, which its name may end with.
_DATED = frozenset(
    {*MONTHS, *listed("q q1 q2 q3 q4 week month quarter year season final draft v v1 v2 v3")}
)
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
    map(
        stem,
        listed(
            "employees staff people persons workers personnel members users players pupils "
            "students guests patients drivers teachers volunteers donors colleagues"
        ),
    )
)
_PEOPLE = frozenset({"who", *map(stem, listed("people persons"))})
_EMPLOYED = frozenset(map(stem, listed("employees staff workers personnel colleagues")))
_QUANTITIES = frozenset(map(stem, listed("quantity qty stock pieces")))
# Only alone: a "FatalInjuryCount" is of something else.
_COUNTS = frozenset(listed("count copies pcs"))
_STOCKS = frozenset(map(stem, listed("stock hand inventory available")))
_SHORT = 2
_MONEY = frozenset(map(stem, listed("price cost amount rate fee")))
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

    def said(self, tokens: Sequence[Token]) -> str:
        """Return the stems of the words, joined.

        :param tokens: The question's words.
        """
        return "".join(token.stem for token in tokens[self.start : self.end])

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
        self.values, self.naming = Values(table), Naming(table)
        words = name_words(table.name)
        # "Invoices 2025" and "tours-march" are of invoices and tours.
        undated = [word for word in words if not word.isdigit() and word not in _DATED]
        named = undated
        while len(named) > 1 and stem(named[-1]) in _CONTAINERS:
            named = named[:-1]
        container = len(named) < len(undated)
        self._whole = joined(words)
        self._rows = {joined(named[start:]) for start in range(len(named))} - {""}
        self._named = set(self._rows)
        self._table = {joined(words[:end]) for end in range(1, len(words))}
        if container:
            self._table |= {*map(stem, undated[len(named) :]), self._whole}
        self.lasts = bool(named) and stem(named[-1]) in _LASTING
        self.is_of_persons = bool(named) and stem(named[-1]) in _PERSONS
        self._plural = "" if container or not undated[-1:] else " ".join(undated[-2:])
        self._names = {column: name_words(column.name) for column in table.columns}
        self._thing = joined(named[:1]) if len(named) > 1 else ""
        self._whole_columns: dict[str, list[Column]] = {}
        self._parts_of_columns: dict[str, list[Column]] = {}
        for column in table.columns:
            for whole in wholes(column, table.columns):
                if whole in self._named - _MONEY and whole != joined(name_words(column.name)):
                    continue  # "how many donations" asks for rows, not for "Donation EUR"
                self._whole_columns.setdefault(whole, []).append(column)
            for part in parts(column):
                self._parts_of_columns.setdefault(part, []).append(column)
        # What a table of prices has in a column of numbers is not what its rows are.
        behind = [column for column in table.columns[1:] if column.is_number]
        numbers = {stem(word) for column in behind for word in self._names[column]} & _MONEY
        self._is_called = not numbers & self._rows
        self._rows -= numbers
        self._whole = "" if self._whole in numbers else self._whole
        self._rows |= set(map(joined, self.naming.nouns))
        self.is_of_persons |= any(stem(noun[-1]) in _PERSONS for noun in self.naming.nouns)
        lasting = _LASTING | _PERSONS
        self.lasts |= any(stem(noun[-1]) in lasting for noun in self.naming.nouns)
        employed = _EMPLOYED if named and stem(named[-1]) in _EMPLOYED else frozenset()
        self._people = (_PEOPLE | employed) if self.is_of_persons else frozenset()

    def is_named_row(self, link: Link, tokens: Sequence[Token]) -> bool:
        """Whether a link is what the column that names the rows calls each of them."""
        said = link.said(tokens)
        return link.role == "row" and said in map(joined, self.naming.nouns)

    def rows_called(self, count: int) -> str:
        """Return what rows are called: "work orders", or "rows of" the table's name."""
        if not self._is_called and self.naming.nouns:
            noun = " ".join(self.naming.nouns[0])
            return noun if count == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
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
        if column is not None and not self._is_written(column, span):
            # "Open" is a state where there is one, and not the day in "Opened".
            column = None if self.values.called(span) else column
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
        if columns is None and end - start == 1 and span[0].kind == "word":
            short = [one for one in self.table.columns if is_abbreviation(one, span[0].word)]
            columns = short if len(short) == 1 else None
        return Link("column", start, end, tuple(columns), whole=bool(whole)) if columns else None

    def _opposite(self, span: Sequence[Token], start: int, end: int) -> Link | None:
        """Return the column of truths that a word denies by how it begins: "unpaid"."""
        said = span[0].word.removeprefix("un") if len(span) == 1 else ""
        columns = self._whole_columns.get(stem(said), []) if said != span[0].word else []
        if len(columns) != 1 or columns[0].kind != "bool":
            return None
        return Link("column", start, end, tuple(columns), whole=True, negated=True)

    def _is_written(self, link: Link, span: Sequence[Token]) -> bool:
        """Whether words stand in a column's name as they are said, and not only of one stem."""
        said = {token.word for token in span}
        return any(said <= set(self._names[column]) for column in link.columns)

    def _is_row(self, link: Link, key: str) -> bool:
        """Whether a column is called as the rows are and names each: "Invoice" of invoices."""
        if key not in self._rows or len(link.columns) != 1:
            return False
        # Behind the first column, numbers all of which differ are no names: "Sales" of sales.
        if link.columns[0].is_number and link.columns[0] not in (
            self.table.columns[0],
            *self.naming.columns,
        ):
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
        said = link.said(tokens)
        return link.role in ("row", "table") and said not in _ROW_NOUNS - self._rows

    def calls_rows(self, token: Token) -> bool:
        """Whether a word is what this table's rows are called."""
        return token.stem in self._rows

    @property
    def row_words(self) -> set[str]:
        """The stems of what rows are called by the table's name, columns of such a name or not."""
        return self._named

    def is_thing(self, link: Link, tokens: Sequence[Token]) -> bool:
        """Whether a link is the word for what :attr:`thing` holds."""
        said = link.said(tokens)
        return self.thing is not None and said == self._thing

    def is_entity(self, link: Link) -> bool:
        """Whether columns describe what a link names, one of it in each row.

        "Event date" and "event type" do; of what has a name or number of its own, such as an
        airport, several rows may speak.
        """
        if link.role != "column" or link.whole or len(link.columns) < 2:
            return False
        rests = [set(self._names[column]) for column in link.columns]
        return not any(words & KEYS for words in rests)

    def is_amount(self, column: Column) -> bool:
        """Whether a column's numbers say how many of something there were."""
        words = self._names[column]
        counts = words[:2] in (["number", "of"], ["no", "of"], ["nr", "of"])
        counts = counts or (len(words) > 1 and stem(words[-1]) == stem("count"))
        return column.kind == "int" and counts

    def repeated(self, link: Link, tokens: Sequence[Token]) -> Column | None:
        """Return :attr:`repeating` where a link is the word for what it numbers."""
        said = link.said(tokens)
        if link.role != "row" or said not in self._rows:
            return None
        return self.repeating

    @cached_property
    def repeating(self) -> Column | None:
        """The column that numbers what the rows are called, if some share a number: "Order ID"."""
        for column, words in self._names.items():
            if len(words) > 1 and words[-1] in NUMBERINGS and joined(words[:-1]) in self._rows:
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
            is_count = not only_stock and len(words) == 1 and words[0] in _COUNTS
            if column.is_number and (is_count or {stem(word) for word in words} & wanted):
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
