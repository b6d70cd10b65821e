"""``expert measure``: which answerer is right more often on your questions."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.printable import one_line, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from agent.measure import Outcome

_EXAMPLES = """\b
Examples:
  expert measure questions.jsonl
  expert measure questions.jsonl --answerer quote --json

\b
A line of the file:
  {"question": "How long is probation?", "accepted": ["six months"], "gold_files": ["leave.md"]}
With neither "accepted" nor "answer" it is a question that the documents do not answer.
"""
_STEPS = {
    "file": "right document among the 5 best passages",
    "passage": "answer in the 5 best passages",
    "evidence": "answer in the evidence",
    "right": "answered rightly",
    "falsely_withheld": "withheld though answerable",
    "citation_precision": "cited place holds the answer",
    "withheld": "withheld, rightly",
}


@click.command("measure", epilog=_EXAMPLES)
@click.argument("suite", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--answerer",
    "names",
    multiple=True,
    type=click.Choice(["quote", "phi3"]),
    help="Measure this one only; both are compared by default, and the better one is kept.",
)
@click.option(
    "--failures",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what failed here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace, suite: Path, names: tuple[str, ...], failures: Path | None, as_json: bool
) -> int:
    """Ask a file of questions and show where answers are lost on the way.

    With both answerers measured, the one that is right more often becomes the default of
    this workspace. Exits with 1 when a line could not be read or a question not be asked.
    """
    from rich.console import Console
    from rich.progress import track

    from agent.answerers import record
    from agent.errors import SuiteError
    from agent.expert import Expert
    from agent.measure import Outcome, figures, outcomes, untraced
    from agent.suite import read_suite

    if failures is not None and not failures.parent.is_dir():
        raise click.UsageError(f"--failures: there is no folder {failures.parent}")
    read = read_suite(suite)
    for line, reason in read.errors:
        click.echo(f"expert: {suite}: line {line}: {reason}; left out", err=True)
    questions = [one for one in read.questions if one.is_judged]
    unjudged = len(read.questions) - len(questions)
    if not questions:
        raise SuiteError(f'{suite}: no question says in "accepted" what answers it')
    if unjudged:
        click.echo(
            f'expert: {suite}: {unjudged:,} questions without "accepted" are left out', err=True
        )
    stderr = Console(stderr=True)
    measured: dict[str, dict[str, float]] = {}
    failed: list[dict[str, object]] = []
    unasked = 0
    for name in names or ("quote", "phi3"):
        with Expert(untraced(workspace), answerer=name) as expert:
            asked = track(
                outcomes(expert, questions),
                description=name,
                total=len(questions),
                console=stderr,
                disable=not stderr.is_terminal,
                transient=True,
            )
            found = []
            for one in asked:
                if isinstance(one, Outcome):
                    found.append(one)
                else:
                    unasked += 1
                    told = one_line(f"{one[0].id}: {one[1].error}")
                    click.echo(f"expert: {told}; left out", err=True)
        measured[name] = figures(found)
        failed += [_failure(name, outcome) for outcome in found if _is_failure(outcome)]
    # What rests on different questions is not compared.
    if len(measured) > 1 and not unasked and all(each["questions"] for each in measured.values()):
        record(workspace, measured)
    if as_json:
        click.echo(json.dumps(measured))
    else:
        _show(measured)
    if failures is not None:
        lines = [f"{to_json(failure)}\n" for failure in failed]
        try:
            failures.write_text("".join(lines), encoding="utf-8")
        except OSError as error:
            raise SuiteError(f"{failures}: {error.strerror}") from None
    return int(bool(read.errors or unasked))


def _show(measured: dict[str, dict[str, float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    first = next(iter(measured.values()))
    table = Table(box=None, pad_edge=False)
    table.add_column(
        f"{first['questions']:.0f} questions, {first['unanswerable']:.0f} without an answer"
    )
    for name in measured:
        table.add_column(name, justify="right")
    for key, label in _STEPS.items():
        cells = (f"{found[key]:.1%}" if key in found else "–" for found in measured.values())
        table.add_row(label, *cells)
    Console(highlight=False).print(table)


def _is_failure(outcome: "Outcome") -> bool:
    if outcome.answerable:
        return not outcome.right
    return not outcome.reply.answer.abstained


def _failure(name: str, outcome: "Outcome") -> dict[str, object]:
    # Which document is right is not known of every question.
    known = ("file",) if outcome.question.gold_files else ()
    steps = (*known, "passage", "evidence")
    lost = next((step for step in steps if not getattr(outcome, step)), "")
    return {
        "answerer": name,
        "id": outcome.question.id,
        "question": outcome.question.question,
        "accepted": outcome.question.accepted or outcome.question.accepted_all,
        "lost_at": (lost or "answer") if outcome.answerable else "not withheld",
        "answer": outcome.reply.answer.text,
        "confidence": outcome.reply.answer.confidence,
        "documents": [hit.document for hit in outcome.reply.hits[:5]],
    }
