"""Which rows a question is about: the conditions that its values, numbers and dates set."""

from dataclasses import replace

from pipelines.tables.cues import NO_YEAR, Condition
from pipelines.tables.links import Link
from pipelines.tables.measures import is_cost, units_of
from pipelines.tables.parsed import OutOfRangeError, Parsed, UnclearError, UnreadError
from pipelines.tables.query import Filter
from pipelines.tables.table import Column
from pipelines.tables.words import CURRENCIES, listed, name_words, stem

SPENT = frozenset(listed("cost costs spend spent spending"))
"""Words that ask for what something cost."""
_WAS = frozenset(listed("was were been not wasn't weren't wasn’t weren’t"))
_BEING = frozenset(listed("is are was were be been"))
# Verbs that say what was done, beside those in "-ed".
_DONE = frozenset(
    listed("done paid sent sold bought lost won built made held met kept given taken")
)
# Say in the name of a column of yes and no that it is so.
_SAYING = frozenset(
    listed("is are has have with was in of the a included available allowed paid y n yes no")
)
_BEFORE_NOUNS = frozenset(listed("a an the of on for in at by from to with"))
_STATES = frozenset(listed("status state stage phase"))
_WAYS = {
    "from": frozenset(listed("from origin departure dep start source")),
    "to": frozenset(listed("to destination dest arrival arr end target")),
}
# What these compare, by words of a column's name.
_COMPARED = {
    word: frozenset(listed(measures))
    for words, measures in (
        ("cheaper", "price cost amount fee fare rate"),
        ("heavier lighter", "weight wt mass kg g"),
        ("taller", "height cm m"),
        ("larger bigger smaller", "area size hectares ha acres sqm m2 total"),
        ("longer shorter", "length duration distance time minutes mins hours days km m"),
        ("wider", "width cm m mm"),
    )
    for word in listed(words)
}
_FIRST_YEAR, _LAST_YEAR = 1800, 2199
_WHOLE_DAY = len("2012-03-09")
# Words between a column's name and the value or number that it is compared with.
_NEAR = 4


