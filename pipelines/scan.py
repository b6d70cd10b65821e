"""Find the files to index under a folder, and say of each one left out why."""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.convert import format_of
from pipelines.errors import ConversionError


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file met by the scan.

    :param root: Absolute folder that was asked for.
    :param document: Path relative to it, with forward slashes.
    :param size: Size in bytes.
    :param mtime_ns: Time of its last change, in nanoseconds.
    :param reason: Why it cannot be indexed; None for one that can be tried.
    :param is_folder: Whether it is a folder that cannot be listed.
    """

    root: Path
    document: str
    size: int = 0
    mtime_ns: int = 0
    reason: str | None = None
    is_folder: bool = False

    @property
    def path(self) -> Path:
        """The file's absolute path."""
        return self.root / self.document


def scan(
    root: Path, under: str = "", *, exclude: Sequence[str] = (), max_bytes: int | None = None
) -> Iterator[FoundFile]:
    """Walk a folder in sorted order.

    Hidden names and those in ``exclude`` are passed over. Symbolic links are never
    followed: what they point to is either indexed in its own place or outside the
    folder that was asked for; each is reported.

    :param root: An absolute folder.
    :param under: Folder in it, relative to it, to walk alone; names stay relative to the root.
    :param exclude: Shell patterns for names of files and folders, or absolute paths of them.
    :param max_bytes: Larger files are reported instead of read.
    """
    yield from _walk(root, f"{under}/" if under else "", exclude, max_bytes)


def is_there(path: Path) -> bool:
    """Say whether something is there, be it a broken link.

    :raises OSError: When that cannot be told.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def is_passed_over(name: str, exclude: Sequence[str]) -> bool:
    """Say whether :func:`scan` passes over files and folders of a name."""
    return name.startswith(".") or any(fnmatch.fnmatch(name, pattern) for pattern in exclude)


def _walk(
    root: Path, prefix: str, exclude: Sequence[str], max_bytes: int | None
) -> Iterator[FoundFile]:
    try:
        with os.scandir(root / prefix) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield FoundFile(root, prefix.rstrip("/") or ".", reason=reason, is_folder=True)
        return
    for entry in listing:
        if is_passed_over(entry.name, exclude) or entry.path in exclude:
            continue
        name = prefix + entry.name
        try:
            # A name that is not UTF-8 cannot be stored or shown as it is.
            name.encode()
        except UnicodeEncodeError:
            shown = name.encode(errors="replace").decode()
            yield FoundFile(root, shown, reason="its name is not valid UTF-8: rename it")
            continue
        if entry.is_symlink():
            yield FoundFile(root, name, reason=_link_reason(root, Path(entry.path)))
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(root, f"{name}/", exclude, max_bytes)
        else:
            yield inspect(root, name, max_bytes=max_bytes)


def inspect(root: Path, document: str, *, max_bytes: int | None = None) -> FoundFile:
    """Look at one file and say whether it can be indexed. See :func:`scan`."""
    path = root / document
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return FoundFile(root, document, reason="not a regular file")
        found = (root, document, status.st_size, status.st_mtime_ns)
        format_of(path)
    except ConversionError as error:
        return FoundFile(*found, reason=str(error))
    except OSError as error:
        return FoundFile(root, document, reason=(error.strerror or str(error)).lower())
    if status.st_size == 0:
        return FoundFile(*found, reason="empty file")
    if max_bytes is not None and status.st_size > max_bytes:
        reason = (
            f"{status.st_size / 1e6:.0f} MB is over the limit of {max_bytes / 1e6:.0f} MB "
            "(setting index.max_file_mb)"
        )
        return FoundFile(*found, reason=reason)
    return FoundFile(*found)


def _link_reason(root: Path, path: Path) -> str:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        # Python raises RuntimeError for a loop before 3.13 and OSError from then on.
        loop = isinstance(error, RuntimeError) or "too many" in str(error).lower()
        return "symbolic link loop" if loop else "broken symbolic link"
    if path.parent.resolve().is_relative_to(target):
        return "symbolic link loop"
    if target.is_relative_to(root.resolve()):
        return "symbolic link; its target is indexed in its own place"
    return "symbolic link that leads out of the indexed folder"
