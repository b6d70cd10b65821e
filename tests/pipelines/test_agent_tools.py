"""What an agent's tools give, and that it is cited at its own place, or not at all."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from haystack import Pipeline
from haystack.dataclasses import ChatMessage

from adapters.grammar import Grammar
from agent.assemble import open_indexer, open_store
from agent.workspace import Workspace
from pipelines.agent_answerer import AgentAnswerer, Worked
from pipelines.agent_scope import keep_to_question
from pipelines.agent_tools import NOTHING, SearchTool, adapter_tool, table_tool
from pipelines.answer import Answer
from pipelines.evidence import Evidence
from pipelines.search import Found
from pipelines.tables import Tables
from pipelines.tool_calls import form_of
from tests.pipelines.scripted import Scripted, call, say

ORDERS = "order,asset,cost\n1,EX-17,40\n2,EX-18,50\n3,EX-17,60\n"
COUNT = {
    "table": "orders.csv",
    "aggregate": "count",
    "filters": [{"column": "asset", "value": "EX-17"}],
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder: Path = tmp_path_factory.mktemp("orders")
    (folder / "orders.csv").write_text(ORDERS)
    workspace = Workspace(folder / ".expert")
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([folder / "orders.csv"])
    return Tables(open_store(workspace, read_only=True))


def test_a_tables_figure_is_cited_by_its_rows(tables: Tables) -> None:
    name = tables.tables[0].name
    generator = Scripted(
        call("look_up_table", query={**COUNT, "table": name}), say("The count is 2 [1].")
    )
    worked: Worked = AgentAnswerer(generator, [table_tool(tables)]).run("How many?")["worked"]
    assert worked.answer.text == "The count is 2. [1, 2]"
    assert [ORDERS.splitlines()[0] and "EX-17" in c.quote for c in worked.answer.citations] == [
        True,
        True,
    ]
    assert worked.answer.written["steps"][0]["result"].startswith(f"[1] {name}: count: 2")
    assert [piece.document for piece in worked.evidence] == [name]


def test_totals_are_not_added_to_their_parts(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(f"{ORDERS}Total,,150\n")
    workspace = Workspace(tmp_path / ".expert")
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([tmp_path / "orders.csv"])
    tables = Tables(open_store(workspace, read_only=True))
    query = {"table": tables.tables[0].name, "aggregate": "sum", "column": "cost"}
    generator = Scripted(call("look_up_table", query=query), say("It is 300 [1]."), say("no"))
    worked: Worked = AgentAnswerer(generator, [table_tool(tables)]).run("How much?")["worked"]
    assert worked.answer.abstained
    assert "made of others: Total" in worked.answer.written["steps"][0]["result"]


def test_two_results_of_a_table_are_two_sources(tables: Tables) -> None:
    name = tables.tables[0].name
    total = {"table": name, "aggregate": "sum", "column": "cost"}
    generator = Scripted(
        call("look_up_table", query={**COUNT, "table": name}),
        call("look_up_table", query=total),
        say("The sum of the cost is 150 [2]."),
    )
    worked: Worked = AgentAnswerer(generator, [table_tool(tables)]).run("How much?")["worked"]
    assert worked.answer.text == "The sum of the cost is 150. [1, 2, 3]"
    assert len(worked.answer.citations) == 3


def test_a_query_that_does_not_fit_is_told_in_a_line(tables: Tables) -> None:
    query = {"table": tables.tables[0].name, "aggregate": "sum", "column": "nothing"}
    generator = Scripted(call("look_up_table", query=query), say("I do not know."), say("no"))
    worked: Worked = AgentAnswerer(generator, [table_tool(tables)]).run("How much?")["worked"]
    assert "nothing" in worked.answer.written["steps"][0]["result"]
    assert worked.answer.abstained


def test_the_tables_form_can_be_kept_to_as_it_is_and_narrowed(tables: Tables) -> None:
    tool = table_tool(tables)
    assert isinstance(form_of([tool]), Grammar)

    asked = [ChatMessage.from_user("How many orders of EX-17?")]
    state = SimpleNamespace(data={"messages": asked, "tools": [tool]})
    keep_to_question.run(state)  # type: ignore[arg-type]
    assert isinstance(form_of([tool]), Grammar)
    assert "EX\\\\-17" in str(tool.parameters) or "EX-17" in str(tool.parameters)


class Knowing:
    """An adapter that says one thing."""

    def run(self, query: str) -> dict[str, Any]:
        return {"answer": Answer("The fee is 12 euros.", 0.9), "adapter": "hr@1"}


def test_what_an_adapter_says_is_no_source() -> None:
    text = "The office opens at nine."
    piece = Evidence("a.md", "1", None, "", 0, len(text), None, text, 1.0, ((0, len(text), 1.0),))
    generator = Scripted(
        call("search_documents", query="office"),
        call("ask_adapter", adapter="hr", question="What is the fee?"),
        say("The fee is 12 euros [1]."),
    )
    tools = [SearchTool(Pipeline(), lambda _: Found([], [piece])), adapter_tool({"hr": Knowing()})]  # type: ignore[dict-item]
    worked: Worked = AgentAnswerer(generator, tools).run("What is the fee?")["worked"]
    assert worked.answer.abstained
    assert worked.adapters == ("hr",)
    said = worked.answer.written["steps"][1]["result"]
    assert said == "From memory, which is no source, hr says: The fee is 12 euros."


def test_what_is_found_again_keeps_its_number() -> None:
    text = "The office opens at nine."
    piece = Evidence("a.md", "1", None, "", 0, len(text), None, text, 1.0, ((0, len(text), 1.0),))
    found = {"office": [piece], "hours": [piece], "nothing": []}
    generator = Scripted(
        *(call("search_documents", query=query) for query in found), say("It opens at nine [1].")
    )
    tools = [SearchTool(Pipeline(), lambda query: Found([], found[query]))]
    worked: Worked = AgentAnswerer(generator, tools).run("When does it open?")["worked"]
    results = [step["result"] for step in worked.answer.written["steps"]]
    assert results == [f"[1] {text}", f"[1] {text}", NOTHING]
    assert len(worked.evidence) == 1
