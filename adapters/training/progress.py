"""How far a training has come: told to whoever watches, and kept as a log."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

LOG_FILE = "log.jsonl"
Stage = Literal["loading", "measuring", "training", "answering"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come.

    :param stage: What is being done.
    :param step: Steps made.
    :param of: Steps that the run has at most.
    :param loss: Of the last step; None before the first.
    :param held_out_loss: The last one measured; None before.
    :param best_loss: The best one measured; None before.
    :param learning_rate: Of the last step.
    :param tokens_per_s: Since this process began with steps.
    :param memory: Most bytes while learning: of the process on a CPU, of tensors on a GPU.
    :param seconds: Time that steps and measurements took so far.
    :param seconds_left: Time that the rest may take; None where that is not known yet.
    """

    stage: Stage
    step: int = 0
    of: int = 0
    loss: float | None = None
    held_out_loss: float | None = None
    best_loss: float | None = None
    learning_rate: float = 0.0
    tokens_per_s: float = 0.0
    memory: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None


Watcher = Callable[[Progress], None]


class Log:
    """The steps of a run, one JSON object a line.

    :param path: Its file.
    :param step: Keep what it holds up to this step: the run is resumed there.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        self._path = path
        kept = [line for line in read_log(path) if line["step"] <= step] if step else []
        path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def add(self, progress: Progress) -> None:
        """Write a line."""
        told = {name: value for name, value in asdict(progress).items() if value is not None}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log, a last one that was cut off left out."""
    lines = []
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
