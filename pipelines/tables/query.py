"""A question to one table, as it comes from outside: checked, and never SQL itself."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Aggregate = Literal["count", "distinct", "sum", "average", "minimum", "maximum", "none"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "between"]
Period = Literal["year", "month", "day"]
Order = Literal["ascending", "descending"]

MOST_ROWS = 100
"""Rows or groups that a query returns at most."""
MOST_FILTERS = 16

Name = Annotated[str, StringConstraints(max_length=1000)]
Value = bool | int | float | Name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Filter(_Strict):
    """A condition on one column.

    :param column: The column's name.
    :param operator: How to compare. ``contains`` is for text; ``between`` includes both ends.
    :param value: What to compare with; of ``between`` a list of two. Text is compared without
        regard to case. A date may be a year, a month or a day: "2012", "2012-03", "2012-03-09".
    """

    column: Name
    operator: Operator = "="
    value: Value | tuple[Value, Value]

    @model_validator(mode="after")
    def _two_ends(self) -> Self:
        if isinstance(self.value, tuple) != (self.operator == "between"):
            raise ValueError("between takes a list of two values, the other operators take one")
        return self


class TableQuery(_Strict):
    """What to look up in a table.

    :param table: The table's name.
    :param aggregate: What to make of the rows: ``count`` them, count ``distinct`` values of a
        column, its ``sum``, ``average``, ``minimum`` or ``maximum``; ``none`` lists the rows.
    :param column: The column to make it of; of ``none`` the one to order by. ``count`` takes none.
    :param filters: Conditions, all of which hold for a row.
    :param group_by: A column: one result for each of its values.
    :param period: Of a date to group by, what of it.
    :param order: Of groups by their result, or of rows by ``column``.
    :param limit: Groups or rows at most, from 1 to 100; those equal to the last one come too.
    """

    table: Name
    aggregate: Aggregate = "none"
    column: Name | None = None
    filters: Annotated[tuple[Filter, ...], Field(max_length=MOST_FILTERS)] = ()
    group_by: Name | None = None
    period: Period | None = None
    order: Order | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.aggregate not in ("count", "none") and self.column is None:
            raise ValueError(f"{self.aggregate} needs a column")
        if self.aggregate == "count" and self.column is not None:
            raise ValueError("count takes no column: it counts rows; distinct counts values")
        if self.aggregate == "none" and self.group_by is not None:
            raise ValueError("group_by needs an aggregate")
        if self.aggregate == "none" and self.order is not None and self.column is None:
            raise ValueError("order needs a column")
        if self.period is not None and self.group_by is None:
            raise ValueError("period needs group_by")
        return self
