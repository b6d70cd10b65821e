"""What a question asks of a table, by its words alone: counts, sums, extremes, conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.tables.query import Operator
from pipelines.tables.words import CURRENCIES, MONTHS, Token

Cue = Literal[
    "count",
    "sum",
    "average",
    "most",
    "least",
    "highest",
    "lowest",
    "dear",
    "cheap",
    "latest",
    "earliest",
    "distinct",
    "group",
    "which",
    "when",
    "top",
    "often",
    "holds",
    "times",
]

# Longer ones first where one begins another.
_PHRASES: tuple[tuple[str, tuple[Cue, ...]], ...] = (
    ("how many different", ("count", "distinct")),
    ("how many distinct", ("count", "distinct")),
    ("how many times", ("count", "times")),
    ("how many", ("count",)),
    ("how often", ("count", "times")),
    ("number of different", ("count", "distinct")),
    ("number of distinct", ("count", "distinct")),
    ("total number of", ("count",)),
    ("number of", ("count",)),
    ("count of", ("count",)),
    ("count", ("count",)),
    ("grand total", ("sum",)),
    ("in total", ("sum",)),
    ("all together", ("sum",)),
    ("together", ("sum",)),
    ("total", ("sum",)),
    ("totals", ("sum",)),
    ("sum", ("sum",)),
    ("altogether", ("sum",)),
    ("on average", ("average",)),
    ("average number of", ("average",)),
    ("average", ("average",)),
    ("the mean", ("average",)),
    ("most expensive", ("highest", "dear")),
    ("most costly", ("highest", "dear")),
    ("costliest", ("highest", "dear")),
    ("dearest", ("highest", "dear")),
    ("least expensive", ("lowest", "cheap")),
    ("cheapest", ("lowest", "cheap")),
    ("most recent", ("latest",)),
    ("most recently", ("latest",)),
    ("most often", ("most", "often")),
    ("most frequently", ("most", "often")),
    ("most frequent", ("most", "often")),
    ("most common", ("most", "often")),
    ("most number of times", ("most", "often")),
    ("most times", ("most", "often")),
    ("most", ("most",)),
    ("least often", ("least", "often")),
    ("least", ("least",)),
    ("fewest", ("least",)),
    ("highest", ("highest",)),
    ("maximum", ("highest",)),
    ("max", ("highest",)),
    ("largest", ("highest",)),
    ("biggest", ("highest",)),
    ("greatest", ("highest",)),
    ("longest", ("highest",)),
    ("heaviest", ("highest",)),
    ("tallest", ("highest",)),
    ("fastest", ("highest",)),
    ("lowest", ("lowest",)),
    ("minimum", ("lowest",)),
    ("min", ("lowest",)),
    ("smallest", ("lowest",)),
    ("shortest", ("lowest",)),
    ("lightest", ("lowest",)),
    ("slowest", ("lowest",)),
    ("latest", ("latest",)),
    ("newest", ("latest",)),
    ("youngest", ("latest",)),
    ("last", ("latest",)),
    ("earliest", ("earliest",)),
    ("oldest", ("earliest",)),
    ("first", ("earliest",)),
    ("for each", ("group",)),
    ("for every", ("group",)),
    ("broken down by", ("group",)),
    ("grouped by", ("group",)),
    ("per", ("group",)),
    ("each", ("group",)),
    ("by", ("group",)),
    ("which", ("which",)),
    ("when", ("when",)),
    ("on what date", ("when",)),
    ("top", ("top",)),
    ("mention", ("holds",)),
    ("mentions", ("holds",)),
    ("mentioning", ("holds",)),
    ("contain", ("holds",)),
    ("contains", ("holds",)),
    ("containing", ("holds",)),
)
_OPENINGS: dict[str, list[tuple[tuple[str, ...], tuple[Cue, ...]]]] = {}
for _phrase, _cues in _PHRASES:
    _words = tuple(_phrase.split())
    _OPENINGS.setdefault(_words[0], []).append((_words, _cues))

_COMPARING: dict[Operator, tuple[str, ...]] = {
    ">=": ("at least", "no less than"),
    "<=": ("at most", "no more than", "up to"),
    ">": (
        "more than",
        "greater than",
        "higher than",
        "longer than",
        "taller than",
        "heavier than",
        "larger than",
        "bigger than",
        "wider than",
        "over",
        "above",
        "exceeding",
    ),
    "<": (
        "less than",
        "lower than",
        "fewer than",
        "shorter than",
        "smaller than",
        "lighter than",
        "cheaper than",
        "under",
        "below",
    ),
    "=": ("exactly", "equal to"),
}
_DATING: dict[Operator, tuple[str, ...]] = {
    ">=": ("since",),
    "<": ("before",),
    ">": ("after",),
    "<=": ("until", "up to"),
    "=": ("in the year", "in", "of", "during", "for", "on", "from"),
}
_CURRENCIES = frozenset[str]().union(*CURRENCIES.values())


NO_YEAR = "----"
"""Stands in a date for the year that is not said."""


@dataclass(frozen=True, slots=True)
class Found:
    """A cue, and the words that are it: from ``start`` to before ``end``."""

    cues: tuple[Cue, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison with numbers or dates, and the words that are it.

    :param values: One value, or of ``between`` two; dates as ISO 8601 text.
    :param named: Whether words of comparison stand before it.
    """

    operator: Operator
    values: tuple[int | float | str, ...]
    start: int
    end: int
    named: bool = True

    @property
    def is_date(self) -> bool:
        """Whether it is about dates."""
        return isinstance(self.values[0], str)


