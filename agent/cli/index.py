"""``expert index``: bring the index in step with folders, files and database tables."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.printable import one_line, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from rich.progress import TaskID

    from pipelines.index import Indexer, IndexReport

_EXAMPLES = """\b
Examples:
  expert index handbook/ reports/2024.pdf
  expert index sqlite:///erp.db --table work_orders
  expert index handbook/ --watch
"""
_SHOWN = 20


@click.command("index", epilog=_EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="PATH|DATABASE-URL…")
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME",
    help="Table of the database to index; may be given again. [default: all]",
)
@click.option(
    "--query",
    "queries",
    multiple=True,
    metavar="SELECT",
    help="Query whose rows to index; may be given again.",
)
@click.option("--rebuild", is_flag=True, help="Empty the whole index first and start anew.")
@click.option("--watch", is_flag=True, help="Keep running and index what changes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", "-q", is_flag=True, help="Print problems only.")
@click.pass_obj
def command(
    workspace: Workspace,
    sources: tuple[str, ...],
    tables: tuple[str, ...],
    queries: tuple[str, ...],
    rebuild: bool,
    watch: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Index folders, files and database tables; only what changed is read again.

    Documents that are gone leave the index. It may be stopped at any time: run the same
    command again and it carries on.
    """
    urls = [source for source in sources if "://" in source]
    paths = [Path(source) for source in sources if "://" not in source]
    if (tables or queries) and not urls:
        raise click.UsageError(
            "--table and --query need a database address such as sqlite:///erp.db"
        )
    if watch and urls:
        raise click.UsageError("--watch follows files, not databases")
    if watch and as_json:
        raise click.UsageError("--watch has no end to print --json at")
    missing = [path for path in paths if not _is_there(path)]
    if missing and not (workspace.index_folder / "catalog.sqlite").exists():
        raise click.UsageError(f"no such file or folder: {missing[0]}")

    from agent.assemble import open_indexer
    from pipelines.index import merge_reports

    with workspace.index_lock(), ExitStack() as stack:
        progress = stack.enter_context(progress_bar(silent=as_json or quiet))
        indexer = stack.enter_context(open_indexer(workspace, progress, rebuild=rebuild))
        try:
            reports = [indexer.index_paths(paths)] if paths else []
            reports += [indexer.index_tables(url, tables=tables, queries=queries) for url in urls]
        except KeyboardInterrupt:
            progress.stop()
            click.echo(
                f"Stopped. {progress.documents} documents of this run are in the index; "
                "run the same command to carry on.",
                err=True,
            )
            raise
        report = merge_reports(reports)
        progress.stop()
        if as_json:
            click.echo(to_json(_contract(report)))
        else:
            print_report(report, quiet=quiet)
        if watch:
            _watch(indexer, paths, report, quiet=quiet)


def _contract(report: "IndexReport") -> dict[str, Any]:
    return {
        "documents": report.documents,
        "chunks": report.chunks,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": [{"path": s.path, "reason": s.reason} for s in report.skipped],
        "seconds": round(report.seconds, 3),
        "notices": [{"path": path, "notice": notice} for path, notice in report.notices],
    }


def print_report(report: "IndexReport", *, quiet: bool = False) -> None:
    """Print what a run of the indexer did, and every problem it met.

    :param quiet: Print the problems only.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if not quiet:
        parts = [f"[bold]{report.documents}[/] documents indexed in {report.chunks} passages"]
        if report.unchanged:
            parts.append(f"{report.unchanged} unchanged")
        if report.removed:
            parts.append(f"{report.removed} removed")
        if report.skipped:
            parts.append(f"[yellow]{len(report.skipped)} skipped[/]")
        console.print(f"{', '.join(parts)}; {report.seconds:.1f} s")
    lines = [(s.path, s.reason, "yellow") for s in report.skipped]
    if not quiet:
        lines += [(path, notice, "dim") for path, notice in report.notices]
    for path, text, style in lines[:_SHOWN]:
        line = Text.assemble("  ", (one_line(path), style), f": {one_line(text)}")
        console.print(line, soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(f"  … and {len(lines) - _SHOWN} more; --json lists all of them")


def _watch(indexer: "Indexer", paths: list[Path], report: "IndexReport", *, quiet: bool) -> None:
    """Index what changes, and print what is new.

    :param report: What the run before did.
    """
    from watchfiles import watch

    watched = [path for path in paths if path.exists()]
    if not watched:
        raise click.UsageError(f"there is nothing to watch: no such file or folder: {paths[0]}")
    click.echo("Watching for changes; Ctrl-C ends it.", err=True)
    there = {path for path in paths if _is_there(path)}
    told = set(report.skipped)
    caught_up = False
    # Without Ctrl-C raising, watchfiles ends the loop quietly: that is how a user stops it.
    for changes in watch(
        *watched, raise_interrupt=False, yield_on_timeout=True, ignore_permission_denied=True
    ):
        # What changed during the run before was not yet watched.
        if caught_up and not changes:
            continue
        caught_up = True
        before, there = there, {path for path in paths if _is_there(path)}
        # What is gone leaves the index once, which then knows it no more.
        report = indexer.index_paths([path for path in paths if path in before | there])
        skipped = set(report.skipped)
        if report.documents or report.removed or skipped != told:
            print_report(report, quiet=quiet)
        told = skipped


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


class _Bar:
    """Shows the indexer's progress on a terminal; silent when piped or asked to be."""

    def __init__(self, silent: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self.documents = 0
        self._passages = 0
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.fields[stage]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[document]}", style="dim", markup=False),
            console=console,
            disable=silent or not console.is_terminal,
            transient=True,
        )

    def start(self, documents: int, weight: int) -> None:
        if self._task is None and documents:
            self._progress.start()
            self._task = self._progress.add_task(
                "", total=0, stage="Indexing", rate="", document=""
            )
        if self._task is not None:
            task = self._progress.tasks[0]
            self._progress.update(self._task, total=(task.total or 0) + weight)

    def advance(self, weight: int, document: str) -> None:
        if self._task is not None:
            document = one_line(document)
            shown = document if len(document) <= 40 else f"…{document[-39:]}"
            self._progress.update(self._task, advance=weight, document=shown)

    def wrote(self, documents: int, passages: int) -> None:
        self.documents, self._passages = documents, passages
        if self._task is not None:
            elapsed = self._progress.tasks[0].elapsed or 1
            rate = f"{documents} documents, {passages / max(elapsed, 0.1):.0f} passages/s"
            self._progress.update(self._task, rate=rate)

    def stop(self) -> None:
        self._progress.stop()


@contextmanager
def progress_bar(silent: bool = False) -> Iterator[_Bar]:
    """Give a progress bar, taken off the screen at the end whatever happens."""
    bar = _Bar(silent)
    try:
        yield bar
    finally:
        bar.stop()
