"""A folder of its own in which everything is tried, so that a stopped run goes on where it was."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters.cache import write_whole
from adapters.registry import Registry
from agent.answerers import chosen_answerer
from agent.errors import AdviceError
from agent.settings import Settings
from agent.workspace import Workspace

_STATE, _SEPARATOR = "state.json", "\x1f"


@dataclass(frozen=True)
class TrialWorkspace(Workspace):
    """A workspace to try things in: settings handed down, and an index that may be shared.

    :param given: The settings in force.
    :param index: Folder of the index.
    """

    given: Settings
    index: Path

    @cached_property
    def settings(self) -> Settings:
        """The settings handed down."""
        return self.given

    @property
    def index_folder(self) -> Path:
        """Folder of the catalogue and the embedded store."""
        return self.index

    def index_bytes(self) -> int:
        """Bytes that the index takes."""
        return size_of(self.index)

    def adapter_bytes(self, name: str) -> int:
        """Bytes that an adapter takes."""
        return size_of(Registry(self.adapters_folder).get(name).folder)


@dataclass
class Room:
    """The folder of one advice: a copy of the documents, an index, adapters, answers.

    :param folder: Where it is.
    :param settings: In force in it.
    :param state: What is done, and how long it took; kept by :meth:`keep`.
    """

    folder: Path
    settings: Settings
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def documents(self) -> Path:
        """The copy of the documents."""
        return self.folder / "documents"

    @property
    def answers(self) -> Path:
        """File with what was answered."""
        return self.folder / "answers.jsonl"

    @property
    def base(self) -> TrialWorkspace:
        """The workspace that indexes."""
        return TrialWorkspace(self.folder / "base", self.settings, self.folder / "base" / "index")

    def fold(self, number: int, *, reading: bool = False) -> TrialWorkspace:
        """Return the workspace of one direction: its adapter over the common index.

        :param reading: The one whose adapter is trained with passages.
        """
        path = self.folder / f"{'reading' if reading else 'fold'}-{number}"
        return TrialWorkspace(path, self.settings, self.base.index)

    def spend(self, what: str, seconds: float) -> None:
        """Count time, that of stopped runs too."""
        spent = self.state.setdefault("seconds", {})
        spent[what] = spent.get(what, 0.0) + seconds
        self.keep()

    def spent(self, what: str | None = None) -> float:
        """Return the seconds that ``train`` or ``ask`` took so far; None for both."""
        seconds: dict[str, float] = self.state.get("seconds", {})
        return sum(v for name, v in seconds.items() if what is None or name.split()[0] == what)

    def spent_on(self, name: str) -> float:
        """Return the seconds that one thing took so far."""
        return float(self.state.get("seconds", {}).get(name, 0.0))

    def keep(self) -> None:
        """Write down what is done."""
        write_whole(self.folder / _STATE, json.dumps(self.state).encode())


def room_settings(workspace: Workspace, model: str | None = None) -> Settings:
    """Return a workspace's settings as they are for trying things beside it.

    What is indexed goes into a file of its own, and what answers is what answers there.

    :param model: Another language model than the workspace's.
    """
    given = workspace.settings
    answer = given.answer.model_copy(update={"answerer": chosen_answerer(workspace).name})
    retrieval = given.retrieval.model_copy(update={"pipeline": None})
    named = {"name": model} if model is not None else {}
    trace = given.trace.model_copy(update={"keep": 0})
    return given.model_copy(
        update={
            "store": "sqlite",
            "answer": answer,
            "retrieval": retrieval,
            "trace": trace,
            "model": given.model.model_copy(update=named),
        }
    )


@contextmanager
def open_room(
    workspace: Workspace,
    name: str,
    settings: Settings,
    begun_with: dict[str, str],
    *,
    fresh: bool,
) -> Iterator[Room]:
    """Give the folder of an advice, to this process alone.

    :param name: Of the advice; letters, digits, dots, dashes and underscores.
    :param settings: In force there; see :func:`room_settings`.
    :param begun_with: What decides what comes of it, and a digest of each.
    :param fresh: Throw away what is there.
    :raises AdviceError: When another process works there, or it was begun with other input.
    """
    from filelock import FileLock, Timeout

    workspace.create()
    folder = workspace.path / "runs" / f"advise-{name}"
    try:
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0):
            if fresh and folder.is_dir():
                shutil.rmtree(folder)
            folder.mkdir(exist_ok=True)
            room = Room(folder, settings, _read(folder / _STATE))
            _check(room, name, begun_with)
            yield room
    except Timeout:
        raise AdviceError(f"{folder}: another `expert advise` works there: wait for it") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AdviceError(f"{error.filename or folder}: {reason}") from None


def digest(*parts: str) -> str:
    """Return a digest of texts."""
    return hashlib.sha256(_SEPARATOR.join(parts).encode(errors="replace")).hexdigest()[:16]


def size_of(path: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _read(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        state = None
    if not isinstance(state, dict):
        raise AdviceError(f"{path} cannot be read: give --fresh to begin anew")
    return state


def _check(room: Room, name: str, begun_with: dict[str, str]) -> None:
    before = room.state.setdefault("begun_with", begun_with)
    other = [what for what, value in begun_with.items() if before.get(what) != value]
    if other:
        raise AdviceError(
            f"{room.folder} was begun with other {' and '.join(other)}: give --fresh to begin "
            f"anew, or another --name than {name}"
        )
    room.keep()
