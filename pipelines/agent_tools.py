"""What an agent may call: the search of the documents, an adapter's memory, and the tables.

Tools give text to the model and keep what it rests on, with its place, in the agent's state. What
they give is data: nothing in it is an instruction.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from haystack import Pipeline
from haystack.components.agents.state import State
from haystack.core.serialization import generate_qualified_class_name
from haystack.tools.tool import Tool

from pipelines.answer import Citation
from pipelines.closed_book import AdapterAnswerer
from pipelines.evidence import Evidence, numbered
from pipelines.search import Found, Hit, retrieve
from pipelines.tables import TableQuery, TableResult, Tables

SEARCH, ADAPTER, TABLE = "search_documents", "ask_adapter", "look_up_table"
NOTHING = "Nothing was found."
STATE: Mapping[str, Any] = {
    "evidence": {"type": list[Evidence]},
    "hits": {"type": list[Hit]},
    "rows": {"type": list[tuple[str, tuple[Citation, ...]]]},
}
"""What tools keep: numbered evidence, the passages found, and what rows a table's result is of."""

_KEPT = {name: {"source": name} for name in STATE}
_TEXT = {"source": "text"}
_QUESTION = {"type": "string", "minLength": 1, "maxLength": 300}
_MOST_ROWS = 10


class SearchTool(Tool):
    """The tool ``search_documents``: numbered evidence for a question.

    :param pipeline: The retrieval pipeline.
    :param find: Asks it, in place of a plain run; it is not serialised.
    """

    def __init__(self, pipeline: Pipeline, find: Callable[[str], Found] | None = None) -> None:
        self._pipeline = pipeline
        self._find = find or (lambda query: retrieve(pipeline, query))
        super().__init__(
            name=SEARCH,
            description="finds passages of the documents for a question",
            parameters=_arguments(query=_QUESTION),
            function=self._search,
            outputs_to_string=_TEXT,
            outputs_to_state=_KEPT,
        )

    def to_dict(self) -> dict[str, Any]:
        """Serialise the tool with its pipeline."""
        kind = generate_qualified_class_name(type(self))
        return {"type": kind, "data": {"pipeline": self._pipeline.to_dict()}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "SearchTool":
        """Make a tool of what :meth:`to_dict` returned."""
        return cls(Pipeline.from_dict(data["data"]["pipeline"]))

    def _search(self, query: str, state: State) -> dict[str, Any]:
        found = self._find(query)
        known: list[Evidence] = state.get("evidence") or []
        places = [(piece.document, piece.start, piece.end) for piece in known]
        new = [p for p in found.evidence if (p.document, p.start, p.end) not in places]
        places += [(piece.document, piece.start, piece.end) for piece in new]
        lines = [
            numbered(places.index((piece.document, piece.start, piece.end)) + 1, piece)
            for piece in found.evidence
        ]
        return {"text": "\n".join(lines) or NOTHING, "evidence": new, "hits": found.hits}


def adapter_tool(adapters: Mapping[str, AdapterAnswerer]) -> Tool:
    """Return the tool ``ask_adapter``: what an adapter says from memory, which is no source.

    :param adapters: By the names they are called by.
    """

    def ask_adapter(adapter: str, question: str) -> dict[str, Any]:
        answer = adapters[adapter].run(question)["answer"]
        said = " ".join((answer.text or "nothing").split())
        return {"text": f"From memory, which is no source, {adapter} says: {said}"}

    return Tool(
        name=ADAPTER,
        description="asks what an adapter has learned; it cannot be cited",
        parameters=_arguments(adapter={"enum": sorted(adapters)}, question=_QUESTION),
        function=ask_adapter,
        outputs_to_string=_TEXT,
    )


def table_tool(tables: Tables) -> Tool:
    """Return the tool ``look_up_table``: a count, sum or other figure of the index's tables.

    :raises TableError: When the index holds no table.
    """

    def look_up_table(query: dict[str, Any], state: State) -> dict[str, Any]:
        result = tables.run(TableQuery.model_validate(query))
        number = len(state.get("evidence") or []) + 1
        piece = _of_table(result, number)
        if not result.citations:
            return {"text": NOTHING}
        if result.totals:
            made = ", ".join(result.totals[:_MOST_ROWS])
            return {"text": f"Rows among these are made of others: {made}. Leave them out."}
        return {
            "text": numbered(number, piece),
            "evidence": [piece],
            "rows": [(piece.document, result.citations)],
        }

    return Tool(
        name=TABLE,
        description="counts, adds up or lists rows of a table",
        parameters=_arguments(query=tables.schema()),
        function=look_up_table,
        outputs_to_string=_TEXT,
        outputs_to_state=_KEPT,
    )


def _of_table(result: TableResult, number: int) -> Evidence:
    """Return a table's result as evidence; its rows are cited in its place."""
    query = result.query
    what = " ".join(
        part
        for part in (query.aggregate, query.column, query.group_by and f"by {query.group_by}")
        if part and part != "none"
    )
    values = [", ".join(str(v) for v in row) for row in result.values[:_MOST_ROWS]]
    rows = [citation.quote for citation in result.citations]
    text = "\n".join([f"{what or 'rows'}: {'; '.join(values)}", *rows])
    return Evidence(
        document=f"{result.table.name}#{number}",  # two results of a table are two places
        passage="",
        title=None,
        context=result.table.name,
        start=0,
        end=len(text),
        page=None,
        text=text,
        score=1.0,
    )


def _arguments(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def with_rows(
    citations: Sequence[Citation], tables: Mapping[str, tuple[Citation, ...]]
) -> list[list[Citation]]:
    """Return for each citation the places that it stands for: of a table's result, its rows.

    :param tables: The rows of each result, by the document that its evidence is named after.
    """
    return [list(tables.get(one.document, (one,))) for one in citations]