class Conditions:
    """Makes filters of what a question says of a table's rows.

    :param parsed: The question held against the table.
    """

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._compared: set[Link] = set()

    def of_values(self, group: Column | None) -> list[Filter]:
        """Return the conditions that columns have the values named, and truths are true.

        :param group: The column that rows are grouped by, of which no value may be named.
        :raises UnclearError: When a value may be of several columns.
        """
        filters: list[Filter] = []
        for link in self._parsed.links:
            if link.is_truth and link not in self._parsed.used:
                self._check_said(link)
                self._parsed.used.add(link)
                if link.negated:
                    self._check_all_say(link.columns[0])
                elif not link.whole and any(f.column == link.columns[0].name for f in filters):
                    continue  # "not paid the fee" names its column in two pieces
                filters.append(Filter(column=link.columns[0].name, value=not link.negated))
            if link.role != "value":
                continue
            columns = self._hinted(link)
            self._check_way(link, columns)
            if len(columns) != 1:
                names = " or ".join(dict.fromkeys(column.name for column in columns))
                raise UnclearError(f'"{self._parsed.text(link)}" may be {names}')
            self._parsed.used.add(link)
            value = link.values[link.columns.index(columns[0])]
            if columns[0] == group:
                raise UnreadError(f"it both names and asks for {columns[0].name}")
            if link.negated:
                self._check_all_say(columns[0])
                if self._parsed.vocabulary.values.joint(columns[0], value):
                    raise UnclearError(f"some rows name {value} beside another {columns[0].name}")
            operator = "!=" if link.negated else "="
            filters.append(Filter(column=columns[0].name, operator=operator, value=value))
        return filters

    def _check_said(self, link: Link) -> None:
        """Refuse "have insurance" for "Insurance expired", which says something else."""
        (column,) = link.columns
        said = {
            token.stem
            for one in self._parsed.links
            if column in one.columns
            for token in self._parsed.tokens[one.start : one.end]
        }
        left = {stem(word) for word in name_words(column.name) if word not in _SAYING} - said
        if not link.whole and left:
            raise UnreadError(f'"{self._parsed.text(link)}" is not all of {column.name}')

    def _check_all_say(self, column: Column) -> None:
        """Refuse to say which rows do not have a value where some leave it open."""
        if None in self._parsed.vocabulary.table.values_of(column):
            raise UnclearError(f"rows without {column.name} may be meant, too,")

    def _hinted(self, link: Link) -> tuple[Column, ...]:
        """Return a value's columns, or the one of them that is named beside it."""
        hints = [
            one
            for one in self._parsed.links
            if one.role == "column"
            and set(one.columns) & set(link.columns)
            and min(abs(link.start - one.end), abs(one.start - link.end)) <= _NEAR
        ]
        for hint in hints:
            self._parsed.used.add(hint)
        named = [c for c in link.columns if any(c in hint.columns for hint in hints)]
        return tuple(named) if named else link.columns

    def _check_way(self, link: Link, columns: tuple[Column, ...]) -> None:
        """Refuse "to Berlin" for what starts there, where columns tell the two apart."""
        before = self._word_before(link.start)
        other = _WAYS.get({"from": "to", "to": "from"}.get(before, ""))
        if other is not None and all(other & set(name_words(column.name)) for column in columns):
            raise UnreadError(f'"{before} {self._parsed.text(link)}" is no {columns[0].name}')

    def of_quotes(self) -> list[Filter]:
        """Return the condition that a column's text is, or holds, what is quoted."""
        quoted = [token for token in self._parsed.tokens if token.kind == "quoted"]
        if not quoted:
            if self._parsed.has("holds"):
                raise UnreadError("what a text holds is to be in quotes")
            return []
        texts = [
            (link, column)
            for link in self._parsed.links
            if link.role == "column"
            for column in link.columns
            if column.kind == "text"
        ]
        if len(texts) != 1 or len(quoted) != 1:
            raise UnreadError("it does not say which column holds what is quoted")
        link, column = texts[0]
        self._parsed.used.add(link)
        operator = "contains" if self._parsed.has("holds") else "="
        return [Filter(column=column.name, operator=operator, value=quoted[0].text)]

    def of_numbers(self, target: Column | None) -> list[Filter]:
        """Return the conditions that compare with numbers and dates.

        :param target: The column that is asked for.
        """
        return [self._filter(one, target) for one in self._parsed.conditions]

    def _filter(self, one: Condition, target: Column | None) -> Filter:
        if one.is_date and (column := self._years(one)) is not None:
            return Filter(column=column.name, operator=one.operator, value=int(one.values[0]))
        if one.is_date:
            column = self._parsed.moments()
            one = self._with_year(column, one)
            self._check_range(column, one)
            self._check_own(column, one)
            self._check_from(one)
        else:
            column = self._numbers(one, target)
            self._check_unit(column, one)
        value = one.values if len(one.values) == 2 else one.values[0]
        return Filter(column=column.name, operator=one.operator, value=value)

    def _years(self, one: Condition) -> Column | None:
        """Return the column of years that is named before one: "built before 2000"."""
        if len(one.values) > 1 or len(str(one.values[0])) != len("2012"):
            return None
        for link in self._parsed.links:
            column = link.columns[0] if link.role == "column" and len(link.columns) == 1 else None
            if column is None or column.kind != "int" or not 0 <= one.start - link.end <= _NEAR:
                continue
            values = self._parsed.vocabulary.table.values_of(column)
            if all(value is None or _FIRST_YEAR <= int(value) <= _LAST_YEAR for value in values):
                self._parsed.used.add(link)
                return column
        return None

    def _with_year(self, column: Column, one: Condition) -> Condition:
        """Return a condition with the year of all dates where none is said."""
        if not any(str(value).startswith(NO_YEAR) for value in one.values):
            return one
        held = self._parsed.vocabulary.table.values_of(column)
        years = {str(value)[: len(NO_YEAR)] for value in held if value is not None}
        if len(years) != 1:
            raise UnreadError("it does not say which year")
        (year,) = years
        values = tuple(str(value).replace(NO_YEAR, year) for value in one.values)
        if list(values) != sorted(values):
            raise UnreadError("it goes over the turn of a year")
        return replace(one, values=values)

    def _numbers(self, one: Condition, target: Column | None) -> Column:
        near = [
            link
            for link in self._parsed.links
            if link.role == "column"
            and len(link.columns) == 1
            and link.columns[0].is_number
            and (0 <= one.start - link.end <= _NEAR or link.start == one.end)
        ]
        if not one.named and not any(
            link.start == one.end or link.end == one.start for link in near
        ):
            raise UnreadError(f"it does not say what {one.values[0]} is")
        if not one.named and self._parsed.tokens[one.start].year is not None:
            raise UnreadError(f"{one.values[0]} may be a year")
        if not near and (column := self._of_currency(one)) is not None:
            return column
        costs = self._parsed.tokens[max(0, one.start - 1)].word in SPENT
        if near and not costs:
            link, compared = near[-1], self._parsed.tokens[one.start].word
            measure = _COMPARED.get(compared)
            if link in self._compared or (
                measure is not None and not measure & set(name_words(link.columns[0].name))
            ):
                raise UnreadError(f"it does not say what is compared with {one.values[0]}")
            self._compared.add(link)
            self._parsed.used.add(link)
            return link.columns[0]
        if costs and target is not None and is_cost(target):
            return target
        raise UnreadError(f"it does not say what is compared with {one.values[0]}")

    def _check_own(self, column: Column, one: Condition) -> None:
        """Refuse "paid in March": when that was, no other date tells."""
        for link in self._parsed.links:
            if link.end == one.start and (link.is_truth or self._was_so(link)):
                self._refuse_date(link, column)
        self.check_done(column, one.start)

    def check_done(self, column: Column, until: int | None = None) -> None:
        """Refuse to date by a column what was done, which may have been at another time.

        :param until: The place before which that is said; anywhere by default.
        :raises UnclearError: When a question says that something was done.
        """
        for link in self._parsed.links:
            if self._is_done(link) and (until is None or link.end <= until):
                self._refuse_date(link, column)

    def _refuse_date(self, link: Link, column: Column) -> None:
        raise UnclearError(
            f'"{self._parsed.text(link)}" may have been at another time than {column.name}'
        )

    def _is_done(self, link: Link) -> bool:
        """Whether words say what was done, "were paid", and not which it is: "paid invoices"."""
        last = self._parsed.tokens[link.end - 1].word
        if not link.is_condition:
            return False
        is_noun = self._word_before(link.start) in _BEFORE_NOUNS or any(
            (other.start == link.end and other.role != "value")
            or (other.end == link.start and set(other.columns) & set(link.columns))
            for other in self._parsed.links
        )
        return not is_noun and (last.endswith("ed") or last in _DONE)

    def _was_so(self, link: Link) -> bool:
        """Whether words say in which state something was."""
        is_state = any(_STATES & set(name_words(column.name)) for column in link.columns)
        return link.role == "value" and is_state and self._word_before(link.start) in _WAS

    def _word_before(self, place: int) -> str:
        return self._parsed.tokens[place - 1].word if place else ""

    def _check_from(self, one: Condition) -> None:
        """Refuse "hired from 2018", which may be since; "invoices from 2018" are of that year."""
        if one.operator != "=" or self._parsed.tokens[one.start].word != "from":
            return
        after = self._parsed.tokens[one.end : one.end + 1]
        named = any(
            link.end == one.start and link.role in ("row", "value") for link in self._parsed.links
        )
        is_of = named or self._word_before(one.start) in _BEING
        if not is_of or len(str(one.values[0])) >= _WHOLE_DAY or [t.word for t in after] == ["on"]:
            raise UnclearError(f"from {one.values[0]} may be in it, or since it,")

    def _check_unit(self, column: Column, one: Condition) -> None:
        """Refuse to compare euros with dollars, or a share with hours."""
        for unit in sorted(self._units(one) - units_of(column)):
            raise UnclearError(f"{unit} is not the unit of {column.name}")

    def _units(self, one: Condition) -> set[str]:
        tokens = self._parsed.tokens[one.start : one.end]
        called = {sign for sign, words in CURRENCIES.items() for t in tokens if t.word in words}
        return called | {token.text for token in tokens if token.kind == "unit"}

    def _of_currency(self, one: Condition) -> Column | None:
        """Return the one column that writes the currency of a number: "over $900"."""
        units = self._units(one) - {"%"}
        columns = self._parsed.vocabulary.table.columns
        written = [column for column in columns if column.is_number and units_of(column) & units]
        return written[0] if len(written) == 1 and one.named else None

    def _check_range(self, column: Column, one: Condition) -> None:
        """Refuse dates of which the table knows nothing."""
        held = self._parsed.vocabulary.table.values_of(column)
        values = sorted(str(value) for value in held if value is not None)
        first, last = values[0], values[-1]
        for value in map(str, one.values):
            if not first[: len(value)] <= value <= last[: len(value)]:
                raise OutOfRangeError(f"{column.name} goes from {first[:10]} to {last[:10]}")
