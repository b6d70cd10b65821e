"""One question held against one table: the query that it asks for, if it asks for one."""

from collections.abc import Sequence
from itertools import pairwise

from pipelines.tables.conditions import SPENT, Conditions, is_cost
from pipelines.tables.cues import Found
from pipelines.tables.links import Link, Vocabulary
from pipelines.tables.parsed import Parsed, UnclearError, UnreadError
from pipelines.tables.query import Aggregate, Filter, Order, Period, TableQuery
from pipelines.tables.table import Column
from pipelines.tables.words import Token, listed

# Words that carry no condition of their own in a question of this kind.
_EMPTY = frozenset(
    listed(
        "a an the of is are was were be been there did do does have has had in on at for to "
        "with from what how many much all that any i we you me us tell show give list find "
        "please can could our my as value values case cases out carried recorded logged "
        "registered raised listed entered appear appears appeared occur occurs occurred happen "
        "happens happened exist exists held involve involves involved concern concerns "
        "concerned made get gets got see seen common single entire whole time times cost costs "
        "spend spent work works yet"
    )
)
_PERIODS: dict[str, Period] = {"year": "year", "month": "month", "day": "day", "date": "day"}
_PERIODS |= {"years": "year", "months": "month", "days": "day", "dates": "day"}
_ARTICLES = frozenset({"a", "an", "the"})
_NAMED = 2
_ASKER = frozenset({"i", "me", "my"})
# "Tell me" and "can I see" are no more than "please".
_GIVING = frozenset({"tell", "show", "give", "list", "find", "get"})
_ABLE = frozenset({"can", "could"})
_TAKING = frozenset({"get", "see", "find", "have"})
_COMMON = frozenset({"common", "frequent"})


