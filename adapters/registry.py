"""The registry: a folder of adapters, each with its versions and the one in use.

``NAME/0003/`` holds version 3 and never changes; ``NAME/current`` says which version is in
use. A version is written elsewhere and renamed, so it is there whole or not at all.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.archives import KEPT
from adapters.card import CARD_FILE, NAME_PATTERN, AdapterCard
from adapters.durable import copied, facts_of, replace_durably, sync, write_durably
from adapters.errors import AdapterError, AdaptersError
from adapters.lora_files import WEIGHTS, check_adapter, read_config

if TYPE_CHECKING:
    from adapters.models import ModelFiles

_NAME = re.compile(NAME_PATTERN)
_VERSION = re.compile(r"[0-9]{4}")
_CURRENT = "current"
_ABANDONED_AFTER_S = 24 * 3600.0
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class RegisteredAdapter:
    """A version of an adapter in the registry.

    :param folder: Where its files are; they never change.
    """

    name: str
    version: int
    folder: Path
    card: AdapterCard

    @property
    def reference(self) -> str:
        """Name and version, as ``name@3``."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class _Pointer:
    """What an adapter's folder says of its versions.

    :param version: The one in use; None for none.
    :param last: The highest there ever was: no number is given twice.
    """

    version: int | None
    last: int


