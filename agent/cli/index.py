"""``expert index``: bring the index in step with folders, files and database tables."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.errors import WorkspaceError
from agent.printable import one_line, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from rich.progress import TaskID

    from pipelines.index import Indexer
    from pipelines.index_report import IndexReport

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
    if missing and (rebuild or not (workspace.index_folder / "catalog.sqlite").exists()):
        raise click.UsageError(f"no such file or folder: {missing[0]}")

    from agent.assemble import open_indexer
    from pipelines.index_report import merge_reports

    with workspace.index_lock(), ExitStack() as stack:
        progress = stack.enter_context(progress_bar(silent=as_json or quiet))
        if rebuild:
            _check_databases(urls, tables, queries)
        indexer = stack.enter_context(open_indexer(workspace, progress, rebuild=rebuild))
        with _shown(progress, rebuild=rebuild):
            reports = [indexer.index_paths(paths)] if paths else []
            reports += [indexer.index_tables(url, tables=tables, queries=queries) for url in urls]
        report = merge_reports(reports)
        if as_json:
            click.echo(to_json(_contract(report)))
        else:
            print_report(report, quiet=quiet)
        if watch:
            _watch(workspace, indexer, progress, paths, report, quiet=quiet)


def _check_databases(urls: Sequence[str], tables: Sequence[str], queries: Sequence[str]) -> None:
    """Begin to read databases, so that none is found wrong after the index is emptied."""
    from pipelines.convert.database import read_tables

    for url in urls:
        next(read_tables(url, tables=tables, queries=queries), None)


@contextmanager
def _shown(progress: "_Bar", *, rebuild: bool = False) -> Iterator[None]:
    """Take the progress bar off the screen after a run, and say what a stopped one has done."""
    try:
        yield
    except KeyboardInterrupt:
        documents = progress.documents
        progress.stop()
        again = "the same command without --rebuild" if rebuild else "the same command"
        kept = f"{documents} documents of this run are in the index"
        click.echo(f"Stopped. {kept}; run {again} to carry on.", err=True)
        raise
    finally:
        progress.stop()


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


def _watch(
    workspace: Workspace,
    indexer: "Indexer",
    progress: "_Bar",
    paths: list[Path],
    report: "IndexReport",
    *,
    quiet: bool,
) -> None:
    """Index what changes, and print what is new.

    :param report: What the run before did.
    """
    there = {path for path in paths if os.path.lexists(path)}
    if not there:
        raise click.UsageError(f"there is nothing to watch: no such file or folder: {paths[0]}")
    click.echo("Watching for changes; Ctrl-C ends it.", err=True)
    told = set(report.skipped)
    for _ in _changes(workspace, paths):
        before, there = there, {path for path in paths if os.path.lexists(path)}
        # What is gone leaves the index once, which then knows it no more.
        with _shown(progress):
            report = indexer.index_paths([path for path in paths if path in before | there])
        skipped = set(report.skipped)
        if report.documents or report.removed or skipped != told:
            print_report(report, quiet=quiet)
        told = skipped


def _changes(workspace: Workspace, paths: list[Path]) -> Iterator[None]:
    """Yield whenever something may have changed, until Ctrl-C; first of all at the start.

    :raises WorkspaceError: When the system cannot watch so many folders.
    """
    from watchfiles import watch

    from pipelines.scan import is_passed_over

    folders = [path for path in paths if path.is_dir()]
    roots = [folder.resolve() for folder in folders]
    own = [folder for folder in map(Path, workspace.own_folders) if folder not in roots]
    exclude = workspace.settings.index.exclude

    def is_read(_: object, changed: str) -> bool:
        path = Path(changed).parent.resolve() / Path(changed).name
        inside = [path.relative_to(root).parts for root in roots if path.is_relative_to(root)]
        return not any(map(path.is_relative_to, own)) and any(
            not any(is_passed_over(name, exclude) for name in names) for names in inside
        )

    def stamps() -> list[tuple[int, int, int] | None]:
        # An editor puts a new file in the place of the old one, which alone would be watched.
        return [_stamp(path) for path in paths if path not in folders]

    seen = None
    try:
        # Without Ctrl-C raising, watchfiles ends the loop quietly: that is how a user stops it.
        for changes in watch(
            *folders,
            watch_filter=is_read,
            rust_timeout=1_000,
            raise_interrupt=False,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            # What changed during the run before was not yet watched.
            before, seen = seen, stamps()
            if changes or seen != before:
                yield
    except (OSError, RuntimeError) as error:
        # watchfiles has an error of its own for some, which is a RuntimeError.
        raise WorkspaceError(f"cannot watch for changes: {error}") from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes with a file; nothing for one that is not there."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_there(path: Path) -> bool:
    from pipelines.scan import is_there

    try:
        return is_there(path)
    except OSError as error:
        raise click.UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None


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
        self.documents += documents
        self._passages += passages
        if self._task is not None:
            elapsed = self._progress.tasks[0].elapsed or 1
            speed = self._passages / max(elapsed, 0.1)
            rate = f"{self.documents} documents, {speed:.0f} passages/s"
            self._progress.update(self._task, rate=rate)

    def stop(self) -> None:
        """Take it off the screen; the next run begins a new one."""
        self._progress.stop()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self.documents, self._passages, self._task = 0, 0, None


@contextmanager
def progress_bar(silent: bool = False) -> Iterator[_Bar]:
    """Give a progress bar, taken off the screen at the end whatever happens."""
    bar = _Bar(silent)
    try:
        yield bar
    finally:
        bar.stop()
