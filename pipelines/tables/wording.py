"""What a query found, as a sentence that says what was counted."""

import re
from collections.abc import Sequence

from pipelines.convert.extracted import Scalar
from pipelines.tables.links import Vocabulary
from pipelines.tables.query import Filter
from pipelines.tables.table import Column, Table
from pipelines.tables.tables import TableResult

_MOST_GROUPS = 20
_LEADS = {"sum": "total {}", "average": "average {}", "distinct": "different values of {}"}
_EXTREMES = {
    ("minimum", False): "lowest {}",
    ("maximum", False): "highest {}",
    ("minimum", True): "earliest {}",
    ("maximum", True): "latest {}",
}
_NUMBERS = {"=": "is", "!=": "is not", "<": "is below", "<=": "is at most"}
_NUMBERS |= {">": "is over", ">=": "is at least", "contains": "contains"}
_DATES = {"=": "is in", "!=": "is not in", "<": "is before", "<=": "is until"}
_DATES |= {">": "is after", ">=": "is since"}


def tell(result: TableResult, vocabulary: Vocabulary) -> str:
    """Return a result in one sentence, with the conditions that its rows meet.

    Numbers that stand in a cell are given as they stand there, computed ones with commas and
    the currency or percent sign of their column.
    """
    query, table = result.query, result.table
    rows = vocabulary.rows_called(result.counted)
    column = table.column(query.column) if query.column is not None else None
    where = _where(table, query.filters, column)
    if query.aggregate == "none":
        return _listed(result, vocabulary, rows, where)
    if query.group_by is not None:
        return _groups(result, vocabulary, column, where)
    if query.aggregate == "count":
        return f"{result.counted:,} {rows}{where}."
    assert column is not None  # noqa: S101 - every other aggregate has one
    value = _value(result, column, result.value)
    if query.aggregate == "distinct":
        if column == vocabulary.repeating:
            rows = f"rows of {table.name}"
        return f"{value} different values of {column.name}, in {result.counted:,} {rows}{where}."
    which = _which(result, column, vocabulary) if query.aggregate in ("minimum", "maximum") else ""
    return f"The {_lead(result, column)} is {value}{which}, of {result.counted:,} {rows}{where}."


def _listed(result: TableResult, vocabulary: Vocabulary, rows: str, where: str) -> str:
    """Tell rows by what names them, or whole where nothing does."""
    shown = result.values[:_MOST_GROUPS]
    by = None if result.query.column is None else result.table.column(result.query.column)
    texts = []
    for row in shown:
        name = vocabulary.naming.name_of(row)
        if name is None:
            name = " | ".join(str(value) for value in row if value is not None)
        elif by is not None:
            name += f": {_value(result, by, row[result.table.columns.index(by)])}"
        texts.append(name)
    told = "; ".join(texts)
    if by is not None and result.query.order is not None:
        least = result.query.order == "ascending"
        first = _EXTREMES["minimum" if least else "maximum", by.is_moment].format(by.name)
        return f"The {len(texts)} with the {first}, of {result.counted:,} {rows}{where}: {told}."
    more = result.counted - len(texts)
    return f"{result.counted:,} {rows}{where}: {told}{f'; and {more:,} more' if more else ''}."


def _which(result: TableResult, column: Column, vocabulary: Vocabulary) -> str:
    """Tell the one row that has an extreme by what names it, or by a column that tells it apart."""
    if len(result.citations) != 1:
        return ""
    table, naming = result.table, next(iter(vocabulary.naming.columns), None)
    if naming is not None and naming is not column:
        start = result.citations[0].start
        row = next(n for n, place in enumerate(table.rows) if place.start == start)
        return f" ({naming.name} {vocabulary.naming.name_of(table.values[row])})"
    for one in table.columns:
        if one is not column and len(set(table.values_of(one))) == len(table.rows):
            found = shown_in(result.citations[0].quote, one.name)
            return f" ({one.name} {found})" if found else ""
    return ""


def _lead(result: TableResult, column: Column | None) -> str:
    aggregate = result.query.aggregate
    if column is None:
        return "number"
    extreme = _EXTREMES.get((aggregate, column.is_moment))
    return (extreme or _LEADS[aggregate]).format(column.name)


def _groups(result: TableResult, vocabulary: Vocabulary, column: Column | None, where: str) -> str:
    query = result.query
    by = result.table.column(query.group_by or "")
    shown = [
        (_cell(by, group), _value(result, column, value))
        for group, value in result.values[:_MOST_GROUPS]
    ]
    called = f"{query.period} of {query.group_by}" if query.period else query.group_by
    what = vocabulary.rows_called(2) if column is None else _lead(result, column)
    if (first := told_first(result)) is not None:
        ((_, value),) = shown
        counts = query.aggregate in ("count", "distinct")
        had = f"{value} {what}" if counts else f"{what} {value}"
        return f"{first} ({called}): {had}{where}."
    more = len(result.values) - len(shown)
    each = "; ".join(f"{group}: {value}" for group, value in shown)
    rest = f"; and {more} more" if more else ""
    return f"{what[0].upper()}{what[1:]} by {called}{where}: {each}{rest}."


def told_first(result: TableResult) -> str | None:
    """Return the one group that is first, with which its sentence begins; None for others."""
    query = result.query
    if query.group_by is None or query.order is None or len(result.values) != 1:
        return None
    return _cell(result.table.column(query.group_by), result.values[0][0])


def _cell(column: Column | None, value: Scalar | None) -> str:
    if isinstance(value, bool) or (column is not None and column.kind == "bool"):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _value(result: TableResult, column: Column | None, value: Scalar | None) -> str:
    """Return a result as its column writes such values."""
    aggregate = result.query.aggregate
    if column is None or aggregate in ("count", "distinct"):
        return f"{value:,}"
    if aggregate in ("minimum", "maximum") and result.query.group_by is None:
        # As it stands in the row that has it.
        for citation in result.citations:
            if found := shown_in(citation.quote, column.name):
                return found
    if not column.is_number or value is None:
        return _cell(column, value)
    number = float(value)
    decimals = column.decimals
    if aggregate == "average":
        decimals = max(2, decimals)
    if number and abs(number) < 10**-decimals:
        return f"{number:.3g}"
    space = "" if column.after in ("", "%") else " "
    before = column.before if len(column.before) <= 1 else f"{column.before} "
    text = f"{abs(number):,.{decimals}f}"
    return f"{'-' if number < 0 else ''}{before}{text}{space}{column.after}"


def shown_in(row: str, column: str) -> str | None:
    """Return what a row's text shows for a column; None where it cannot be told."""
    found = re.findall(rf"(?:^| \| ){re.escape(column)}: (.*?)(?= \| |$)", row)
    return found[0] if len(found) == 1 else None


def _where(table: Table, filters: Sequence[Filter], column: Column | None) -> str:
    told = [_condition(table.column(one.column), one) for one in filters]
    if column is not None and None in table.values_of(column):
        told.append(f"{column.name} is given")
    return f" where {' and '.join(told)}" if told else ""


def _condition(column: Column | None, one: Filter) -> str:
    assert column is not None  # noqa: S101 - the query has been run
    if isinstance(one.value, tuple):
        low, high = (_cell(column, value) for value in one.value)
        return f"{column.name} is between {low} and {high}"
    words = _DATES if column.is_moment else _NUMBERS
    text = _cell(column, one.value)
    if one.operator == "=" and column.is_moment and len(text) >= len("2012-03-09"):
        return f"{column.name} is {text}"
    return f"{column.name} {words[one.operator]} {text}"
