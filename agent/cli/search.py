"""``expert search``: find passages and show where they stand."""

import json
import re
from typing import TYPE_CHECKING, Any

import click

from agent.workspace import Workspace

if TYPE_CHECKING:
    from pipelines.search import Hit

_EXAMPLES = """\b
Examples:
  expert search "how many days of annual leave?"
  expert search "hydraulic leak" --filter "columns.cost>400" --json
"""
_CONDITION = re.compile(r"\s*([\w.][\w. -]*?)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)


@click.command("search", epilog=_EXAMPLES)
@click.argument("question")
@click.option("--top-k", "-k", type=click.IntRange(1, 1000), help="Hits at most. [default: 10]")
@click.option(
    "--filter",
    "conditions",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Keep passages whose field compares so (=, !=, <, <=, >, >=); may be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace,
    question: str,
    top_k: int | None,
    conditions: tuple[str, ...],
    as_json: bool,
) -> None:
    """Search the index and show the passages found, best first."""
    if not question.strip():
        raise click.UsageError("the question is empty")
    filters = parse_conditions(conditions)
    workspace.require_index()

    from agent.assemble import open_pipeline
    from pipelines.search import search

    with open_pipeline(workspace) as pipeline:
        top_k = top_k or workspace.settings.retrieval.top_k
        hits = search(pipeline, question, top_k=top_k, filters=filters)
    if as_json:
        click.echo(json.dumps({"hits": [_contract(hit) for hit in hits]}, ensure_ascii=False))
        return
    from rich.console import Console

    from agent.cli.display import print_hit

    console = Console(highlight=False)
    for number, hit in enumerate(hits, 1):
        print_hit(console, hit, number)
    if not hits:
        console.print("Nothing found.")


def parse_conditions(conditions: tuple[str, ...]) -> dict[str, Any] | None:
    """Turn ``field=value`` conditions into Haystack filters; None when there are none.

    A value that reads as a number or as true or false is one; anything else is text, and
    so is a value in double quotes.

    :raises click.UsageError: When a condition has no comparison.
    """
    parsed = []
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise click.UsageError(
                f"--filter {condition!r}: expected a field, a comparison and a value, "
                "such as format=pdf or columns.cost>400"
            )
        field, operator, value = match.groups()
        parsed.append(
            {
                "field": field if field.startswith("meta.") else f"meta.{field}",
                "operator": "==" if operator == "=" else operator,
                "value": _value(value),
            }
        )
    return {"operator": "AND", "conditions": parsed} if parsed else None


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, str | int | float | bool) else text


def _contract(hit: "Hit") -> dict[str, Any]:
    meta = dict(hit.meta)
    return {
        "document": hit.document,
        "title": hit.title,
        "page": hit.page,
        "start": hit.start,
        "end": hit.end,
        "text": hit.text,
        "score": hit.score,
        "bm25": hit.bm25,
        "vector": hit.vector,
        "headings": hit.headings,
        "also_in": [dict(place) for place in hit.also_in],
        "evidence": [list(span) for span in hit.evidence],
        "scores": meta.pop("scores", {}),
        "meta": meta,
    }
