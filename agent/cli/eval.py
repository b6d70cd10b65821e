"""``expert eval``: which way of answering is best on your questions."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.printable import one_line, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from agent.evaluation.compare import Evaluation

_EXAMPLES = """\b
Examples:
  expert eval questions.jsonl
  expert eval questions.jsonl --routes router,retrieval --limit 50
  expert eval questions.jsonl --report report.html --json

\b
A line of the file; without "accepted", "accepted_all" and "answer" nothing answers it:
  {"question": "How long is probation?", "accepted": ["six months"], "answer": "Six months.",
   "kind": "lookup", "history": [{"question": "Who is on probation?", "answer": "New staff."}]}
"""
_WAYS = ("router", "retrieval", "expert", "hybrid")
_SHOWN = (
    "right",
    "f1",
    "citation_precision",
    "grounded",
    "withheld",
    "falsely_withheld",
    "latency_p50_ms",
    "cost",
    "failed",
)


def _ways(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in value.split(","))
    if named == ("all",):
        return ()
    for name in named:
        if name not in _WAYS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(_WAYS)} and all")
    return named


@click.command("eval", epilog=_EXAMPLES)
@click.argument("suite", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--routes",
    metavar="NAMES",
    default="all",
    callback=_ways,
    help="Of router, retrieval, expert and hybrid, with commas between. [default: all there are]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Ask the first so many questions.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the HTML report there. [default: runs/eval-SUITE.html in the workspace]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace,
    suite: Path,
    routes: tuple[str, ...],
    limit: int | None,
    report: Path | None,
    as_json: bool,
) -> int:
    """Ask a SUITE of questions by the router and by each route, and tell which is best.

    A report for the browser shows all figures with their uncertainty, and the answers that
    went wrong. Exits with 1 when a line could not be read or a question not be asked.
    """
    from agent.cli.train_display import counting
    from agent.errors import ReportError
    from agent.evaluation.report import write_report
    from agent.evaluation.run import evaluate, ways_of
    from agent.suite import read_suite

    read = read_suite(suite)
    for line, reason in read.errors:
        click.echo(f"expert: {suite}: line {line}: {reason}; left out", err=True)
    ways = ways_of(workspace, routes)
    if report is None:
        workspace.create()
        report = workspace.path / "runs" / f"eval-{suite.stem}.html"
    elif not report.parent.is_dir():
        # Before questions are asked for an hour.
        raise ReportError(f"cannot write {report}: no such folder")
    with counting("Asking") as advance:
        found = evaluate(workspace, read.questions[:limit], ways, on_progress=advance)
    write_report(report, suite.name, found)
    if as_json:
        told = {"suite": str(suite), **found.to_dict(), "report": str(report)}
        click.echo(to_json(told))
    else:
        _show(found)
        click.echo(f"Report: {report}")
    failures = Counter(
        (way, str(failure.error)) for way, each in found.ways.items() for failure in each.failures
    )
    for (way, reason), count in failures.items():
        why = one_line(reason)
        click.echo(f"expert: {way}: {count} questions could not be asked: {why}", err=True)
    return int(bool(read.errors or failures))


def _show(found: "Evaluation") -> None:
    from rich.console import Console
    from rich.table import Table

    from agent.evaluation.report import LABELS, figure

    counts = found.ways[found.best].figures
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{counts['questions']} questions, {counts['unanswerable']} without an answer")
    for way in found.ways:
        table.add_column(way, justify="right", style="bold" if way == found.best else "")
    for name in _SHOWN:
        each = [measured.figures.get(name) for measured in found.ways.values()]
        if any(value is not None for value in each) and (name != "failed" or any(each)):
            cells = ("–" if value is None else figure(name, value) for value in each)
            table.add_row(LABELS[name], *cells)
    console = Console(highlight=False)
    console.print(table)
    console.print(found.verdict(), markup=False, soft_wrap=not console.is_terminal)
