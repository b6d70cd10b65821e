"""Tables on web pages: which are tables, and which rows name their columns."""

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from pipelines.convert.html_hidden import Visibility
from pipelines.convert.tables import Cell

# A table with one of these in a cell lays a page out.
_LAYOUT = frozenset("h1 h2 h3 h4 h5 h6 table pre hr".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class HtmlTable:
    """A table's cells.

    :param rows: Its visible rows, a footer's last.
    :param headers: How many of them name the columns; None where only the cells say.
    """

    rows: list[list[Cell]]
    headers: int | None

    @classmethod
    def read(
        cls,
        element: etree._Element,
        visibility: Visibility,
        text_of: Callable[[etree._Element], str],
    ) -> "HtmlTable | None":
        """Read a ``table``; None where it lays out the page or has a single column.

        :param element: The element.
        :param visibility: Tells which cells a reader sees.
        :param text_of: Gives all visible text below an element.
        """
        rows = [row for row in element.iter("tr") if _owner(row) is element]
        cells = [cell for row in rows for cell in row if cell.tag in ("td", "th")]
        laid_out = element.get("role") in ("presentation", "none") or any(
            one.tag in _LAYOUT for cell in cells for one in cell.iter()
        )
        if laid_out or all(len(row) < 2 for row in rows):
            return None

        def read_cell(cell: etree._Element) -> Cell:
            return Cell(
                "" if visibility.hidden(cell) else text_of(cell).rstrip("; "),
                columns=_span(cell.get("colspan")),
                rows=_span(cell.get("rowspan")),
                heading=cell.tag == "th",
            )

        # A footer may be written before the body that it is shown below.
        rows.sort(key=lambda row: _section(row) == "tfoot")
        rows = [row for row in rows if not visibility.hidden_within(row, element)]
        heads = sum(_section(row) == "thead" for row in rows)
        if not heads and len(rows) > 1 and all(map(_bold, rows[0])):
            heads = 1
        table = [[read_cell(cell) for cell in row if cell.tag in ("td", "th")] for row in rows]
        return cls(table, heads or None)


def _owner(row: etree._Element) -> etree._Element | None:
    """Return the table that a row belongs to, not one around it."""
    return next(row.iterancestors("table"), None)


def _section(row: etree._Element) -> str:
    """Return thead, tbody or tfoot, or table where a row stands in none."""
    parent = row.getparent()
    return "" if parent is None else str(parent.tag)


def _bold(cell: etree._Element) -> bool:
    inside = [one for one in cell if isinstance(one.tag, str)]
    return (
        cell.tag in ("td", "th")
        and bool(inside)
        and not (cell.text or "").strip()
        and all(one.tag in ("b", "strong") and not (one.tail or "").strip() for one in inside)
    )


def _span(value: str | None) -> int:
    return min(int(value), 1000) if value and value.isdigit() and int(value) > 0 else 1
