"""What a question counts: rows, different values, or what a column has counted already."""

from collections.abc import Sequence

from pipelines.tables.column_names import said_of
from pipelines.tables.cues import Found
from pipelines.tables.links import Link
from pipelines.tables.measures import has_currency, is_cost
from pipelines.tables.parsed import Parsed, UnclearError, UnreadError
from pipelines.tables.query import Aggregate, Filter
from pipelines.tables.table import Column
from pipelines.tables.words import UNITS, is_plural, joined, listed

Made = tuple[Aggregate, Column | None]
"""What is made of the rows, and of which column."""
_OCCURRING = frozenset(
    listed("appear appears appeared occur occurs occurred happen happens happened listed recorded")
)
_BEFORE = frozenset(listed("of the all our these those"))
_BEING = frozenset({"are", "was", "were"})


class Counts:
    """Finds out what is counted.

    :param parsed: The question held against the table.
    """

    def __init__(self, parsed: Parsed) -> None:
        self._parsed, self._vocabulary = parsed, parsed.vocabulary

    def counted(self, cue: Found, target: Column | None, filters: Sequence[Filter]) -> Made:
        """Return what "how many" counts.

        :param target: The column of numbers that is named, if there is one.
        """
        if "times" in cue.cues and filters and target is None:
            return "count", None
        phrase = self._phrase(cue.end)
        if not phrase and self._only_says(cue.end) and filters:
            return self.rows(filters)
        if not phrase and cue.end >= len(self._parsed.tokens):
            # "Calls before June, how many"
            phrase = [one for one in self._parsed.links if one.role == "row"][:1]
        if not phrase:
            raise UnreadError("it does not say how many of what")
        first, last = phrase[0], phrase[-1]
        is_distinct = "distinct" in cue.cues
        is_used = any(target is not None and f.column == target.name for f in filters)
        if target is not None and not is_used:
            if target in last.columns and last.role == "column":
                if is_distinct or (self._vocabulary.naming.is_numbering(target) and not filters):
                    return "distinct", target
                if self._vocabulary.is_amount(target):
                    return "sum", target
            is_all = last == self._whole_of(target) or (
                self._parsed.has("sum") and last.columns == (target,)
            )
            if is_all and not is_distinct and self._is_added(target):
                return "sum", target
            if target == self._vocabulary.pieces(only_stock=True) and not is_distinct:
                if any(one.role == "row" for one in phrase) and not self._parsed.has("sum"):
                    raise UnclearError(f"it may count rows or add up {target.name}")
                if all(one.role in ("value", "row") for one in phrase):
                    return "sum", target
            raise UnreadError(f"it does not say what of {target.name} to count")
        is_row = any(one.role == "row" for one in phrase)
        if not is_distinct:
            self._check_pieces(phrase)
        entities = self._entities(phrase)
        self._parsed.used.update(entities)
        if not is_distinct and (entities or is_row):
            return self.rows(filters)
        if self._vocabulary.is_thing(last, self._parsed.tokens):
            return "distinct", self._vocabulary.thing
        if last.role == "column" and len(last.columns) == 1:
            column = last.columns[0]
            if is_distinct or not filters:
                self._parsed.used.add(last)
                return "distinct", column
            raise UnreadError(f"it may count rows or different values of {column.name}")
        if first.role == "value" and not is_distinct:
            return "count", None
        raise UnreadError("it does not say how many of what")

    def _only_says(self, place: int) -> bool:
        """Whether a verb follows "how many" and no thing: "how many were hired before 2015"."""
        return any(token.word in _BEING for token in self._parsed.tokens[place : place + 1])

    def _whole_of(self, column: Column) -> Link | None:
        """Return the link that names a column in full, if there is one."""
        links = (one for one in self._parsed.links if one.whole and one.columns == (column,))
        return next(links, None)

    def _is_added(self, column: Column, *, is_row_word: bool = True) -> bool:
        """Whether a column's numbers count things, or measure what adds up: "Goals", "Km".

        A floor, a grade or an age does not, nor does a price; and "how many donations" asks for
        rows rather than for the euros in a column of that name.

        :param is_row_word: Whether such a column's name may be for the rows.
        """
        if is_cost(column) or self._vocabulary.naming.is_numbering(column) or has_currency(column):
            return False
        words = said_of(column)
        if is_row_word and joined(words) in self._vocabulary.row_words:
            return False
        return any(is_plural(word) for word in words) or set(words) <= UNITS

    def is_first_of(self, column: Column) -> bool:
        """Whether a question begins with what a column of numbers adds up: "hours per team"."""
        first = next((one for one in self._parsed.links if one.role != "table"), None)
        is_named = first is not None and first == self._whole_of(column)
        return is_named and self._is_added(column, is_row_word=False)

    def is_of(self, cue: Found, column: Column) -> bool:
        """Whether "how many" stands before a column of numbers: "how many pages on average"."""
        phrase = self._phrase(cue.end)
        return bool(phrase) and phrase[-1] == self._whole_of(column)

    def most(self, cue: Found, filters: Sequence[Filter]) -> Made:
        """Return what groups have the most of, where no column of numbers is named.

        :param cue: What stands before it: "the most", "the number of".
        """
        tokens = self._parsed.tokens
        phrase = self._phrase(cue.end)
        entities = self._entities(phrase)
        if entities or any(one.role == "row" for one in phrase):
            self._check_pieces(phrase)
            self._parsed.used.update(entities)
            return self.rows(filters)
        before = cue.start - (cue.start > 0 and tokens[cue.start - 1].word == "the")
        if "often" in cue.cues or (before and tokens[before - 1].word in _OCCURRING):
            return self.rows(filters)
        if any(one.role == "value" for one in phrase):
            self._check_pieces(phrase)
            return "count", None
        if any(one.role == "row" and one.end == before for one in self._parsed.links):
            # "Ordered the most" may be of pieces and of money, too.
            columns = self._vocabulary.table.columns
            costs = [column for column in columns if column.is_number and is_cost(column)]
            for column in (self._vocabulary.pieces(only_stock=False), *costs):
                if column is not None:
                    raise UnclearError(f"it may count rows or add up {column.name}")
            return self.rows(filters)
        raise UnreadError("it does not say what there is the most of")

    def rows(self, filters: Sequence[Filter]) -> Made:
        """Return what counts rows: different numbers where several rows share the one they have."""
        column = self._repeated
        if column is None:
            return "count", None
        if any(one.operator == "!=" or one.value is False for one in filters):
            raise UnclearError(f"several rows have one {column.name}")
        return "distinct", column

    def check_single(self) -> None:
        """Refuse to take each row for one of what rows are called where several may be one."""
        if self._repeated is not None:
            raise UnclearError(f"several rows have one {self._repeated.name}")

    @property
    def _repeated(self) -> Column | None:
        """The column that numbers what rows are called, unless "rows" or "lines" of it are."""
        links = [link for link in self._parsed.links if link.role == "row"]
        found = {self._vocabulary.repeated(link, self._parsed.tokens) for link in links}
        return found.pop() if len(found) == 1 else None

    def _check_pieces(self, phrase: Sequence[Link]) -> None:
        tokens = self._parsed.tokens
        if any(self._vocabulary.is_named_row(one, tokens) for one in phrase):
            # An item is one row, unless the row says how many of it there are.
            pieces = self._vocabulary.pieces(only_stock=False)
            if pieces not in (None, self._vocabulary.pieces(only_stock=True)):
                raise UnclearError(f"it may count rows or add up {pieces.name}")
            return
        is_row = any(one.role == "row" for one in phrase)
        pieces = self._vocabulary.pieces(only_stock=is_row)
        if pieces is not None and (is_row or any(one.role == "value" for one in phrase)):
            raise UnclearError(f"it may count rows or add up {pieces.name}")

    def _entities(self, phrase: Sequence[Link]) -> list[Link]:
        """Return what is one in each row: not what a column has numbers of, such as injuries."""
        return [
            one
            for one in phrase
            if self._vocabulary.is_entity(one) and not any(c.is_number for c in one.columns)
        ]

    def _phrase(self, place: int) -> list[Link]:
        """Return what names the thing counted: the names right behind a cue, and those joined."""
        phrase: list[Link] = []
        for link in self._parsed.links:
            if link.start < place or (phrase and link.start != phrase[-1].end):
                continue
            between = self._parsed.tokens[place : link.start]
            if phrase or all(token.word in _BEFORE for token in between):
                phrase.append(link)
        return phrase
