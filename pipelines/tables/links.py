"""Which words of a question name a table, its rows, its columns, or values in them."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pipelines.tables.table import Column, Table
from pipelines.tables.words import Token, joined, listed, name_words, stem, tokens_of

Role = Literal["row", "table", "column", "value"]

_LONGEST = 8
# A table may be called after what it is rather than after what is in it.
_CONTAINERS = frozenset(
    map(
        stem,
        listed(
            "index list table register log data sheet file database tracker overview export "
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
_AMOUNTS = frozenset(map(stem, listed("count number quantity qty amount")))
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
_PERSONS = frozenset(map(stem, listed("employees staff people persons workers members users")))
_PEOPLE = frozenset({"who", *map(stem, listed("people persons"))})
_QUANTITIES = frozenset(map(stem, listed("quantity qty stock pieces")))
_STOCKS = frozenset(map(stem, listed("stock hand inventory available")))
_SHORT = 2
_JOINTS = re.compile(r"[_,;/+|]")
_FREE_WORDS = 3.0
_FREE_SHARE = 0.3


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


class Vocabulary:
    """The words that a table can be asked by.

    :param table: The table.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        words = name_words(table.name)
        container = len(words) > 1 and stem(words[-1]) in _CONTAINERS
        named = words[:-1] if container else words
        self._whole = joined(words)
        self._rows = {joined(named[start:]) for start in range(len(named))} - {""}
        self._table = {joined(words[:end]) for end in range(1, len(words))}
        if container:
            self._table |= {stem(words[-1]), self._whole}
        self.lasts = bool(named) and stem(named[-1]) in _LASTING
        self._persons = bool(named) and stem(named[-1]) in _PERSONS
        self._plural = "" if container or not words[-1:] else " ".join(words[-2:])
        self._names = {column: name_words(column.name) for column in table.columns}
        self._thing = joined(named[:1]) if len(named) > 1 else ""
        self._whole_columns: dict[str, list[Column]] = {}
        self._parts_of_columns: dict[str, list[Column]] = {}
        for column, own in self._names.items():
            self._whole_columns.setdefault(joined(own), []).append(column)
            for part in set(_parts(own)) - _WEAK:
                if len(part) > _SHORT:
                    self._parts_of_columns.setdefault(part, []).append(column)

    def rows_called(self, count: int) -> str:
        """Return what rows are called: "work orders", or "rows of" the table's name."""
        if not self._plural.endswith("s") or self._plural.endswith("ss"):
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

    def is_free(self, column: Column) -> bool:
        """Whether a column holds sentences rather than names."""
        return column.kind != "text" or column in self._free

    @cached_property
    def _values(self) -> dict[str, list[tuple[Column, str]]]:
        found: dict[str, list[tuple[Column, str]]] = {}
        for place, column in enumerate(self.table.columns):
            if self.is_free(column):
                continue
            for value in self._distinct(place):
                key = joined(_value_words(value))
                if key:
                    found.setdefault(key, []).append((column, value))
        return found

    @cached_property
    def _free(self) -> frozenset[Column]:
        free = set()
        for place, column in enumerate(self.table.columns):
            if column.kind != "text":
                continue
            distinct = self._distinct(place)
            words = sum(len(value.split()) for value in distinct) / max(len(distinct), 1)
            if words >= _FREE_WORDS and len(distinct) > _FREE_SHARE * len(self.table.rows):
                free.add(column)
        return frozenset(free)

    def _distinct(self, place: int) -> list[str]:
        values = (row[place] for row in self.table.values)
        folded = {
            " ".join(value.casefold().split()): value for value in values if isinstance(value, str)
        }
        return list(folded.values())

    def joint_values(self, column: str, value: str) -> list[str]:
        """Return the values of a column that name one beside others: "Left_Right" for "Left"."""
        place = next(n for n, one in enumerate(self.table.columns) if one.name == column)
        wanted = value.casefold()
        return [
            other
            for other in self._distinct(place)
            if wanted in (parts := [part.strip() for part in _JOINTS.split(other.casefold())])
            and len(parts) > 1
        ]

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
        if self._persons and key in _PEOPLE:
            return Link("row", start, end)
        if key == self._whole or key in self._rows or (end - start == 1 and key in _ROW_NOUNS):
            return Link("row", start, end)
        if key in self._table:
            return Link("table", start, end)
        return self._value(tokens, start, end, key) or column

    def _column(self, span: Sequence[Token], start: int, end: int) -> Link | None:
        key = "".join(token.stem for token in span)
        whole = self._whole_columns.get(key)
        columns = whole or self._parts_of_columns.get(key)
        return Link("column", start, end, tuple(columns), whole=bool(whole)) if columns else None

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

    def _value(self, tokens: Sequence[Token], start: int, end: int, key: str) -> Link | None:
        held = self._values.get(key, [])
        said = " ".join(token.text for token in tokens[start:end])
        if len(key) <= _SHORT or (end - start == 1 and tokens[start].kind == "number"):
            # So short a name is told from a word by its letters and by what stands before it.
            before = self._before(tokens, start)
            held = [(c, v) for c, v in held if v == said and c in before]
        if not held:
            return None
        columns, values = zip(*held, strict=True)
        return Link("value", start, end, columns, values)

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
        return column.kind == "int" and bool({stem(w) for w in self._names[column]} & _AMOUNTS)

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


def _parts(words: Sequence[str]) -> Iterator[str]:
    """Give what is left of a name when words at its ends are left out."""
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            if end - start < len(words):
                yield joined(list(words[start:end]))


def _value_words(value: str) -> list[str]:
    return [token.word for token in tokens_of(value.replace("_", " ")) if token.kind != "other"]