class Attempt:
    """One question held against one table.

    :param vocabulary: What the table can be asked by.
    :param tokens: The question's words.
    """

    def __init__(self, vocabulary: Vocabulary, tokens: Sequence[Token]) -> None:
        self._vocabulary, self._tokens = vocabulary, tokens
        self._parsed = Parsed(vocabulary, tokens)
        self._rows = Conditions(self._parsed)

    @property
    def is_about(self) -> bool:
        """Whether the question names the table, or a thing or numbers of it, to be worked out."""
        counts = self._parsed.has("count")
        if counts and any(
            link.role == "row" and link.start == counts.end and len(self._parsed.links) > 1
            for link in self._parsed.links
        ):
            return True
        ranks = self._parsed.has("most", "least")
        if not self._parsed.has("count", "sum", "average", "highest", "lowest") and not any(
            ranks and link.start == ranks.end and link.role == "row" for link in self._parsed.links
        ):
            return False
        vocabulary, tokens = self._vocabulary, self._tokens
        if any(
            (vocabulary.is_thing(link, tokens) or set(link.columns) & set(value.columns))
            and value.role == "value"
            and value.start == link.end
            for link, value in pairwise(self._parsed.links)
        ):
            return True
        if self._parsed.has("sum", "average") and any(
            link.whole and link.columns[0].is_number for link in self._parsed.links
        ):
            return True
        entities = sum(vocabulary.is_entity(link) for link in self._parsed.links)
        return self._parsed.named >= 1 and self._parsed.named + entities >= _NAMED

    def query(self) -> tuple[int, TableQuery]:
        """Return how many words name the table, and the query.

        :raises UnreadError: When the question is none of it.
        """
        if not self._parsed.cues:
            raise UnreadError("it asks for no count, sum or extreme")
        group, period = self._group()
        if self._tokens[-1].word in _ARTICLES and len(self._tokens) - 1 not in self._parsed.taken:
            raise UnreadError(f'"{self._tokens[-1].text}" stands before nothing')
        for place, token in enumerate(self._tokens):
            if (
                place not in self._parsed.taken
                and token.kind != "quoted"
                and token.word not in _EMPTY
            ):
                raise UnreadError(f'"{token.text}" is neither in the table nor a known word')
        named = self._parsed.named
        exact = any(one.role == "column" and one.whole for one in self._parsed.links)
        values = [one for one in self._parsed.links if one.role == "value"]
        if not (named or exact or len(values) > 1 or any(v.end - v.start > 1 for v in values)):
            raise UnreadError("it names neither the table nor a column of it")
        query = self._shaped(group, period)
        left = [
            one
            for one in self._parsed.links
            if one not in self._parsed.used and one.role not in ("row", "table")
        ]
        if left:
            raise UnreadError(f'"{self._parsed.text(left[0])}" has no place in the query')
        self._check_asker()
        return named, query

    def _check_asker(self) -> None:
        """Refuse "my highest salary": which rows are the asker's, no table tells."""
        for place, token in enumerate(self._tokens):
            if place in self._parsed.taken or token.kind != "word" or token.word not in _ASKER:
                continue
            before, after = (
                self._tokens[n].word if 0 <= n < len(self._tokens) else ""
                for n in (place - 1, place + 1)
            )
            wished = token.word == "me" and before in _GIVING
            asked = token.word == "i" and before in _ABLE and after in _TAKING
            if not wished and not asked:
                raise UnclearError(f'it cannot be told which rows "{token.text}" means')

    def _shaped(self, group: Column | None, period: Period | None) -> TableQuery:
        """Return the query by what kind of question it is."""
        filters = [*self._rows.of_values(group), *self._rows.of_quotes()]
        extreme = self._parsed.has("most", "least", "highest", "lowest", "dear", "cheap")
        moment = self._parsed.has("latest", "earliest")
        sums, averages = self._parsed.has("sum"), self._parsed.has("average")
        counts = self._parsed.has("count")
        order: Order | None = None
        column: Column | None = None
        aggregate: Aggregate
        # "Top 3" and "which three" compare nothing.
        limit = self._top_count() if group is not None else None
        if moment is not None:
            if counts or sums or averages or extreme or group:
                raise UnreadError("it asks for several things at once")
            filters += self._rows.of_numbers(None)
            aggregate, column = self._moment(moment)
            return self._made(aggregate, column, filters, None, None, None, None)
        if self._parsed.has("when"):
            raise UnreadError("it does not say which time: the first or the last")
        target = self._target(group)
        filters += self._rows.of_numbers(target)
        top = self._parsed.has("top")
        ranks = top or self._parsed.has("which", "often")
        if group is not None and ranks and (extreme is not None or top is not None):
            order = "ascending" if extreme and self._is_low(extreme) else "descending"
            limit = limit or 1
            self._parsed.used.update(
                one
                for one in self._parsed.links
                if extreme and one.start == extreme.end and self._vocabulary.is_entity(one)
            )
            aggregate, column = self._ranked(extreme, target, sums, averages, counts)
        elif counts is not None and averages is None and extreme is None:
            aggregate, column = self._counted(counts, target, filters)
        elif sums is not None and averages is None and extreme is None:
            if target is None:
                raise UnreadError("it does not say of which numbers the sum is")
            aggregate, column = "sum", target
        elif averages is not None:
            if sums or counts or extreme or target is None:
                raise UnreadError("it does not say of which numbers the average is")
            aggregate, column = "average", target
        elif extreme is not None:
            if counts or sums or target is None or not self._is_superlative(extreme):
                raise UnreadError("it does not say what is the most or the least")
            aggregate = "minimum" if self._is_low(extreme) else "maximum"
            column = target
        elif (
            group is not None
            and target is None
            and any(one.role == "row" for one in self._parsed.links)
        ):
            aggregate = "count"
        else:
            raise UnreadError("it asks for several things at once")
        if group is None and (
            self._parsed.has("which") and aggregate not in ("minimum", "maximum")
        ):
            raise UnreadError("it does not say which one of what")
        if group is None and aggregate not in ("count", "distinct", "sum"):
            self._check_thing()
        if group is not None and column is not None and column.name in {f.column for f in filters}:
            raise UnreadError(f"it may compare {column.name} of rows or what is made of them")
        return self._made(aggregate, column, filters, group, period, order, limit)

    def _made(
        self,
        aggregate: Aggregate,
        column: Column | None,
        filters: list[Filter],
        group: Column | None,
        period: Period | None,
        order: Order | None,
        limit: int | None,
    ) -> TableQuery:
        equal = [one.column for one in filters if one.operator == "="]
        if len(set(equal)) < len(equal):
            raise UnreadError("it asks for several values of one column")
        return TableQuery(
            table=self._vocabulary.table.name,
            aggregate=aggregate,
            column=column.name if column else None,
            filters=tuple(filters),
            group_by=group.name if group else None,
            period=period,
            order=order,
            limit=limit,
        )

    def _is_superlative(self, cue: Found) -> bool:
        """Whether a cue is of one row: "the highest cost", "which work order cost the most"."""
        if not {"most", "least"} & set(cue.cues):
            return True
        which = self._parsed.has("which")
        return which is not None and any(
            one.role == "row" and one.start == which.end for one in self._parsed.links
        )

    def _check_thing(self) -> None:
        """Refuse what asks for one excavator of a table of work orders, and does not say which."""
        for link, after in zip(self._parsed.links, [*self._parsed.links[1:], None], strict=True):
            if not self._vocabulary.is_thing(link, self._tokens):
                continue
            if after is None or after.start != link.end or after.role not in ("row", "value"):
                raise UnreadError(f"it does not say which {self._parsed.text(link)}")

    def _is_low(self, cue: Found) -> bool:
        return bool({"least", "lowest", "cheap"} & set(cue.cues))

    # What the question is about

    def _group(self) -> tuple[Column | None, Period | None]:
        """Return the column that "per", "which" or "top" stands before, and its part of a date."""
        found: list[tuple[Column, Period | None]] = []
        for cue in self._parsed.cues:
            common = "often" in cue.cues and self._tokens[cue.end - 1].word in _COMMON
            if not {"group", "which", "top"} & set(cue.cues) and not common:
                continue
            place = self._past_number(cue.end)
            period = _PERIODS.get(self._tokens[place].word) if place < len(self._tokens) else None
            link = next((one for one in self._parsed.links if one.start == place), None)
            if link is not None and self._vocabulary.is_thing(link, self._tokens):
                thing = self._vocabulary.thing
                assert thing is not None  # noqa: S101 - it is one
                found.append((thing, None))
            elif link is not None and link.role == "column" and len(link.columns) == 1:
                column = link.columns[0]
                if not column.is_number:
                    self._parsed.used.add(link)
                    found.append((column, period if column.is_moment else None))
                elif "group" in cue.cues and not self._parsed.has("top"):
                    raise UnreadError(f"it groups by the numbers of {column.name}")
            elif period is not None:
                if link is not None:
                    self._parsed.used.add(link)
                self._parsed.taken.add(place)
                found.append((self._parsed.moments(), period))
            elif "group" in cue.cues and not self._parsed.has("top"):
                # "The average cost per work order" is the average of their costs.
                is_row = link is not None and link.role == "row"
                if not (is_row and self._parsed.has("average")):
                    raise UnreadError("it does not say for each of what")
        if len(set(found)) > 1:
            raise UnreadError("it groups by several things")
        return found[0] if found else (None, None)

    def _past_number(self, place: int) -> int:
        is_number = place < len(self._tokens) and self._tokens[place].number is not None
        return place + 1 if is_number else place

    def _top_count(self) -> int | None:
        """Return how many of the first are asked for: "top 3", "which three parts"."""
        for cue in self._parsed.cues:
            if {"top", "which"} & set(cue.cues) and cue.end < len(self._tokens):
                number = self._tokens[cue.end].number
                if isinstance(number, int) and 1 <= number <= 100:
                    self._parsed.conditions = [
                        c for c in self._parsed.conditions if c.start != cue.end
                    ]
                    return number
        return None

    def _ranked(
        self,
        extreme: Found | None,
        target: Column | None,
        sums: Found | None,
        averages: Found | None,
        counts: Found | None,
    ) -> tuple[Aggregate, Column | None]:
        """Return what groups are compared by."""
        if averages is not None and target is not None and not sums and not counts:
            return "average", target
        if sums is not None and target is not None and not counts:
            return "sum", target
        if counts is not None and target is None:
            return "count", None
        if extreme is not None and {"most", "least"} & set(extreme.cues):
            if "often" in extreme.cues or target is None:
                return "count", None
            return "sum", target
        raise UnreadError("it does not say what groups are compared by: a total, an average")

    def _moment(self, cue: Found) -> tuple[Aggregate, Column]:
        after = next((one for one in self._parsed.links if one.start == cue.end), None)
        asked = self._parsed.has("when") is not None
        named = after is not None and after.role == "column" and len(after.columns) == 1
        rows = after is not None and (after.role == "row" or self._vocabulary.is_entity(after))
        if not (named and after is not None and after.columns[0].is_moment) and not (
            asked and (rows or cue.end >= len(self._tokens))
        ):
            raise UnreadError("it does not say the first or last what")
        return ("maximum" if "latest" in cue.cues else "minimum"), self._parsed.moments()

    def _target(self, group: Column | None) -> Column | None:
        """Return the one column of numbers that is asked for."""
        dear = self._parsed.has("dear", "cheap")
        columns = [c for c in self._vocabulary.table.columns if c.is_number]
        named: list[Column] = []
        for link in self._parsed.links:
            numbers = [c for c in link.columns if c.is_number and c != group]
            if link.role == "column" and len(numbers) == 1 == len(link.columns):
                self._parsed.used.add(link)
                named.append(numbers[0])
        said = any(token.word in SPENT for token in self._tokens)
        if dear is not None or (said and not named):
            costs = [c for c in columns if is_cost(c)]
            if len(costs) != 1:
                raise UnreadError("it does not say which column is the cost")
            named.append(costs[0])
        distinct = list(dict.fromkeys(named))
        if len(distinct) > 1:
            raise UnreadError("it names several columns of numbers")
        return distinct[0] if distinct else None

    def _counted(
        self, cue: Found, target: Column | None, filters: Sequence[Filter]
    ) -> tuple[Aggregate, Column | None]:
        """Return what "how many" counts: rows, different values, or what a column has counted."""
        if "times" in cue.cues and filters and target is None:
            return "count", None
        phrase = self._phrase(cue.end)
        if not phrase:
            raise UnreadError("it does not say how many of what")
        first, last = phrase[0], phrase[-1]
        is_used = any(target is not None and f.column == target.name for f in filters)
        if target is not None and not is_used:
            if last.role == "column" and self._vocabulary.is_amount(target):
                return "sum", target
            raise UnreadError(f"it does not say what of {target.name} to count")
        is_row = any(one.role == "row" for one in phrase)
        pieces = self._vocabulary.pieces(only_stock=is_row)
        if pieces is not None and "distinct" not in cue.cues and (is_row or first.role == "value"):
            raise UnclearError(f"it may count rows or add up {pieces.name}")
        entities = [one for one in phrase if self._vocabulary.is_entity(one)]
        self._parsed.used.update(entities)
        if "distinct" not in cue.cues and (entities or is_row):
            return "count", None
        if self._vocabulary.is_thing(last, self._tokens):
            return "distinct", self._vocabulary.thing
        if last.role == "column" and len(last.columns) == 1:
            column = last.columns[0]
            if "distinct" in cue.cues or not filters:
                self._parsed.used.add(last)
                return "distinct", column
            raise UnreadError(f"it may count rows or different values of {column.name}")
        if first.role == "value" and "distinct" not in cue.cues:
            return "count", None
        raise UnreadError("it does not say how many of what")

    def _phrase(self, place: int) -> list[Link]:
        """Return what names the thing counted: the names right behind a cue, and those joined."""
        phrase: list[Link] = []
        for link in self._parsed.links:
            if link.start < place or (phrase and link.start != phrase[-1].end):
                continue
            between = self._tokens[place : link.start]
            if phrase or all(token.word in ("of", "the", "all") for token in between):
                phrase.append(link)
        return phrase
