"""The workspace: the folder that holds an expert's index, adapters, router and runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent.errors import WorkspaceError
from agent.settings import Settings, load_settings, settings_file

DEFAULT_FOLDER = ".expert"
_FOLDERS = ("index", "adapters", "router", "runs")


@dataclass(frozen=True)
class Workspace:
    """A workspace on disk.

    :param path: Its folder; it need not exist until something is written.
    """

    path: Path

    @classmethod
    def locate(cls, given: str | os.PathLike[str] | None = None) -> "Workspace":
        """Return the workspace given, else ``$EXPERT_WORKSPACE``, else ``./.expert``."""
        return cls(Path(given or os.environ.get("EXPERT_WORKSPACE") or DEFAULT_FOLDER))

    @cached_property
    def settings(self) -> Settings:
        """Settings in force here. See :func:`agent.settings.load_settings`."""
        return load_settings(settings_file(self.path))

    @property
    def index_folder(self) -> Path:
        """Folder of the catalogue and the embedded store."""
        return self.path / "index"

    @property
    def adapters_folder(self) -> Path:
        """Folder of the registry of adapters."""
        return self.path / "adapters"

    @property
    def own_folders(self) -> tuple[str, ...]:
        """Absolute paths of what is no folder of documents: the workspace, and all in it."""
        path = self.path.resolve()
        return tuple(map(str, (path, *(path / name for name in _FOLDERS))))

    def create(self) -> None:
        """Create the workspace's folders where they do not exist.

        :raises WorkspaceError: When the path cannot be used for it.
        """
        try:
            for name in _FOLDERS:
                (self.path / name).mkdir(parents=True, exist_ok=True)
            # A workspace holds copies of documents: keep it out of version control.
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise WorkspaceError(f"cannot create workspace {self.path}: {_reason(error)}") from None

    @property
    def has_adapters(self) -> bool:
        """Whether an adapter is registered."""
        from adapters.registry import Registry

        return bool(Registry(self.adapters_folder).names())

    def require_index(self) -> None:
        """Check that something has been indexed.

        :raises WorkspaceError: When nothing has, saying how to.
        """
        if not (self.index_folder / "catalog.sqlite").is_file():
            raise WorkspaceError(
                f"nothing is indexed in workspace {self.path}: run `expert index PATH` first"
            )

    @contextmanager
    def index_lock(self) -> Iterator[None]:
        """Hold the right to write the index; one process at a time has it.

        :raises WorkspaceError: When another process holds it.
        """
        self.create()
        busy = (
            f"another `expert index` is writing to workspace {self.path}: "
            "wait for it, or use another --workspace"
        )
        with locked(self.index_folder / "index.lock", busy):
            yield


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold a file's lock; one process at a time has it.

    :param busy: What to say where another process holds it.
    :raises WorkspaceError: When one does, or the file cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise WorkspaceError(busy) from None
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        yield
    finally:
        lock.release()


def cannot_write(path: Path, error: OSError) -> WorkspaceError:
    """Return what to raise where a file or folder of a workspace cannot be written."""
    return WorkspaceError(f"cannot write {path}: {_reason(error)}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
