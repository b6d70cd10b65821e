"""One question held against one table: the query that it asks for, if it asks for one."""

from collections.abc import Sequence
from itertools import pairwise

from pipelines.tables.conditions import SPENT, Conditions
from pipelines.tables.counts import Counts, Made
from pipelines.tables.cues import Cue, Found
from pipelines.tables.fillers import check_asker, check_left_over, check_moment, check_rows
from pipelines.tables.links import Link, Vocabulary
from pipelines.tables.listing import Listing, past_number
from pipelines.tables.measures import check_measure, has_bounds, has_currency, is_cost
from pipelines.tables.moments import Moments
from pipelines.tables.parsed import Parsed, UnclearError, UnreadError
from pipelines.tables.query import Aggregate, Filter, Order, Period, TableQuery
from pipelines.tables.table import Column
from pipelines.tables.words import Token, listed, name_words, stem

_PERIODS: dict[str, Period] = {"year": "year", "month": "month", "day": "day", "date": "day"}
_PERIODS |= {"years": "year", "months": "month", "days": "day", "dates": "day"}
_NAMED = 2
_COMMON = frozenset({"common", "frequent"})
_SPEEDS = frozenset({"speed", "speeds", "velocity"})
# What numbers are of that are the most or the least of these.
_MEASURED = {
    stem(word): frozenset(map(stem, listed(columns)))
    for words, columns in (
        ("heaviest lightest", "weight wt mass"),
        ("longest shortest", "length duration distance"),
        ("tallest", "height"),
        ("largest biggest smallest", "area size total hectares ha acres sqm"),
        ("fastest slowest", "speed"),
    )
    for word in listed(words)
}
# Of each of these a question asks one thing.
_ASKED_ONCE: tuple[tuple[Cue, ...], ...] = (
    ("count",),
    ("sum",),
    ("average",),
    ("most", "least", "highest", "lowest"),
    ("latest", "earliest"),
    ("top",),
)


