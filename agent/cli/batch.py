"""``expert batch``: answer a file of questions."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from agent.workspace import Workspace

_EXAMPLES = """\b
Examples:
  expert batch questions.jsonl -o answers.jsonl
  expert batch questions.jsonl -o answers.jsonl --route hybrid --json

\b
A line of the file; all but the question may be left out, and other fields are passed through:
  {"id": 7, "question": "And part-time staff?", "route": "retrieval",
   "history": [{"question": "How many days of leave?", "answer": "25 days."}]}
"""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("batch", epilog=_EXAMPLES)
@click.argument("questions", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("-o", "--output", type=_FILE, required=True, help="Write answers there.")
@click.option(
    "--errors",
    type=_FILE,
    help="Write lines that cannot be answered there. [default: OUTPUT's name with .errors]",
)
@click.option("--answerer", type=click.Choice(["quote", "phi3"]), help="On the route retrieval.")
@click.option("--adapter", metavar="NAME[@VERSION]", help="Where a line names none.")
@click.option(
    "--route",
    type=click.Choice(["retrieval", "expert", "hybrid"]),
    help="Where a line names none. [default: what the router chooses]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.pass_obj
def command(
    workspace: Workspace,
    questions: Path,
    output: Path,
    errors: Path | None,
    answerer: str | None,
    adapter: str | None,
    route: str | None,
    as_json: bool,
) -> int:
    """Answer the QUESTIONS of a JSONL file, each as `expert ask --json` would.

    Answers come in the file's order. Stop it at any moment: the same command goes on where it
    was, and answers nothing twice. Exits with 1 when a line could not be answered.
    """
    errors = errors or output.with_name(f"{output.stem}.errors{output.suffix}")
    if len({path.resolve() for path in (questions, output, errors)}) < 3:
        raise click.UsageError("QUESTIONS, --output and --errors must be three files")
    if route not in (None, "retrieval") and answerer is not None:
        raise click.UsageError("--answerer goes with --route retrieval")
    if route == "retrieval" and adapter is not None:
        raise click.UsageError("--adapter goes with --route expert or hybrid")

    from agent.batch import run_batch
    from agent.cli.train_display import counting
    from agent.expert import Expert

    count = None
    # What comes from a pipe can be read once.
    if questions.is_file():
        with questions.open("rb") as file:
            count = sum(1 for line in file if line.strip())
    done = 0
    try:
        with (
            Expert(workspace, answerer=answerer, adapter=adapter, route=route) as expert,
            counting("Answering") as advance,
        ):

            def on_progress(finished: int) -> None:
                nonlocal done
                done = finished
                advance(finished, count)

            result = run_batch(expert, questions, output, errors, on_progress=on_progress)
    except KeyboardInterrupt:
        of = "" if count is None else f" of {count:,}"
        click.echo(f"Stopped after {done:,}{of}; run the same command to go on.", err=True)
        raise
    if as_json:
        told = asdict(result) | {"output": str(output)}
        click.echo(json.dumps(told | {"errors": str(errors) if result.failed else None}))
    else:
        kept = f", {result.kept:,} from before" if result.kept else ""
        click.echo(f"{result.answered:,} answered, {result.abstained:,} withheld{kept}: {output}")
    if result.failed:
        click.echo(f"expert: {result.failed:,} lines could not be answered: {errors}", err=True)
    return int(bool(result.failed))
