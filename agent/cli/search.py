"""``expert search``: find passages and show where they stand."""

import json
import math
import re
from typing import TYPE_CHECKING, Any

import click

from agent.printable import one_line, printable, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

    from agent.explain import Steps
    from pipelines.search import Hit

_EXAMPLES = """\b
Examples:
  expert search "how many days of annual leave?"
  expert search "hydraulic leak" --filter "columns.cost>400" --json
  expert search "who approves travel?" --explain
"""
_INT64 = 2**63
# A column may be called anything, such as "Cost (USD)".
_CONDITION = re.compile(r"\s*([^\s<>=!][^<>=!]*?)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)


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
@click.option("--explain", is_flag=True, help="Show what each step did, and what it left over.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace,
    question: str,
    top_k: int | None,
    conditions: tuple[str, ...],
    explain: bool,
    as_json: bool,
) -> None:
    """Search the index and show the passages found, best first."""
    question = printable(question).strip()
    if not question:
        raise click.UsageError("the question is empty")
    filters = parse_conditions(conditions)
    workspace.require_index()

    from agent.assemble import open_pipeline
    from pipelines.search import retrieve

    with open_pipeline(workspace) as pipeline:
        top_k = top_k or workspace.settings.retrieval.top_k
        found = retrieve(pipeline, question, top_k=top_k, filters=filters)
    steps = None
    if explain:
        from agent.explain import explained

        steps = explained(question, found)
    if as_json:
        content: dict[str, Any] = {"hits": [_contract(hit) for hit in found.hits]}
        if steps is not None:
            content["explain"] = steps.to_dict()
        click.echo(to_json(content))
        return
    from rich.console import Console

    from agent.cli.display import print_hit

    console = Console(highlight=False)
    for number, hit in enumerate(found.hits, 1):
        print_hit(console, hit, number)
    if not found.hits:
        console.print("Nothing found.")
    if steps is not None:
        _print_steps(console, steps)


def _print_steps(console: "Console", steps: "Steps") -> None:
    from rich.text import Text

    console.print(
        Text(f"Keywords found {steps.by_words} of these, vectors {steps.by_vector}.", style="dim")
    )
    for step in steps.steps:
        places = ", ".join("–" if place is None else str(place) for place in step.places)
        console.print(Text(f"{step.name}: {step.passages} passages; the hits stood at {places}"))
    for piece in steps.evidence:
        line = Text(f"evidence from hit {piece.hit or '–'}, {piece.characters} characters: ")
        line.append(one_line(piece.answer) or "nothing", style="bold yellow")
        line.append(f" answers with probability {piece.probability:.2f}", style="dim")
        console.print(line)


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
                "value": _value(operator, value),
            }
        )
    return {"operator": "AND", "conditions": parsed} if parsed else None


def _value(operator: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    # Documents hold such numbers as text; of a long one it can still be told what is less.
    if isinstance(value, float) and not math.isfinite(value):
        return text
    if isinstance(value, int) and abs(value) >= _INT64 and operator in ("=", "!="):
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