def cues_of(tokens: Sequence[Token], taken: set[int]) -> list[Found]:
    """Return the cues among the words that are not taken, and take their words."""
    found = []
    place = 0
    while place < len(tokens):
        for words, cues in _OPENINGS.get(tokens[place].word, ()):
            span = range(place, place + len(words))
            if span.stop <= len(tokens) and not taken & set(span) and _are(tokens, place, words):
                found.append(Found(cues, place, span.stop))
                taken.update(span)
                break
        place = max(place + 1, found[-1].end if found else 0)
    return found


def conditions_of(tokens: Sequence[Token], taken: set[int]) -> list[Condition]:
    """Return what is compared with numbers and dates, and take its words."""
    found = []
    place = 0
    while place < len(tokens):
        condition = _between(tokens, place) or _dated(tokens, place) or _compared(tokens, place)
        if condition is None or taken & set(range(condition.start, condition.end)):
            place += 1
            continue
        found.append(condition)
        taken.update(range(condition.start, condition.end))
        place = condition.end
    return found


def _are(tokens: Sequence[Token], place: int, words: Sequence[str]) -> bool:
    after = tokens[place : place + len(words)]
    return len(after) == len(words) and all(
        token.word == word and token.kind == "word"
        for token, word in zip(after, words, strict=True)
    )


def _between(tokens: Sequence[Token], place: int) -> Condition | None:
    for opening, middle in (("between", "and"), ("from", "to"), ("from", "until")):
        if not _are(tokens, place, (opening,)):
            continue
        first = _moment(tokens, place + 1) or _number(tokens, place + 1)
        if first is None or not _are(tokens, first[1], (middle,)):
            continue
        second = _moment(tokens, first[1] + 1) or _number(tokens, first[1] + 1)
        if second is None:
            continue
        if isinstance(first[0], str) != isinstance(second[0], str):
            # "between 1000 and 2000": only the second could be a year.
            first = _number(tokens, place + 1) or first
            second = _number(tokens, first[1] + 1) or second
        if isinstance(first[0], str) == isinstance(second[0], str):
            ends = (first[0], second[0])
            # Whether they go over the turn of a year is not known yet.
            is_open = any(str(end).startswith(NO_YEAR) for end in ends)
            values = ends if is_open else _in_order(*ends)
            return Condition("between", values, place, second[1])
    return None


def _in_order(first: int | float | str, second: int | float | str) -> tuple[int | float | str, ...]:
    """Return two ends of a range, the lower one first: of dates as far as both are told."""
    if isinstance(first, str) and isinstance(second, str):
        length = min(len(first), len(second))
        is_reversed = first[:length] > second[:length]
    else:
        is_reversed = float(first) > float(second)
    return (second, first) if is_reversed else (first, second)


def _dated(tokens: Sequence[Token], place: int) -> Condition | None:
    for words, operator in _spelled(_DATING):
        if not _are(tokens, place, words):
            continue
        moment = _moment(tokens, place + len(words))
        if moment is None:
            continue
        after = [token.word for token in tokens[moment[1] :]]
        # "From 2010 on machine A" may go on otherwise.
        if words == ("from",) and (after[:1] in (["onward"], ["onwards"]) or after == ["on"]):
            return Condition(">=", (moment[0],), place, moment[1] + 1)
        return Condition(operator, (moment[0],), place, moment[1])
    return None


def _compared(tokens: Sequence[Token], place: int) -> Condition | None:
    for words, operator in _spelled(_COMPARING):
        if _are(tokens, place, words):
            number = _number(tokens, place + len(words))
            if number is not None:
                return Condition(operator, (number[0],), place, number[1])
    number = _number(tokens, place)
    if number is None:
        return None
    for words, operator in _spelled({">=": ("or more",), "<=": ("or less",)}):
        if _are(tokens, number[1], words):
            return Condition(operator, (number[0],), place, number[1] + len(words))
    return Condition("=", (number[0],), place, number[1], named=False)


def _spelled(
    phrases: Mapping[Operator, tuple[str, ...]],
) -> Iterator[tuple[tuple[str, ...], Operator]]:
    for operator, alike in phrases.items():
        for phrase in alike:
            yield tuple(phrase.split()), operator


def _number(tokens: Sequence[Token], place: int) -> tuple[int | float, int] | None:
    if place < len(tokens) and _is_unit(tokens[place]):
        place += 1
    if place >= len(tokens) or (number := tokens[place].number) is None:
        return None
    end = place + 1
    return number, end + (end < len(tokens) and _is_unit(tokens[end]))


def _is_unit(token: Token) -> bool:
    return token.kind == "unit" or token.word in _CURRENCIES


def _moment(tokens: Sequence[Token], place: int) -> tuple[str, int] | None:
    if place >= len(tokens):
        return None
    token = tokens[place]
    if token.kind == "date":
        return token.text, place + 1
    if token.year is not None:
        return token.year, place + 1
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    last = tokens[place + 2] if place + 2 < len(tokens) else None
    month = MONTHS.get(token.word)
    if month is not None and after is not None and after.year is not None:
        return f"{after.year}-{month:02}", place + 2
    # "March 9, 2009" and "9 March 2009"; without a year it is that of all dates there are.
    day = (after if month is not None else token) if after is not None else None
    named = month or (MONTHS.get(after.word) if after is not None else None)
    if named and day is not None and isinstance(day.number, int) and 1 <= day.number <= 31:
        if last is not None and last.year:
            return f"{last.year}-{named:02}-{day.number:02}", place + 3
        return f"{NO_YEAR}-{named:02}-{day.number:02}", place + 2
    return (f"{NO_YEAR}-{month:02}", place + 1) if month is not None else None
