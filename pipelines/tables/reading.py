"""Questions as queries, without a language model: only where every word is accounted for."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from pipelines.tables.attempt import Attempt
from pipelines.tables.links import Vocabulary
from pipelines.tables.parsed import OutOfRangeError, UnclearError, UnreadError
from pipelines.tables.query import TableQuery
from pipelines.tables.table import Table
from pipelines.tables.words import tokens_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a question.

    :param query: The query; None where it could not be read as one.
    :param unclear: What has to be said for it to be one, where every word was understood.
    :param about: The table that it names and asks a count, a sum or an extreme of, with a word
        that the table knows nothing of; empty where there is none.
    :param reason: Why it is no query: of that table, or of the last one.
    """

    query: TableQuery | None
    unclear: str = ""
    about: str = ""
    reason: str = ""


def read_question(question: str, tables: Sequence[Vocabulary]) -> Reading:
    """Return the query that a question asks for.

    Each word has to be a cue ("how many", "highest", "per"), name the table, a column or a value of
    it, compare, or carry nothing; two readings that fit alike are none.

    :param question: The question.
    :param tables: What each table can be asked by.
    """
    tokens = tokens_of(question)
    read: list[tuple[int, TableQuery]] = []
    unclear: list[str] = []
    about = reason = ""
    outside: list[Table] = []
    for table in tables:
        attempt = Attempt(table, tokens)
        try:
            read.append(attempt.query())
        except UnclearError as error:
            unclear.append(f"{error} of the table {table.table.name}")
        except (UnreadError, ValidationError) as error:
            if isinstance(error, OutOfRangeError):
                outside.append(table.table)
            if attempt.is_about or not about:
                known = isinstance(error, UnreadError)
                reason = str(error) if known else "it asks for more than a query holds"
            if attempt.is_about:
                about = table.table.name
    best = max((named for named, _ in read), default=0)
    fitting = [query for named, query in read if named == best]
    if len(fitting) == 1 and _goes_on(fitting[0], tables, outside):
        return Reading(None, f"it may be about other tables than {fitting[0].table}, too")
    # What no word ties to one table may be meant of another that needs a word more.
    if len(fitting) == 1 and (best > 0 or not unclear):
        return Reading(fitting[0])
    if len(fitting) > 1:
        names = " or ".join(query.table for query in fitting[:3])
        return Reading(None, f"it may be about the table {names}")
    return Reading(None, "; ".join(unclear), about, reason)


def _goes_on(query: TableQuery, tables: Sequence[Vocabulary], outside: Sequence[Table]) -> bool:
    """Whether a range without an end may go on in a table with the same columns and other dates."""
    if all(one.operator in ("=", "between") for one in query.filters):
        return False
    names = next(
        [column.name for column in one.table.columns]
        for one in tables
        if one.table.name == query.table
    )
    return any([column.name for column in table.columns] == names for table in outside)
