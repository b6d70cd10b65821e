"""``expert trace``: how an answer came about."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from agent.printable import one_line, printable, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

    from agent.trace import Trace

_EXAMPLES = """\b
Examples:
  expert trace
  expert trace last
  expert trace 20261128-1630 --json
  expert trace --withheld --limit 50
  expert trace --clear --yes
"""
_BAR = 30


@click.command("trace", epilog=_EXAMPLES)
@click.argument("name", metavar="[ID]", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="List.")
@click.option("--withheld", is_flag=True, help="List only what was not answered.")
@click.option("--clear", is_flag=True, help="Remove all traces.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    workspace: Workspace,
    name: str | None,
    limit: int,
    withheld: bool,
    clear: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """List the last answers, or show how one came about.

    ID is an answer's, the beginning of one, or "last". What is kept: how the router decided,
    what was found, what the model was asked and replied, what of it the sources backed, and how
    long each step took. `trace.keep` in the settings says how many.
    """
    from agent.trace import FILE, TraceStore

    if clear and name:
        raise click.UsageError("--clear removes all: leave the ID out")
    store = TraceStore(workspace.path / "runs" / FILE)
    try:
        if clear:
            if not yes:
                click.confirm(f"Remove all traces in {store.path}?", abort=True)
            count = store.clear()
            click.echo(f"{count:,} {'trace' if count == 1 else 'traces'} removed")
        elif name is not None:
            trace = store.find(name)
            if as_json:
                click.echo(to_json(trace.content))
            else:
                _show(trace.content)
        else:
            traces = store.latest(limit, withheld=withheld)
            if as_json:
                click.echo(to_json({"traces": [_listed(trace) for trace in traces]}))
            elif traces:
                _list(traces)
            else:
                click.echo("No traces: nothing was asked, or trace.keep is 0.")
    finally:
        store.close()


def _listed(trace: "Trace") -> dict[str, Any]:
    names = ("trace", "at", "question", "route", "adapter", "abstained", "confidence")
    return {name: trace.content[name] for name in names}


def _list(traces: "list[Trace]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for trace in reversed(traces):
        told = trace.content
        sure = "" if told["abstained"] else f"{told['confidence']:.2f}"
        table.add_row(trace.id, told["route"], sure, Text(one_line(told["question"])))
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    for trace in reversed(traces):
        told = trace.content
        click.echo(f"{trace.id}\t{told['route']}\t{one_line(told['question'])}")


def _show(told: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    _put(console, "Question", told["question"])
    if told["searched"] != told["question"]:
        _put(console, "Searched as", told["searched"])
    if told["answer"] is None:
        _put(console, "No answer", told["reason"] or "none was found")
    else:
        _put(console, "Answer", told["answer"])
    decision = told["decision"]
    if decision is not None:
        chances = ", ".join(f"{name} {p:.2f}" for name, p in decision["probabilities"].items())
        _put(console, "Router", f"{decision['route']} of {chances}")
        for reason in decision["reasons"]:
            _put(console, "", reason)
    writer = f", adapter {told['adapter']}" if told["adapter"] else ""
    _put(console, "Taken", f"{', then '.join(told['tried'])}{writer}, by {told['answerer']}")
    _put(console, "Confidence", f"{told['confidence']:.2f}")
    for number, passage in enumerate(told["passages"], 1):
        mark = "*" if passage["evidence"] else " "
        place = f"{passage['document']}, characters {passage['start']}–{passage['end']}"
        _put(console, "" if number > 1 else "Passages", f"{mark} {passage['score']:.3f} {place}")
    if any(passage["evidence"] for passage in told["passages"]):
        _put(console, "", "* became evidence")
    # Of a question that was taken apart each part was written by itself.
    for written in (told["written"], *told["written"].get("parts", ())):
        for message in written.get("messages", ()):
            _put(console, message["role"].capitalize(), message["content"])
        if "sql" in written:
            _put(console, "Query", f"{written['sql']} with {written['parameters']}")
            _put(console, "", f"of {written['rows']:,} rows")
        for number, step in enumerate(written.get("steps", ()), 1):
            asked = ", ".join(str(value) for value in step["arguments"].values())
            _put(console, f"Step {number}", f"{step['tool']}: {asked}")
            _put(console, "", step["result"] or "nothing")
        if written.get("conclusion"):
            _put(console, "Conclusion", written["conclusion"])
        if "reply" in written:
            _put(console, "Reply", written["reply"])
        if "asked_again" in written:
            _put(console, "Asked again", written["asked_again"]["question"])
            _put(console, "Reply", written["asked_again"]["reply"])
        if "beside" in written:
            beside = written["beside"]
            who = beside["adapter"] or "documents"
            _put(console, "Beside", f"{beside['text'] or 'nothing'} ({who})")
        if "remembered" in written:
            known = written["remembered"]
            _put(console, "Remembered", f"{known['text'] or 'nothing'} ({known['adapter']})")
            if "question" in known:
                _put(console, "Asked for", known["question"])
    for claim in told["claims"]:
        fault = f": {claim['fault']}" if claim["fault"] else ""
        backed = "left out" if claim["fault"] else "backed"
        _put(console, "Checked", f"{backed}, {claim['support']:.0%} of the words{fault}")
    for number, citation in enumerate(told["citations"], 1):
        place = (
            f"[{number}] {citation['document']}, characters {citation['start']}–{citation['end']}"
        )
        _put(console, "" if number > 1 else "Cites", place)
    times = told["timings_ms"]
    longest = max(times.values(), default=0.0) or 1.0
    for name, milliseconds in times.items():
        bar = "█" * max(1, round(_BAR * milliseconds / longest))
        _put(
            console,
            "Time" if name == next(iter(times)) else "",
            f"{name:<9}{milliseconds:>9.1f} ms {bar}",
        )
    known = {**told["versions"], "router": decision and decision["router_version"]}
    versions = ", ".join(f"{name} {value}" for name, value in known.items() if value)
    _put(console, "Versions", versions)
    _put(console, "Trace", f"{told['trace']}, {told['at']}")


def _put(console: "Console", label: str, content: str) -> None:
    """Print a text beside its label, below which no other line of it stands."""
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        lines = printable(content).split("\n")
        head = f"{label:<12}" if label else " " * 12
        click.echo(
            "\n".join(f"{head if n == 0 else ' ' * 12}{line}" for n, line in enumerate(lines))
        )
        return
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=11, style="bold")
    grid.add_column(ratio=1)
    grid.add_row(Text(label), Text(printable(content)))
    console.print(grid)
