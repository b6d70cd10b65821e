"""Versions of a workspace's router: each in a folder, one in use, the way back kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.cache import write_whole
from agent.errors import RouterError

DEFAULT = "default"
"""The version before any was fitted: what the product ships."""
_POINTER, _NOTES = "current.json", "notes.json"


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions in a folder.

    :param root: ``router`` in the workspace.
    """

    root: Path

    def current(self) -> str:
        """Return the version in use.

        :raises RouterError: When that cannot be read, or is gone.
        """
        version = self._used()[-1]
        if not self._is_there(version):
            raise RouterError(f"router {version} is gone: run `expert router rollback`")
        return version

    def folder(self, version: str) -> Path:
        """Return a version's folder; the default one has none."""
        return self.root / "versions" / version

    def notes(self, version: str) -> dict[str, Any]:
        """Return what was noted of a version when it was made.

        :raises RouterError: When that cannot be read.
        """
        path = self.folder(version) / _NOTES
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise RouterError(
                f"the router in {path.parent} cannot be read ({error}): run `expert router fit`"
            ) from None

    def fits(self, version: str, embedder: str) -> bool:
        """Return whether a version was made with an embedder; one that does not say is taken to.

        :param embedder: Its fingerprint.
        :raises RouterError: When the version's notes cannot be read.
        """
        return bool(self.notes(version).get("embedder", embedder) == embedder)

    def all(self) -> list[str]:
        """Return the versions that there are, oldest first."""
        folders = self.root / "versions"
        return sorted(path.parent.name for path in folders.glob(f"*/{_NOTES}"))

    def add(self, write: Callable[[Path], None], notes: dict[str, Any], *, use: bool) -> str:
        """Write a new version and return its name.

        :param write: Writes its files into the folder given.
        :param notes: What it is made of and how well it does.
        :param use: Take it into use.
        """
        made = [int(path.name) for path in (self.root / "versions").glob("[0-9]*")]
        version = f"{max(made, default=0) + 1:04d}"
        folder = self.folder(version)
        folder.mkdir(parents=True)
        write(folder)
        content = {**notes, "made": datetime.now(UTC).isoformat(timespec="seconds")}
        # Last, so that a version cut off while written is none.
        write_whole(folder / _NOTES, json.dumps(content, indent=1).encode())
        if use:
            self._point([*self._used(), version])
        return version

    def rollback(self) -> str:
        """Go back to the version used before, past those that are gone, and return it.

        :raises RouterError: When there is none.
        """
        used = self._used()
        before = [version for version in used[:-1] if self._is_there(version)]
        if not before:
            raise RouterError(f"router {used[-1]} is the first: there is none to go back to")
        self._point(before)
        return before[-1]

    def _is_there(self, version: str) -> bool:
        return version == DEFAULT or (self.folder(version) / _NOTES).is_file()

    def _used(self) -> list[str]:
        path = self.root / _POINTER
        try:
            used = json.loads(path.read_text(encoding="utf-8"))["used"]
        except FileNotFoundError:
            return [DEFAULT]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RouterError(f"{path} cannot be read ({error}): remove it") from None
        if not used or not all(isinstance(version, str) for version in used):
            raise RouterError(f"{path} names no version: remove it")
        return list(used)

    def _point(self, used: list[str]) -> None:
        write_whole(self.root / _POINTER, json.dumps({"used": used}).encode())
