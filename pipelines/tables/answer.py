"""Answer what asks for counts, sums and extremes from the index's tables."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from pipelines.answer import Answer
from pipelines.counting import has_cue
from pipelines.errors import TableError
from pipelines.evidence import Evidence
from pipelines.tables.links import Vocabulary
from pipelines.tables.query import TableQuery
from pipelines.tables.reading import Reading, read_question
from pipelines.tables.single_rows import asks_of_all
from pipelines.tables.table import Table
from pipelines.tables.tables import TableResult, Tables
from pipelines.tables.wording import tell, told_first

CONFIDENCE = 0.95
"""Lower than the share measured to be right of what was answered so (docs/decisions.md)."""
_SHOWN = 5
# A question that asks this much is none of a table.
_MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """An answer from a table.

    :param answer: The answer, or the abstention.
    :param evidence: The rows that it cites.
    """

    answer: Answer
    evidence: tuple[Evidence, ...]


class TableAnswerer:
    """Reads questions as queries and answers them; several threads may ask.

    :param tables: The index's tables, looked into only for questions that have a cue, or were
        answered by quoting rows.
    :param unfinished: Returns the documents that are half written: what is counted in them is not
        answered.
    """

    def __init__(
        self, tables: Tables, unfinished: Callable[[], Collection[str]] = frozenset
    ) -> None:
        self.tables, self._unfinished = tables, unfinished
        self._vocabularies: dict[str, Vocabulary] = {}
        self._last: tuple[str, list[Vocabulary], Reading] = ("", [], Reading(None))

    def read(self, question: str, *, quotes_rows: bool = False) -> Reading:
        """Return the query that a question asks for, if every word of it is accounted for.

        :param quotes_rows: Whether rows were found to answer it, so that it need have no word
            that tells it to be one for the tables.
        :raises StoreError: When the index cannot be read.
        """
        if len(question) > _MOST_CHARACTERS or not (quotes_rows or has_cue(question)):
            return Reading(None)
        vocabularies = [self._vocabulary(table) for table in self.tables.tables]
        known, last, reading = self._last
        if known != question or last != vocabularies:
            reading = read_question(question, vocabularies)
            self._last = (question, vocabularies, reading)
        return reading

    def answer(self, question: str, *, quotes_rows: bool = False) -> TableAnswer | None:
        """Return the answer to a question, withheld where one of its words may mean two things.

        :param quotes_rows: As :meth:`read` takes it.
        :returns: None where the question is none of a table.
        :raises StoreError: When the index cannot be read.
        """
        reading = self.read(question, quotes_rows=quotes_rows)
        if reading.query is None:
            if not reading.unclear:
                return None
            return _withheld(reading.unclear)
        try:
            return self._answer(self.tables.run(reading.query))
        except TableError as error:
            # It takes too long, or the index has changed in between.
            return _withheld(str(error))

    def is_asked(self, question: str) -> bool:
        """Whether a question is one for the tables, if only to say why they do not answer it."""
        reading = self.read(question)
        return reading.query is not None or bool(reading.unclear or reading.about)

    def instead(self, question: str, answer: Answer) -> TableAnswer | None:
        """Return what to give for an answer that quotes rows of a table; None for the answer.

        The rows that meet a condition may be asked for with no word that tells it ("which rooms
        have a balcony?"): those are given. What is asked about rows together and names none of
        them, to be counted, compared or listed, is withheld.
        """
        table = None if answer.abstained else self._quoted(answer)
        if table is None:
            return None
        reading = self.read(question, quotes_rows=True)
        if reading.query is not None:
            found = self.answer(question, quotes_rows=True)
            if found is not None and found.answer.text is not None:
                return found
        if reading.about != table.name:
            rows = _rows_of(table, answer)
            if not asks_of_all(question, self._vocabulary(table), rows):
                return None
        reason = f"single rows of the table {table.name} do not answer this"
        if reading.about == table.name:
            reason += f": {reading.reason}"
        withheld = replace(
            answer,
            text=None,
            citations=(),
            highlights=(),
            reason=reason,
            nearest=next(iter(answer.citations), None),
        )
        return TableAnswer(withheld, ())

    def _quoted(self, answer: Answer) -> Table | None:
        """Return the table that all of an answer's citations are of."""
        for table in self.tables.tables:
            starts = {one.start for one in answer.citations if one.document == table.document}
            are_its = all(one.document == table.document for one in answer.citations)
            if starts and are_its and len(_rows_of(table, answer)) == len(starts):
                return table
        return None

    def _answer(self, result: TableResult) -> TableAnswer:
        query = result.query
        if result.table.document in self._unfinished():
            return _withheld(
                f"the table {result.table.name} is half read: let `expert index` come to its end"
            )
        if not result.values or (result.value is None and query.aggregate != "none"):
            if query.aggregate == "none":
                return _withheld(f"no row of the table {result.table.name} meets this")
            return _withheld(f"no row of the table {result.table.name} has a value for this")
        vocabulary = self._vocabulary(result.table)
        if result.absent:
            rows = vocabulary.rows_called(2)
            groups = f"{query.period}s" if query.period else "values"
            return _withheld(f"some {groups} of {query.group_by} have none of these {rows}")
        if result.totals:
            names = ", ".join(result.totals[:_SHOWN])
            return _withheld(f"rows of the table {result.table.name} are made of others: {names}")
        first = told_first(result)
        text = " ".join([tell(result, vocabulary), *self._beside(result, vocabulary)])
        return TableAnswer(
            Answer(
                text,
                CONFIDENCE,
                citations=result.citations,
                answerer="table",
                highlights=((0, len(first)),) if first else (),
                written={
                    "table": result.table.name,
                    "document": result.table.document,
                    "sheet": result.table.sheet,
                    "query": query.model_dump(exclude_defaults=True),
                    "sql": result.sql,
                    "parameters": list(result.parameters),
                    "rows": result.counted,
                },
            ),
            tuple(_evidence(result)),
        )

    def _beside(self, result: TableResult, vocabulary: Vocabulary) -> Iterator[str]:
        """Say how many rows were left out that name a value beside others, such as "Left_Right"."""
        query = result.query
        for number, one in enumerate(query.filters):
            if one.operator != "=" or not isinstance(one.value, str):
                continue
            count = 0
            column = result.table.column(one.column)
            assert column is not None  # noqa: S101 - the query has been run
            for value in vocabulary.values.joint(column, one.value):
                other = one.model_copy(update={"value": value})
                filters = (*query.filters[:number], other, *query.filters[number + 1 :])
                counting = TableQuery(table=query.table, aggregate="count", filters=filters)
                count += self.tables.run(counting).counted
            if count:
                rows = vocabulary.rows_called(count)
                where = f"where {one.column} names {one.value} beside another"
                yield f"Left out: {count:,} {rows} {where}."

    def _vocabulary(self, table: Table) -> Vocabulary:
        known = self._vocabularies.get(table.name)
        if known is None or known.table is not table:
            known = self._vocabularies[table.name] = Vocabulary(table)
        return known


def _rows_of(table: Table, answer: Answer) -> list[int]:
    """Return the numbers of the rows that an answer's citations stand in, one each."""
    starts = [place.start for place in table.rows]
    found = []
    for start in {citation.start for citation in answer.citations}:
        row = bisect_right(starts, start) - 1
        if row >= 0 and start < table.rows[row].end:
            found.append(row)
    return found


def _withheld(reason: str) -> TableAnswer:
    return TableAnswer(Answer(None, 0.0, reason=reason, answerer="table"), ())


def _evidence(result: TableResult) -> Iterator[Evidence]:
    table = result.table
    context = " > ".join(part for part in (table.title or table.name, table.sheet) if part)
    for citation in result.citations:
        length = len(citation.quote)
        yield Evidence(
            document=citation.document,
            passage=f"{citation.document}:{citation.start}",
            title=citation.title,
            context=context,
            start=citation.start,
            end=citation.end,
            page=citation.page,
            text=citation.quote,
            score=1.0,
            sentences=((0, length, 1.0),),
        )
