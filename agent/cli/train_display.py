"""How a training's progress looks: live on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from adapters.training.progress import Progress

_STAGES = {
    "loading": "Loading the model",
    "measuring": "Measuring",
    "training": "Training",
    "answering": "Asking held-out questions",
}
_LINE_EVERY_S = 30.0


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """Give a bar on standard error that counts, for terminals only.

    :param label: What is being done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task("", total=None, visible=False)

        def advance(done: int, of: int | None) -> None:
            bar.update(task, completed=done, total=of, visible=True)

        yield advance


@contextmanager
def following() -> Iterator[Callable[["Progress"], None]]:
    """Give what follows a training on standard error, taken off a terminal at the end."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(lambda line: click.echo(line, err=True))
        return
    from rich import progress as rich_progress

    with rich_progress.Progress(
        rich_progress.TextColumn("{task.fields[stage]}"),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("[dim]{task.fields[facts]}"),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None, stage=_STAGES["loading"], facts="")

        def show(progress: "Progress") -> None:
            bar.update(
                task,
                completed=progress.step,
                total=progress.of or None,
                stage=_STAGES[progress.stage],
                facts=facts(progress),
            )

        yield show


class Lines:
    """Tells of a training in lines: each stage, each measurement, and steps now and then.

    :param write: Takes a line.
    :param clock: Gives seconds.
    """

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._clock = write, clock
        self._told_at: float | None = None
        self._stage = ""

    def __call__(self, progress: "Progress") -> None:
        """Tell of progress, or not."""
        now = self._clock()
        measured = progress.stage == "measuring" and progress.held_out_loss is not None
        waited = self._told_at is None or now - self._told_at >= _LINE_EVERY_S
        # Steps and measurements take turns: only the other stages are news by themselves.
        new = progress.stage in ("loading", "answering") and progress.stage != self._stage
        self._stage = progress.stage
        if not (measured or waited or new):
            return
        self._told_at = now
        told = facts(progress)
        self._write(f"{_STAGES[progress.stage]}: {told}" if told else _STAGES[progress.stage])


def facts(progress: "Progress") -> str:
    """Return what is known of a training's progress, in one line."""
    parts = []
    if progress.of and progress.stage != "answering":
        parts.append(f"step {progress.step:,} of {progress.of:,}")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    if progress.held_out_loss is not None:
        parts.append(f"held-out loss {progress.held_out_loss:.3f}")
    if progress.tokens_per_s:
        parts.append(f"{progress.tokens_per_s:,.0f} tokens/s")
    if progress.memory:
        parts.append(size(progress.memory))
    if progress.seconds_left is not None and progress.stage == "training":
        parts.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time in the two units that say most of it."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e9:.1f} GB"
