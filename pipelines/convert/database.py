"""Tables and queries of any database that SQLAlchemy knows, read without changing it."""

import difflib
import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.convert.data_table import add_row, add_unused, columns_of
from pipelines.convert.database_values import ColumnReader
from pipelines.convert.encoding import repaired
from pipelines.convert.extracted import Extracted, ExtractedBuilder, Scalar, clean
from pipelines.errors import ConversionError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import URL, ColumnClause, Connection, Engine, Executable, Inspector, Table
    from sqlalchemy.exc import SQLAlchemyError

_ROWS_AT_A_TIME = 1_000
_CONNECT_SECONDS = 10
_NAME_CHARACTERS = 100
_SECRET = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")
_ASIDE = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|\$(\w*)\$.*?\$\1\$",
    re.DOTALL,
)
_READS = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
# How the name of a query begins, which is its text.
_QUERY = re.compile(r"--|/\*|(?:SELECT|WITH)\b\s*\S", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO)\b", re.IGNORECASE)


def mask_url(url: str) -> str:
    """Return a database's address without its password and other secrets.

    :param url: SQLAlchemy address; one that is none loses everything before the "@".
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return _CREDENTIALS.sub("***@", url)
    hidden = {key: "***" for key in parsed.query if _SECRET.search(key)}
    shown = parsed.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", "***")


def read_tables(
    url: str, *, tables: Sequence[str] = (), queries: Sequence[str] = ()
) -> Iterator[tuple[str, Extracted | ConversionError]]:
    """Read tables and the results of queries, each as one text of typed rows.

    A table's rows come in the order of its primary key, which is also its first column.
    Nothing is written: SQLite and PostgreSQL are told to refuse it, and every transaction
    is rolled back.

    :param url: SQLAlchemy address, such as ``sqlite:///erp.db``.
    :param tables: Tables or views, ``schema.table`` outside the default schema; none and
        no query means all tables of the default schema.
    :param queries: SELECT statements; ``WITH`` may stand before.
    :returns: Name of each and its text, or why the table cannot be read; tables first. A
        query's name is its own text.
    :raises ConversionError: When the address, a table's name or a query is wrong, the
        database cannot be reached or its driver is not installed.
    """
    statements = [_checked(query) for query in queries]
    with _connection(url) as connection:
        from sqlalchemy import inspect

        inspector = inspect(connection)
        if tables or not queries:
            for schema, name in _resolve(inspector, tables):
                yield (
                    (f"{schema}.{name}" if schema else name),
                    _try_table(connection, inspector, schema, name),
                )
        for statement in statements:
            yield _query_name(statement), _read_query(connection, statement)


def missing(url: str, names: Sequence[str]) -> list[str]:
    """Return those names of documents that are no table, view or query of a database.

    :param url: SQLAlchemy address.
    :param names: Names that :func:`read_tables` gave.
    :raises ConversionError: When the database cannot be reached.
    """
    if not names:
        return []
    with _connection(url) as connection:
        from sqlalchemy import inspect

        inspector = inspect(connection)
        return [name for name in names if not _QUERY.match(name) and _find(inspector, name) is None]


@contextmanager
def _connection(url: str) -> "Iterator[Connection]":
    from sqlalchemy import exc, text

    engine = _engine(url)
    try:
        with engine.connect() as connection:
            name = engine.dialect.name
            if name == "sqlite":
                connection.execute(text("PRAGMA query_only = ON"))
                # One text that is not UTF-8 must not cost its table.
                driver: Any = connection.connection.dbapi_connection
                driver.text_factory = repaired
            elif name == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            with warnings.catch_warnings():
                # A type that SQLAlchemy does not know is read as it comes.
                warnings.simplefilter("ignore", exc.SAWarning)
                yield connection
            connection.rollback()
    except exc.SQLAlchemyError as error:
        raise _told(error, engine.url) from None
    finally:
        engine.dispose()


def _engine(url: str) -> "Engine":
    from sqlalchemy import create_engine, exc, make_url
    from sqlalchemy.pool import NullPool

    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise ConversionError(
            "not a database address; one looks like sqlite:///erp.db or postgresql://user@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        _check_sqlite(parsed)
    arguments: dict[str, Any] = {}
    if backend in ("postgresql", "mysql", "mariadb") and "connect_timeout" not in parsed.query:
        arguments["connect_timeout"] = _CONNECT_SECONDS
    try:
        return create_engine(parsed, poolclass=NullPool, connect_args=arguments)
    except exc.NoSuchModuleError:
        raise ConversionError(f'"{parsed.drivername}" is no kind of database known') from None
    except ImportError as missing:
        if backend == "postgresql":
            error = MissingExtraError("reading PostgreSQL", "postgres")
            raise ConversionError(str(error)) from None
        raise ConversionError(
            f'reading {backend} needs its driver: pip install the package of "{missing.name}", or '
            f"name another as {backend}+driver://"
        ) from None


def _check_sqlite(url: "URL") -> None:
    """Refuse a SQLite file that is not there: connecting would make an empty one."""
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:"):
        return
    if not Path(name).is_file():
        raise ConversionError(f"no such file: {name}")


def _told(error: "SQLAlchemyError", url: "URL") -> ConversionError:
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, DBAPIError):
        return ConversionError(f"the database says: {_one_line(error.orig, url)}")
    return ConversionError(f"cannot be read: {_one_line(error, url)}")


def _one_line(error: BaseException | None, url: "URL") -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    shown = lines[0] if lines else type(error).__name__
    return shown.replace(url.password, "***") if url.password else shown


def _checked(query: str) -> str:
    """Refuse anything but one statement that reads."""
    query = query.strip().rstrip(";").rstrip()
    bare = _ASIDE.sub(" ", query)
    if ";" in bare:
        raise ConversionError("a query must be a single statement")
    if not _READS.match(bare) or _WRITES.search(bare):
        raise ConversionError("a query must be a SELECT, with nothing in it that writes")
    return query


def _query_name(query: str) -> str:
    name = clean(query)
    if len(name) <= _NAME_CHARACTERS:
        return name
    digest = hashlib.sha256(query.encode()).hexdigest()[:8]
    return f"{name[:_NAME_CHARACTERS]}… ({digest})"


def _resolve(inspector: "Inspector", tables: Sequence[str]) -> list[tuple[str | None, str]]:
    """Find the tables asked for; returns schema (None for the default one) and name of each."""
    if not tables:
        names = sorted(inspector.get_table_names())
        if not names:
            raise ConversionError("the database has no tables")
        return [(None, name) for name in names]
    return list(dict.fromkeys(_resolve_one(inspector, wanted) for wanted in tables))


def _resolve_one(inspector: "Inspector", wanted: str) -> tuple[str | None, str]:
    if found := _find(inspector, wanted):
        return found
    known = _names(inspector, None)
    schema = wanted.rpartition(".")[0]
    if schema and schema in inspector.get_schema_names():
        known = [f"{schema}.{one}" for one in _names(inspector, schema)]
    alike = [one for one in known if one.casefold() == wanted.casefold()]
    if len(alike) == 1:
        return None, alike[0]
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    advice = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(known[:10])}"
    raise ConversionError(f'no table "{wanted}"; {advice if known else "there are none"}')


def _find(inspector: "Inspector", name: str) -> tuple[str | None, str] | None:
    """Return schema (None for the default one) and name of a table or view that exists."""
    if name in _names(inspector, None):
        return None, name
    schema, _, table = name.rpartition(".")
    if schema and schema in inspector.get_schema_names() and table in _names(inspector, schema):
        return schema, table
    return None


def _names(inspector: "Inspector", schema: str | None) -> list[str]:
    names = inspector.get_table_names(schema)
    with suppress(NotImplementedError):
        names = names + inspector.get_view_names(schema)
    return sorted(set(names))


def _try_table(
    connection: "Connection", inspector: "Inspector", schema: str | None, name: str
) -> Extracted | ConversionError:
    """Read a table, or say why it cannot be read; the others can still be."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        return _read_table(connection, inspector, schema, name)
    except SQLAlchemyError as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        # PostgreSQL reads nothing more in a transaction that has failed.
        connection.rollback()
        return _told(error, connection.engine.url)