class Attempt:
    """One question held against one table.

    :param vocabulary: What the table can be asked by.
    :param tokens: The question's words.
    """

    def __init__(self, vocabulary: Vocabulary, tokens: Sequence[Token]) -> None:
        self._vocabulary, self._tokens = vocabulary, tokens
        self._parsed = Parsed(vocabulary, tokens)
        self._rows, self._counts = Conditions(self._parsed), Counts(self._parsed)
        self._listing, self._moments = Listing(self._parsed), Moments(self._parsed)

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
        if not self._parsed.cues and not self._listing.opens:
            raise UnreadError("it asks for no count, sum or extreme")
        check_moment(self._parsed)
        if self._parsed.unclear:
            raise UnclearError(self._parsed.unclear)
        group, period = self._group()
        check_left_over(self._parsed)
        named = self._parsed.named
        exact = any(
            one.role == "column" and (one.whole or (len(one.columns) == 1 and self._dates(one)))
            for one in self._parsed.links
        )
        values = [one for one in self._parsed.links if one.role == "value"]
        # "The cheapest tyre", where one column holds tyres and one what things cost.
        costs = any(token.word in SPENT for token in self._tokens) and self._parsed.conditions
        priced = bool(values) and bool(costs or self._parsed.has("dear", "cheap"))
        # "How many dogs", where one column holds dogs.
        counts = self._parsed.has("count")
        columns = self._vocabulary.table.columns
        # Where rows are events, several may be of one dog.
        is_each = self._vocabulary.naming.columns and not any(c.is_moment for c in columns)
        priced |= any(counts and is_each and one.start == counts.end for one in values)
        several = len(values) > 1 or any(v.end - v.start > 1 for v in values)
        if not (named or exact or several or priced):
            raise UnreadError("it names neither the table nor a column of it")
        query = self._shaped(group, period)
        left = [
            one
            for one in self._parsed.links
            if one not in self._parsed.used and one.role not in ("row", "table")
        ]
        if left:
            raise UnreadError(f'"{self._parsed.text(left[0])}" has no place in the query')
        check_asker(self._parsed)
        check_rows(self._parsed)
        return named, query

    def _shaped(self, group: Column | None, period: Period | None) -> TableQuery:
        """Return the query by what kind of question it is."""
        for kinds in _ASKED_ONCE:
            if sum(bool(set(kinds) & set(cue.cues)) for cue in self._parsed.cues) > 1:
                raise UnreadError("it asks for several things at once")
        filters = [*self._rows.of_values(group), *self._rows.of_quotes()]
        extreme = self._parsed.has("most", "least", "highest", "lowest", "dear", "cheap")
        moment = self._parsed.has("latest", "earliest")
        sums, averages = self._parsed.has("sum"), self._parsed.has("average")
        counts = self._parsed.has("count")
        order: Order | None = None
        column: Column | None = None
        aggregate: Aggregate
        top = self._parsed.has("top")
        rows_ranked = group is None and self._listing.ranks()
        if top is not None and (
            (group is None and not rows_ranked) or (counts and counts.start < top.start)
        ):
            raise UnreadError("it does not say the top of what")
        if rows_ranked and (counts or sums or averages or moment):
            raise UnreadError("it asks for something of the first rows only")
        # "Top 3" and "which three" compare nothing.
        limit = self._listing.count() if group is not None or rows_ranked else None
        if moment is not None:
            if counts or sums or averages or extreme or group:
                raise UnreadError("it asks for several things at once")
            filters += self._rows.of_numbers(None)
            aggregate, column = self._moments.made(moment)
            return self._made(aggregate, column, filters, None, None, None, None)
        if self._parsed.has("when"):
            raise UnreadError("it does not say which time: the first or the last")
        target = self._target(group)
        filters += self._rows.of_numbers(target)
        ranks = top or self._parsed.has("which", "often")
        if group is not None and ranks and (extreme is not None or top is not None):
            order = "ascending" if extreme and self._is_low(extreme) else "descending"
            limit = limit or 1
            aggregate, column = self._ranked(target, filters)
        elif counts is not None and averages is None and extreme is None:
            aggregate, column = self._counts.counted(counts, target, filters)
        elif sums is not None and averages is None and extreme is None:
            if target is None:
                raise UnreadError("it does not say of which numbers the sum is")
            aggregate, column = "sum", target
        elif averages is not None:
            of_target = counts and target and self._counts.is_of(counts, target)
            if sums or (counts and not of_target) or extreme or target is None:
                raise UnreadError("it does not say of which numbers the average is")
            self._counts.check_single()
            aggregate, column = "average", target
        elif rows_ranked and target is not None:
            self._counts.check_single()
            aggregate, column, limit = "none", target, limit or 1
            order = "ascending" if extreme and self._is_low(extreme) else "descending"
        elif extreme is not None:
            if target is not None and has_bounds(target, self._vocabulary.table.columns):
                raise UnreadError(f"another column has the least or the most of {target.name}")
            if counts or sums or target is None or not self._is_superlative(extreme):
                raise UnreadError("it does not say what is the most or the least")
            self._counts.check_single()
            aggregate = "minimum" if self._is_low(extreme) else "maximum"
            column = target
        elif group is not None and target is not None and self._counts.is_first_of(target):
            aggregate, column = "sum", target
        elif (
            self._parsed.has("group")
            and target is None
            and top is None
            and any(one.role == "row" for one in self._parsed.links)
        ):
            aggregate, column = self._counts.rows(filters)
        elif group is None and self._listing.lists(target, filters):
            self._counts.check_single()
            aggregate, column = "none", None
        else:
            raise UnreadError("it asks for several things at once")
        if group is None and (
            self._parsed.has("which") and aggregate not in ("minimum", "maximum", "none")
        ):
            raise UnreadError("it does not say which one of what")
        if group is None and aggregate not in ("count", "distinct", "sum", "none"):
            self._check_thing()
        if group is not None and column is not None and column.name in {f.column for f in filters}:
            raise UnreadError(f"it may compare {column.name} of rows or what is made of them")
        if group is not None and period is not None:
            self._rows.check_done(group)
        if column is not None and aggregate not in ("count", "distinct"):
            compared = group if order is None else None
            check_measure(self._vocabulary, aggregate, column, filters, compared)
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

    def _dates(self, link: Link) -> bool:
        """Whether a column's name says when: "hired before 2015"."""
        return any(0 <= one.start - link.end <= 1 for one in self._parsed.conditions if one.is_date)

    def _is_low(self, cue: Found) -> bool:
        return bool({"least", "lowest", "cheap"} & set(cue.cues))

    # What the question is about

    def _group(self) -> tuple[Column | None, Period | None]:
        """Return the column that "per", "which" or "top" stands before, and its part of a date."""
        found: list[tuple[Column, Period | None]] = []
        asks_rows = self._tokens[0].word == "who"
        for cue in self._parsed.cues:
            common = "often" in cue.cues and self._tokens[cue.end - 1].word in _COMMON
            if not {"group", "which", "top"} & set(cue.cues) and not common:
                continue
            if self._is_by_value(cue):
                continue
            place = self._past_kind(past_number(self._tokens, cue.end))
            period = _PERIODS.get(self._tokens[place].word) if place < len(self._tokens) else None
            link = next((one for one in self._parsed.links if one.start == place), None)
            is_row = link is not None and link.role == "row"
            asks_rows |= is_row and "group" not in cue.cues
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
            # "The average cost per work order" is the average of their costs.
            elif (
                "group" in cue.cues
                and not self._parsed.has("top")
                and not (is_row and self._parsed.has("average"))
            ):
                raise UnreadError("it does not say for each of what")
        if len(set(found)) > 1:
            raise UnreadError("it groups by several things")
        if found and asks_rows and self._parsed.has("group"):
            raise UnreadError("it asks for rows, and for groups of them")
        return found[0] if found else (None, None)

    def _is_by_value(self, cue: Found) -> bool:
        """Whether "by" stands before who or what did it: "paid by card"."""
        return self._tokens[cue.start].word == "by" and any(
            link.role == "value" and link.start == cue.end for link in self._parsed.links
        )

    def _past_kind(self, place: int) -> int:
        """Return the place past "type of", unless a column is called so."""
        words = [token.word for token in self._tokens[place : place + 2]]
        named = any(one.start == place for one in self._parsed.links)
        return place + 2 if words in (["type", "of"], ["kind", "of"]) and not named else place

    def _ranked(self, target: Column | None, filters: Sequence[Filter]) -> Made:
        """Return what groups are compared by."""
        sums, averages = self._parsed.has("sum"), self._parsed.has("average")
        counts = self._parsed.has("count")
        most = self._parsed.has("most", "least")
        is_used = target is not None and target.name in {one.column for one in filters}
        if most is not None and counts is not None and counts.start == most.end and target:
            # "The least number of laps", where the laps have a column.
            counts = None
        if averages is not None and target is not None and not sums and not counts:
            return "average", target
        if averages is None and counts is None and target is not None and not is_used:
            if sums is not None or (most is not None and "often" not in most.cues):
                # "Scored the most goals": several columns are of goals, one is named.
                self._parsed.used.update(
                    one
                    for one in self._parsed.links
                    if most and one.start == most.end and target in one.columns
                )
                return "sum", target
        elif averages is None and (target is None or is_used):
            cue = counts or most
            if cue is not None and "distinct" not in cue.cues:
                return self._counts.most(cue, filters)
        raise UnreadError("it does not say what groups are compared by: a total, an average")

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
            if any(map(has_currency, columns)):
                costs = [c for c in costs if has_currency(c)]
            if len(costs) != 1:
                raise UnreadError("it does not say which column is the cost")
            named.append(costs[0])
        if not named:
            named += self._measured(columns)
        elif self._is_of_speed and not any(_SPEEDS & set(name_words(c.name)) for c in named):
            raise UnreadError("the fastest may have the least of it")
        distinct = list(dict.fromkeys(named))
        if len(distinct) > 1:
            raise UnreadError("it names several columns of numbers")
        return distinct[0] if distinct else None

    @property
    def _is_of_speed(self) -> bool:
        cue = self._parsed.has("highest", "lowest")
        return cue is not None and self._tokens[cue.end - 1].word in ("fastest", "slowest")

    def _measured(self, columns: Sequence[Column]) -> list[Column]:
        """Return the column of numbers that a superlative is of: weights of "the heaviest"."""
        cue = self._parsed.has("highest", "lowest")
        wanted = _MEASURED.get(self._tokens[cue.end - 1].stem) if cue is not None else None
        if wanted is None:
            return []
        found = [c for c in columns if wanted & {stem(word) for word in name_words(c.name)}]
        return found if len(found) == 1 else []
