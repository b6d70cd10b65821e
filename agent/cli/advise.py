"""``expert advise``: documents, fine-tuning or both, measured on your own data."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.printable import one_line, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from adapters.training.progress import Progress
    from agent.advise.result import Advice
    from agent.advise.room import Room
    from pipelines.index_report import IndexReport

_EXAMPLES = """\b
Examples:
  expert advise --documents handbook/ --questions qa.jsonl
  expert advise --documents handbook/ --questions qa.jsonl --budget-minutes 60
  expert advise --documents handbook/ --questions qa.jsonl --report advice.html --json

\b
A line of the questions, about 100 of them; "accepted" are words of the documents that answer,
and without "answer" and "accepted" nothing answers it:
  {"question": "How long is probation?", "answer": "Six months.", "accepted": ["six months"],
   "gold_files": ["leave.md"], "kind": "lookup"}
"""
_SHOWN = 10


@click.command("advise", epilog=_EXAMPLES)
@click.option(
    "--documents",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="The documents; they are copied, and never written to.",
)
@click.option(
    "--questions",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Questions with their answers, a JSON object a line.",
)
@click.option(
    "--budget-minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Time that training and asking may take; indexing comes on top.",
)
@click.option("--model", metavar="ID|FOLDER|lab", help="Language model.  [default: in use]")
@click.option("--name", help="Of the run's folder.  [default: the questions file's]")
@click.option("--fresh", is_flag=True, help="Begin anew instead of going on with a run.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the HTML report there. [default: report.html in the run's folder]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace,
    documents: Path,
    questions: Path,
    budget_minutes: float,
    model: str | None,
    name: str | None,
    fresh: bool,
    seed: int,
    report: Path | None,
    as_json: bool,
) -> int:
    """Say whether retrieval, fine-tuning or both is best for your documents, by measuring.

    Half of the questions is taught to an adapter; the other half is asked by retrieval, by the
    adapter, by both and by the router, and where time allows the other way round. Then facts
    change in a fifth of the (copied) documents, and the questions about them are asked again.
    Works in a folder of its own, and leaves your index, adapters and router alone. It may be
    stopped at any time: the same command goes on. Exits with 1 when a line could not be read
    or a question not be asked.
    """
    from adapters.models import find_local
    from agent.advise.documents import find_documents
    from agent.advise.halves import check_count, halve, judgeable
    from agent.advise.report import write_advice
    from agent.advise.room import digest, open_room, room_settings
    from agent.advise.run import Plan, advise
    from agent.errors import AdviceError, ReportError
    from agent.suite import read_suite
    from agent.training import require_extra

    require_extra("lora")
    read = read_suite(questions)
    for line, reason in read.errors:
        click.echo(f"expert: {questions}: line {line}: {reason}; left out", err=True)
    if (warning := check_count(read.questions)) is not None:
        click.echo(f"expert: {warning}", err=True)
    found = find_documents(documents, workspace, questions)
    halve([judgeable(one) for one in read.questions], seed, found.names)
    if report is not None and not report.parent.is_dir():
        raise ReportError(f"cannot write {report}: no such folder")
    name = name or re.sub(r"[^\w.-]+", "-", questions.stem).strip(".-") or "questions"
    if re.fullmatch(r"\w[\w.-]*", name) is None:
        raise AdviceError(f"--name {name}: use letters, digits, dots, dashes and underscores")
    settings = room_settings(workspace, model)
    find_local(settings.model.name)
    begun_with = {
        "documents": found.digest,
        "questions": digest(*(to_json(one.model_dump()) for one in read.questions)),
        "settings": digest(settings.model_dump_json(), str(seed)),
    }
    if workspace.settings.retrieval.pipeline is not None:
        click.echo("expert: your own pipeline is not measured, the built-in one is", err=True)
    watch = _Watch(quiet=as_json)
    watch.say(
        f"Training and asking take at most about {budget_minutes:g} minutes (--budget-minutes); "
        "Ctrl-C stops, the same command goes on"
    )
    with open_room(workspace, name, settings, begun_with, fresh=fresh) as room:
        try:
            advice = advise(room, Plan(found, tuple(read.questions), budget_minutes, seed), watch)
        except KeyboardInterrupt:
            click.echo("Stopped. Run the same command to go on.", err=True)
            raise
        report = report or room.folder / "report.html"
        write_advice(report, advice, str(questions))
        if as_json:
            told = {**advice.to_dict(), "folder": str(room.folder), "report": str(report)}
            click.echo(to_json(told))
        else:
            _show(advice)
            click.echo(f"Report: {report}")
    failures = Counter(
        (way, str(failure.error))
        for way, each in advice.evaluation.ways.items()
        for failure in each.failures
    )
    for (way, reason), count in failures.items():
        why = one_line(reason)
        click.echo(f"expert: {way}: {count} questions could not be asked: {why}", err=True)
    return int(bool(read.errors or failures))


class _Watch:
    """Tells of an advice on standard error: lines, and bars on a terminal.

    :param quiet: Say nothing but what a bar shows.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, line: str) -> None:
        if not self._quiet:
            click.echo(f"{line}.", err=True)

    def counting(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        from agent.cli.train_display import counting

        return counting(label)

    @contextmanager
    def training(self) -> Iterator[Callable[["Progress"], None]]:
        from agent.cli.train_display import following

        if self._quiet:
            yield lambda progress: None
            return
        with following() as told:
            yield told

    def index(self, room: "Room") -> "IndexReport":
        from agent.assemble import open_indexer
        from agent.cli.index import progress_bar

        with (
            room.base.index_lock(),
            progress_bar(silent=self._quiet) as progress,
            open_indexer(room.base, progress) as indexer,
        ):
            report = indexer.index_paths([room.documents])
        if not self._quiet:
            for one in report.skipped[:_SHOWN]:
                click.echo(f"  {one_line(one.path)}: {one_line(one.reason)}", err=True)
            if len(report.skipped) > _SHOWN:
                click.echo(f"  … and {len(report.skipped) - _SHOWN} more", err=True)
        return report


def _show(advice: "Advice") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from agent.advise.words import NAMES, headline, minutes, reasons
    from agent.evaluation.report import LABELS, figure

    ways = advice.evaluation.ways
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{len(advice.places)} questions that were not taught")
    for way in ways:
        best = advice.verdict.way == way
        table.add_column(NAMES[way], justify="right", style="bold" if best else "")
    for name in ("right", "f1", "grounded", "withheld", "falsely_withheld"):
        each = [measured.figures.get(name) for measured in ways.values()]
        if any(value is not None for value in each):
            cells = ("–" if value is None else figure(name, value) for value in each)
            table.add_row(LABELS[name], *cells)
    seconds = advice.costs["seconds"]
    table.add_row("time for one question", *(minutes(seconds[way]) for way in ways))
    for told, name in (("new", "changed facts told anew"), ("old", "changed facts told as before")):
        if advice.stale:
            table.add_row(name, *(f"{advice.stale[way].to_dict()[told]:.1%}" for way in ways))
    console = Console(highlight=False)
    console.print(table)
    wrap = not console.is_terminal
    console.print(Text(headline(advice), style="bold"), soft_wrap=wrap)
    for sentence in reasons(advice):
        console.print(Text(sentence), soft_wrap=wrap)
