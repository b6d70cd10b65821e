"""Questions over the index's tables, answered by SQL that only reads, with the rows as sources."""

from pipelines.tables.query import Filter, TableQuery
from pipelines.tables.table import Column, Row, Table
from pipelines.tables.tables import TableResult, Tables

__all__ = ["Column", "Filter", "Row", "Table", "TableQuery", "TableResult", "Tables"]