class Registry:
    """The adapters of a workspace.

    :param root: Its folder; it need not exist until something is published.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Return the names of all adapters.

        :raises AdapterError: When the registry cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                found = sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AdapterError(f"cannot read {self.root}: {error.strerror}") from error
        return [name for name in found if self._is_there(name)]

    def all(self) -> tuple[list[RegisteredAdapter], list[str]]:
        """Return the version in use of each adapter, and a line for each that is damaged."""
        return self._read(self.names())

    def history(self, name: str) -> tuple[list[RegisteredAdapter], list[str]]:
        """Return all versions of an adapter, oldest first, and a line for each that is damaged."""
        return self._read(f"{name}@{version}" for version in self.versions(name))

    def versions(self, name: str) -> list[int]:
        """Return the versions of an adapter, oldest first; none when there is no such adapter."""
        _check_name(name)
        try:
            with os.scandir(self.root / name) as entries:
                return sorted(int(e.name) for e in entries if _VERSION.fullmatch(e.name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def current(self, name: str) -> int:
        """Return the version of an adapter that is in use.

        :raises AdapterError: When there is no such adapter.
        """
        _check_name(name)
        version = self._pointer(name).version
        if version is None:
            raise AdapterError(f"there is no adapter {name}: `expert adapters list` shows all")
        return version

    def find(self, reference: str) -> tuple[str, Path]:
        """Return the full reference of a version, and its folder, without reading its card.

        :param reference: ``name`` for the version in use, or ``name@3``.
        :raises AdapterError: When there is none such.
        """
        name, version = parse(reference)
        if version is None:
            version = self.current(name)
        folder = self._folder(name, version)
        if not folder.is_dir():
            known = ", ".join(map(str, self.versions(name)))
            there = f"it has {known}" if known else "`expert adapters list` shows all"
            raise AdapterError(f"there is no version {version} of adapter {name}: {there}")
        return f"{name}@{version}", folder

    def get(self, reference: str) -> RegisteredAdapter:
        """Return a version of an adapter. See :meth:`find`.

        :raises AdapterError: When there is none such, or its card is damaged.
        """
        full, folder = self.find(reference)
        name, version = parse(full)
        return RegisteredAdapter(name, version or 0, folder, AdapterCard.read(folder))

    def publish(self, folder: Path, card: AdapterCard) -> RegisteredAdapter:
        """Take in an adapter as the next version of its name, which is in use from then on.

        :param folder: Has its files; they are copied.
        :param card: Its name is the adapter's; version and files are filled in.
        :raises AdapterError: When the folder holds no plain LoRA adapter of the card's rank, or
            the registry cannot be written.
        """
        _check_name(card.name)
        if read_config(folder).rank != card.rank:
            raise AdapterError(f"{folder.name} has not the rank that its card says: {card.rank}")
        if not (folder / WEIGHTS).is_file():
            raise AdapterError(f"{folder} has no {WEIGHTS}")
        with self._writing(), self._scratch("publishing") as made:
            files = {
                name: copied(folder / name, made / name)
                for name in KEPT
                if name != CARD_FILE and (folder / name).is_file()
            }
            with self._lock():
                last = max(self._pointer(card.name).last, *self.versions(card.name), 0)
                if last == 9999:
                    raise AdapterError(f"adapter {card.name} has 9,999 versions: use another name")
                card = card.model_copy(update={"version": last + 1, "files": files})
                write_durably(made / CARD_FILE, card.to_json())
                made.chmod(0o755)
                sync(made)
                target = self._folder(card.name, card.version)
                target.parent.mkdir(exist_ok=True)
                sync(self.root)
                made.rename(target)
                sync(target.parent)
                self._point(card.name, _Pointer(card.version, card.version))
        return RegisteredAdapter(card.name, card.version, target, card)

    def rollback(self, name: str, version: int | None = None) -> RegisteredAdapter:
        """Use another version of an adapter from now on.

        :param version: Which; None for the one before the one in use.
        :raises AdapterError: When there is none such.
        """
        with self._writing(), self._lock():
            now = self.current(name)
            if version is None:
                version = max((v for v in self.versions(name) if v < now), default=None)
                if version is None:
                    raise AdapterError(f"adapter {name} has no version before {now}")
            found = self.get(f"{name}@{version}")
            self._point(name, _Pointer(version, self._pointer(name).last))
        return found

    def remove(self, reference: str, *, everything: bool = False, force: bool = False) -> list[str]:
        """Remove a version of an adapter, or the whole adapter.

        :param reference: ``name@3``; ``name`` with ``everything``.
        :param everything: Remove all versions.
        :param force: Remove a version that is in use; the highest that is left follows it.
        :return: References of what was removed.
        :raises AdapterError: When there is none such, or it is in use.
        """
        name, version = parse(reference)
        with self._writing(), self._lock():
            present = self.versions(name)
            now = self._pointer(name).version
            if everything:
                if version is not None:
                    raise AdapterError(f"{reference} is one version: give {name} to remove all")
                if not present:
                    self.current(name)
                going = present
            elif version is None:
                self.current(name)
                raise AdapterError(
                    f"adapter {name} has versions {', '.join(map(str, present))}: "
                    f"give one, as {name}@{present[0]}, or --all"
                )
            else:
                self.find(reference)
                going = [version]
                if version == now and not force:
                    raise AdapterError(
                        f"{reference} is in use: roll back to another version first, or use --force"
                    )
            left = [v for v in present if v not in going]
            last = max(self._pointer(name).last, *present, 0)
            if now not in left:
                # Readers must never be sent to what is gone.
                self._point(name, _Pointer(left[-1] if left else None, last))
            for number in going:
                with self._scratch("removed") as bin_:
                    self._folder(name, number).rename(bin_ / "version")
        return [f"{name}@{number}" for number in going]

    def verify(self, reference: str, base: "ModelFiles | None" = None) -> list[str]:
        """Return what is wrong with a version of an adapter, a line each; nothing when all is well.

        :param reference: As for :meth:`find`.
        :param base: The model that it was trained on; without it, files are compared with
            what was published, and no shapes with the model's.
        :raises AdapterError: When there is no such version.
        """
        full, folder = self.find(reference)
        try:
            card = AdapterCard.read(folder)
        except AdapterError as error:
            return [f"{full}: {error}"]
        problems = []
        if card.reference != full:
            problems.append(f"its card says that it is {card.reference}")
        present = {file.name for file in folder.iterdir()} - {CARD_FILE}
        problems += [f"{name} is missing" for name in sorted(card.files.keys() - present)]
        problems += [f"{name} was not published" for name in sorted(present - card.files.keys())]
        for name in sorted(present & card.files.keys()):
            try:
                same = facts_of(folder / name) == card.files[name]
            except OSError:
                same = False
            if not same:
                problems.append(f"{name} has changed since it was published")
        try:
            if base is None:
                read_config(folder)
            else:
                from adapters.architecture import read_architecture
                from adapters.card import base_of

                check_adapter(folder, read_architecture(base.folder))
                if base_of(base).fingerprint != card.base.fingerprint:
                    problems.append(f"{base.name} is not the model that it was trained on any more")
        except AdaptersError as error:
            problems.append(str(error))
        return [f"{full}: {problem}" for problem in problems]

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder beside the adapters, gone afterwards.

        :raises AdapterError: When the registry cannot be written.
        """
        with self._writing(), self._scratch("taking") as made:
            yield made

    def _folder(self, name: str, version: int) -> Path:
        return self.root / name / f"{version:04d}"

    def _read(self, references: Iterable[str]) -> tuple[list[RegisteredAdapter], list[str]]:
        adapters, problems = [], []
        for reference in references:
            try:
                adapters.append(self.get(reference))
            except AdapterError as error:
                problems.append(f"{reference}: {error}")
        return adapters, problems

    def _is_there(self, name: str) -> bool:
        try:
            return self._pointer(name).version is not None
        except AdapterError:
            return True

    def _pointer(self, name: str) -> _Pointer:
        path = self.root / name / _CURRENT
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version, last = content["version"], int(content["last"])
            return _Pointer(None if version is None else int(version), last)
        except (FileNotFoundError, NotADirectoryError):
            # The first publishing was cut short just before its last step.
            last = max(self.versions(name), default=0)
            return _Pointer(last or None, last)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise AdapterError(
                f"{path} is damaged: remove it, and the newest version is used"
            ) from error

    def _point(self, name: str, pointer: _Pointer) -> None:
        content = json.dumps({"version": pointer.version, "last": pointer.last})
        replace_durably(self.root / name / _CURRENT, content + "\n")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise AdapterError(
                f"cannot write the registry {self.root}: {error.strerror or error}"
            ) from error

    @contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.root / ".lock", timeout=_LONGEST_WAIT_S):
                yield
        except Timeout:
            raise AdapterError(
                f"another process is writing to the registry {self.root}: try again later"
            ) from None

    @contextmanager
    def _scratch(self, purpose: str) -> Iterator[Path]:
        for left in self.root.glob(".*-*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _ABANDONED_AFTER_S:
                    shutil.rmtree(left)
        made = Path(tempfile.mkdtemp(prefix=f".{purpose}-", dir=self.root))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


def parse(reference: str) -> tuple[str, int | None]:
    """Return the name and the version that a reference means; None for the one in use.

    :raises AdapterError: When it is not a reference.
    """
    name, at, version = reference.partition("@")
    _check_name(name)
    if not at:
        return name, None
    if not re.fullmatch(r"0{0,3}[1-9][0-9]{0,3}", version):
        raise AdapterError(f"{reference!r} names no version: write {name}@3")
    return name, int(version)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise AdapterError(
            f"{name!r} cannot be an adapter's name: "
            "use up to 64 lower-case letters, digits, - and _"
        )
