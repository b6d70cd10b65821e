"""Whether a table backs an answer: counted again row by row, without SQL.

It shares the rows' values with what answered, and nothing else.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from agent.reply import Reply
from agent.workspace import Workspace
from pipelines.tables.query import Filter, TableQuery

if TYPE_CHECKING:
    from haystack import Document

Row = Mapping[str, Any]
_NUMBER = re.compile(r"(?<![\w.,])-?\d[\d,]*(?:\.(\d+))?")
_LENGTHS = {"year": 4, "month": 7, "day": 10}


class Recount:
    """Counts again what was told of a workspace's tables.

    :param workspace: The workspace; its index is read when a table answered first.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._passages: Sequence[Document] | None = None
        self._read: dict[tuple[str, str | None], list[Row]] = {}

    def backs(self, reply: Reply) -> bool:
        """Say whether the rows that a reply's query is about give what its answer says.

        :param reply: One whose answer a table gave.
        """
        written = reply.answer.written
        query = TableQuery.model_validate(written["query"])
        rows = [
            row
            for row in self._rows(written["document"], written["sheet"])
            if all(_meets(row, one) for one in query.filters)
        ]
        column = query.column
        if column is not None:
            rows = [row for row in rows if row.get(column) is not None]
        text = reply.answer.text or ""
        if query.group_by is None:
            told = query.aggregate == "none" or _says(text, _result(query, rows))
            return told and written["rows"] == len(rows)
        groups: dict[str, list[Row]] = {}
        for row in rows:
            if (value := row.get(query.group_by)) is not None:
                end = _LENGTHS[query.period] if query.period else None
                groups.setdefault(str(value)[:end].casefold(), []).append(row)
        if not groups:
            return False
        results = {name: _result(query, each) for name, each in groups.items()}
        if query.order is not None:
            pick = min if query.order == "ascending" else max
            first = pick(results, key=lambda name: results[name])
            return first in text.casefold() and _says(text, results[first])
        return any(_says(text, result) for result in results.values())

    def _rows(self, document: str, sheet: str | None) -> list[Row]:
        if (document, sheet) not in self._read:
            self._read[document, sheet] = self._rows_of(document, sheet)
        return self._read[document, sheet]

    def _rows_of(self, document: str, sheet: str | None) -> list[Row]:
        if self._passages is None:
            from agent.assemble import open_store

            store = open_store(self._workspace, read_only=True)
            try:
                is_row = {"field": "meta.kind", "operator": "==", "value": "row"}
                self._passages = store.read_passages(is_row)
            finally:
                store.close()
        # A long row is several passages, which have the same values.
        found = {
            (one.meta["root"], one.meta.get("row"), str(one.meta["columns"])): one.meta["columns"]
            for one in self._passages
            if one.meta["document"] == document and one.meta.get("sheet") == sheet
        }
        rows = list(found.values())
        truths = {
            name
            for name in {name for row in rows for name in row}
            if {_folded(str(row.get(name) or "no")) for row in rows} <= {"yes", "no"}
        }
        return [
            {
                name: _folded(str(value)) == "yes" if name in truths and value else value
                for name, value in row.items()
            }
            for row in rows
        ]


def _result(query: TableQuery, rows: Sequence[Row]) -> Any:
    if query.aggregate == "count":
        return len(rows)
    values = [row[query.column or ""] for row in rows]
    if query.aggregate == "distinct":
        return len({_folded(str(value)) for value in values})
    if not values:
        return None
    results: dict[str, Callable[[list[Any]], Any]] = {
        "sum": math.fsum,
        "average": fmean,
        "minimum": min,
        "maximum": max,
    }
    return results[query.aggregate](values)


def _says(text: str, result: Any) -> bool:
    """Whether a text says a result, rounded to as many digits as it gives."""
    if isinstance(result, str):
        return result[:10] in text
    return result is not None and any(
        abs(float(found[0].replace(",", "")) - result) <= 0.5001 * 10 ** -len(found[1] or "")
        and (found[1] or result == int(result))
        for found in _NUMBER.finditer(text)
    )


def _meets(row: Row, one: Filter) -> bool:
    value = row.get(one.column)
    if value is None:
        return False
    ends: tuple[Any, ...] = one.value if isinstance(one.value, tuple) else (one.value,)
    cut: list[Any]
    if isinstance(value, str):
        is_date = re.match(r"\d{4}-\d{2}-\d{2}", value) is not None and one.operator != "contains"
        cut = [value[: len(str(end))] if is_date else _folded(value) for end in ends]
        ends = tuple(_folded(str(end)) for end in ends)
    else:
        cut = [value] * len(ends)
    low, end = cut[0], ends[0]
    compared: dict[str, Callable[[], bool]] = {
        "=": lambda: bool(low == end),
        "!=": lambda: bool(low != end),
        "<": lambda: bool(low < end),
        "<=": lambda: bool(low <= end),
        ">": lambda: bool(low > end),
        ">=": lambda: bool(low >= end),
        "contains": lambda: end in low,
        "between": lambda: bool(low >= end and cut[-1] <= ends[-1]),
    }
    return compared[one.operator]()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