def _read_table(
    connection: "Connection", inspector: "Inspector", schema: str | None, name: str
) -> Extracted:
    from sqlalchemy import MetaData, Table, column, select

    table = Table(name, MetaData(), schema=schema, resolve_fks=False, autoload_with=connection)
    keys = list(table.primary_key.columns)
    ordered = [*keys, *(c for c in table.columns if c not in keys)]
    # Bare columns, so that no value is refused by a type that SQLAlchemy expects of it.
    bare: list[ColumnClause[Any]] = [column(c.name) for c in ordered]
    statement = select(*bare).select_from(table).order_by(*(column(c.name) for c in keys))
    builder = ExtractedBuilder()
    builder.title = name
    _describe(builder, table)
    readers = [ColumnReader.of_type(c.name, c.type) for c in ordered]
    return _read(connection, statement, builder, readers, sheet=name)


def _describe(builder: ExtractedBuilder, table: "Table") -> None:
    """Keep what the database says about a table and its columns."""
    if table.comment:
        builder.add("paragraph", f"{table.name}: {table.comment}", sheet=table.name)
    for one in table.columns:
        if one.comment:
            builder.add("list_item", f"{one.name}: {one.comment}", sheet=table.name)


def _read_query(connection: "Connection", query: str) -> Extracted:
    from sqlalchemy import text

    builder = ExtractedBuilder()
    # A colon is no parameter here.
    return _read(connection, text(query.replace(":", "\\:")), builder)


def _read(
    connection: "Connection",
    statement: "Executable",
    builder: ExtractedBuilder,
    readers: list[ColumnReader] | None = None,
    *,
    sheet: str | None = None,
) -> Extracted:
    result = connection.execution_options(yield_per=_ROWS_AT_A_TIME).execute(statement)
    readers = readers or [ColumnReader(name) for name in result.keys()]  # noqa: SIM118
    rows = [
        [reader.read(value) for reader, value in zip(readers, row, strict=True)] for row in result
    ]
    columns = columns_of([reader.name for reader in readers], len(readers))
    if rows:
        unused = [c.label for c, reader in zip(columns, readers, strict=True) if reader.is_empty]
        add_unused(builder, unused, sheet=sheet)
    for number, row in enumerate(rows, start=1):
        shown = [reader.shown(value) for reader, value in zip(readers, row, strict=True)]
        values: list[Scalar | None] = [
            reader.typed(value) for reader, value in zip(readers, row, strict=True)
        ]
        add_row(builder, columns, shown, values, sheet=sheet, row=number)
    for reader in readers:
        if reader.binary:
            builder.notice(f'column "{reader.name}": {reader.binary} binary values left out')
    return builder.build()
