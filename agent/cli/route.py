"""``expert route``: which way a question would go, and why."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from agent.workspace import Workspace

if TYPE_CHECKING:
    from agent.router.decision import Decision
    from agent.routes import Routes

_EXAMPLES = """\b
Examples:
  expert route "how many days of annual leave?"
  expert route "how many days of annual leave?" --json
  expert route --file questions.jsonl -o routes.jsonl

\b
A line of the file: {"question": "How long is probation?"}; other fields are passed through.
"""
_BLOCK = 500


@click.command("route", epilog=_EXAMPLES)
@click.argument("question", required=False)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Route the questions of a JSONL file.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write there instead of to standard output.",
)
@click.option(
    "--question-only", is_flag=True, help="Decide without a look into the index: milliseconds."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace,
    question: str | None,
    file: Path | None,
    output: Path | None,
    question_only: bool,
    as_json: bool,
) -> int:
    """Show which route QUESTION would take, and why; nothing is answered."""
    if (question is None) == (file is None):
        raise click.UsageError("give a QUESTION or --file")
    if output is not None and file is None:
        raise click.UsageError("-o goes with --file")
    if output is not None and file is not None and output.resolve() == file.resolve():
        raise click.UsageError("--file and -o must be two files")

    from agent.routes import Routes

    with closing(Routes(workspace)) as routes:
        if question is not None:
            (decision,) = _decided(routes, [question], question_only)
            if as_json:
                click.echo(json.dumps(decision.to_dict(), ensure_ascii=False))
            else:
                show_decision(decision)
            return 0
        assert file is not None  # noqa: S101 - one of the two was given
        with _opened(output) as target:
            bad = 0
            for lines in _blocks(file):
                good = [one for one in lines if isinstance(one[1], dict)]
                for number, reason in lines:
                    if isinstance(reason, str):
                        bad += 1
                        click.echo(f"expert: {file}: line {number}: {reason}; left out", err=True)
                texts = [content["question"] for _, content in good]
                decisions = _decided(routes, texts, question_only)
                for (_, content), decision in zip(good, decisions, strict=True):
                    _write(target, {**content, **decision.to_dict()})
    return int(bool(bad))


def _blocks(path: Path) -> Iterator[list[tuple[int, Any]]]:
    """Yield lines with their numbers, some hundred at a time: an object, or what is wrong."""
    from agent.errors import SuiteError

    block: list[tuple[int, Any]] = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    block.append((number, _read(line)))
                if len(block) == _BLOCK:
                    yield block
                    block = []
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SuiteError(f"{path}: {reason}") from None
    if block:
        yield block


def _decided(routes: "Routes", questions: Sequence[str], question_only: bool) -> "list[Decision]":
    from agent.planning import Planner
    from agent.printable import printable

    texts = [printable(question) for question in questions]
    if question_only:
        return routes.router.decide_many(texts)
    return Planner(routes, None, None).decide(texts, [False] * len(texts))


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO | None]:
    """Give a file that takes its place when all is written; None for standard output."""
    from agent.errors import SuiteError

    if path is None:
        yield None
        return
    whole = path.resolve()
    # What is no file, such as a pipe, has no content to keep and cannot be replaced.
    kept = path.is_file() or not path.exists()
    written = whole.with_name(f".writing-{os.getpid()}") if kept else path
    try:
        file = written.open("w", encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"{path}: {error.strerror}") from None
    try:
        with file:
            yield file
        if kept:
            if whole.is_file():
                shutil.copymode(whole, written)
            written.replace(whole)
    except BaseException:
        if kept:
            written.unlink(missing_ok=True)
        raise


def _read(line: str) -> dict[str, Any] | str:
    from agent.json_lines import not_json

    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return not_json(error)
    if not isinstance(content, dict) or not isinstance(content.get("question"), str):
        return "question: is missing or no text"
    return content


def _write(target: TextIO | None, content: dict[str, Any]) -> None:
    from agent.printable import to_json

    line = to_json(content)
    if target is None:
        click.echo(line)
    else:
        target.write(f"{line}\n")


def show_decision(decision: "Decision") -> None:
    """Print a decision with its reasons and the probabilities of the routes."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from agent.printable import one_line

    console = Console(highlight=False)
    head = Text(decision.route, style="bold cyan")
    if decision.adapter is not None:
        head.append(f" · {decision.adapter}")
    if decision.second_adapter is not None:
        head.append(f" or {decision.second_adapter}", style="dim")
    console.print(head)
    for reason in decision.reasons:
        console.print(Text(f"  {one_line(reason)}"), soft_wrap=not console.is_terminal)
    table = Table.grid(padding=(0, 2))
    for route, probability in sorted(decision.probabilities.items(), key=lambda p: -p[1]):
        bar = "█" * round(20 * probability)
        table.add_row(Text(f"  {route}"), Text(f"{probability:.2f}"), Text(bar, style="cyan"))
    console.print(table)
    console.print(
        Text(f"  router {decision.router_version}, cost {decision.expected_cost:g}", style="dim")
    )
