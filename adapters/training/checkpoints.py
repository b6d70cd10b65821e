"""Checkpoints that a killed training goes on from: only whole ones, only of the same run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.durable import replace_durably, sync, sync_all
from adapters.errors import TrainingError

_FOLDER = "checkpoints"
_ANY = "checkpoint-*"
# Written into a checkpoint last: one without it was cut off.
_WHOLE = "whole.json"
_RUN = "run.json"


class Checkpoints:
    """The checkpoints of one run.

    :param folder: Where the run writes its adapter; they are in a folder of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / _FOLDER

    @property
    def cut_off(self) -> bool:
        """Whether a run left some: one that ends clears them."""
        return any(self.folder.glob(_ANY))

    def begin(self, identity: dict[str, Any]) -> None:
        """Forget what is there and begin a run.

        :param identity: All that its result depends on.
        """
        self.clear()
        self.folder.mkdir(parents=True)
        replace_durably(self.folder / _RUN, json.dumps(identity))

    def resume(self, identity: dict[str, Any]) -> tuple[Path, dict[str, Any]] | None:
        """Return the last whole checkpoint and what was kept with it; None without one.

        :param identity: All that the result depends on.
        :raises TrainingError: When it was another run that was cut off, or what is told of it
            cannot be read.
        """
        told = self.folder / _RUN
        try:
            before = dict(json.loads(told.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, TypeError, ValueError) as error:
            raise TrainingError(
                f"{told} cannot be read ({error}): train anew without resuming"
            ) from error
        identity = json.loads(json.dumps(identity))
        for name in sorted(before.keys() | identity.keys()):
            was, now = before.get(name), identity.get(name)
            if was != now:
                said = f"its {name} was {was}, now it is {now}" if _short(was, now) else name
                raise TrainingError(
                    f"this is not the training that was cut off ({said}): "
                    "go on with what it began with, or train anew without resuming"
                )
        for path in sorted(self.folder.glob(_ANY), key=_step, reverse=True):
            try:
                return path, json.loads((path / _WHOLE).read_text(encoding="utf-8"))
            except (FileNotFoundError, ValueError):
                # Cut off while it was written.
                shutil.rmtree(path, ignore_errors=True)
        return None

    def complete(self, step: int, kept: dict[str, Any]) -> None:
        """Mark a checkpoint as whole, once it would outlive a loss of power.

        :param step: Its.
        :param kept: What to give back when it is resumed from.
        """
        path = self.folder / f"checkpoint-{step}"
        sync_all(path)
        sync(self.folder)
        replace_durably(path / _WHOLE, json.dumps(kept))

    def keep_best(self, write: Callable[[Path], None]) -> None:
        """Keep the best weights so far, in place of those kept before.

        :param write: Writes them into an empty folder.
        """
        made = self.folder / "making-best"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        write(made)
        sync_all(made)
        shutil.rmtree(self.best, ignore_errors=True)
        made.rename(self.best)
        sync(self.folder)

    @property
    def best(self) -> Path:
        """Where the best weights are."""
        return self.folder / "best"

    def clear(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _short(was: object, now: object) -> bool:
    return max(len(str(was)), len(str(now))) < 32


def _step(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1
