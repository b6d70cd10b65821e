"""What a column's numbers may be made into, by its name and by the columns beside it."""

from collections.abc import Sequence

from pipelines.tables.links import Vocabulary
from pipelines.tables.parsed import UnclearError, UnreadError
from pipelines.tables.query import Aggregate, Filter
from pipelines.tables.table import Column
from pipelines.tables.words import CURRENCIES, MEASURES, listed, name_words, stem

_COSTS = frozenset(map(stem, listed("cost costs price amount fee fare")))
# Of these a "cost" is only a part or a number.
_NO_COSTS = frozenset(listed("centre center code no nr number id"))
# A sum of these says nothing.
_SHARES = frozenset(listed("percent percentage pct rating score rate grade level share"))
_PRICES = frozenset(map(stem, listed("price rate")))
_OF_ONE = frozenset(listed("unit per each"))
_OF_ALL = frozenset(map(stem, listed("total sum line extended")))
_CURRENCIES = frozenset(listed("currency ccy curr code"))
_UNITS = frozenset(listed("unit units uom of measure measurement"))
# What is in no currency.
_BARE = frozenset(
    map(
        stem,
        listed(
            "hours minutes days years age count quantity qty number weight distance rating score"
        ),
    )
)
_SIGNS = {**CURRENCIES, "%": frozenset(listed("% percent percentage pct"))}
_BOUNDS = frozenset(listed("min max minimum maximum"))
_SHOWN = 5


def check_measure(
    vocabulary: Vocabulary,
    aggregate: Aggregate,
    column: Column,
    filters: Sequence[Filter],
    group: Column | None,
) -> None:
    """Refuse to make of numbers what they do not add up to.

    :param group: The column whose values have a result each, where these are not compared.
    :raises UnreadError: When the numbers are names.
    :raises UnclearError: When they are of one piece, or in several currencies or units.
    """
    if aggregate in ("sum", "average") and vocabulary.naming.is_numbering(column):
        raise UnreadError(f"the numbers of {column.name} are names")
    is_share = "%" in (column.after, *column.name) or _SHARES & set(name_words(column.name))
    if aggregate == "sum" and is_share:
        raise UnreadError(f"the numbers of {column.name} do not add up")
    pieces = vocabulary.pieces(only_stock=False)
    if aggregate == "sum" and _is_of_one(column) and pieces not in (None, column):
        raise UnclearError(f"{column.name} may be of one piece, of which there are several")
    pinned = {one.column for one in filters if one.operator == "="}
    for one in vocabulary.table.columns:
        if one.name in pinned or one == group or not _divides(one, column):
            continue
        units = vocabulary.values.distinct(one)
        is_measure = any(unit.casefold() in MEASURES for unit in units)
        if len(units) > 1 and (is_measure or not _says_unit(one)):
            more = ", …" if len(units) > _SHOWN else ""
            raise UnclearError(
                f"{column.name} is in {', '.join(units[:_SHOWN])}{more}: name the {one.name}"
            )


def units_of(column: Column) -> set[str]:
    """Return the signs of the units that a column's cells or name write: "Price (EUR)"."""
    words = {*name_words(column.name), column.before.casefold(), column.after.casefold()}
    named = {sign for sign, called in _SIGNS.items() if words & called}
    return named | {sign for sign in _SIGNS if sign in column.name}


def has_currency(column: Column) -> bool:
    """Whether a column's cells or its name write a currency."""
    return bool(units_of(column) - {"%"})


def has_bounds(column: Column, among: Sequence[Column]) -> bool:
    """Whether another column holds the minimum or maximum of this one: "Min qty"."""
    words = name_words(column.name)
    return any(
        [word for word in others if word not in _BOUNDS] == words != others
        for others in (name_words(one.name) for one in among)
    )


def is_cost(column: Column) -> bool:
    """Whether a column's name says that it holds what things cost."""
    words = name_words(column.name)
    return bool({stem(word) for word in words} & _COSTS) and not _NO_COSTS & set(words)


def _is_of_one(column: Column) -> bool:
    words = {stem(word) for word in name_words(column.name)}
    each = words & _PRICES or (words & _OF_ONE and is_cost(column))
    return bool(each) and not words & _OF_ALL


def _divides(units: Column, column: Column) -> bool:
    """Whether a column is of the units that another's numbers are in."""
    if units.kind != "text":
        return False
    words = set(name_words(units.name))
    is_currency = bool(words - {"code"}) and words <= _CURRENCIES
    of_money = not {stem(word) for word in name_words(column.name)} & _BARE and column.after != "%"
    return (is_currency and of_money) or _says_unit(units)


def _says_unit(column: Column) -> bool:
    words = set(name_words(column.name))
    return bool(words & {"unit", "units", "uom"}) and words <= _UNITS
