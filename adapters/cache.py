"""The user's folder of built models and exported encoders: entries appear whole or not at all."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.errors import CacheError

_ABANDONED_AFTER_S = 24 * 3600.0


def cache_folder() -> Path:
    """Return where they are kept: ``EXPERT_CACHE``, or the platform's cache folder."""
    if chosen := os.environ.get("EXPERT_CACHE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("phi-expert", appauthor=False))


def entry(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache, made on first use.

    It is made under another name and renamed when complete, so that neither a crash nor
    another process making the same can leave or show it half made.

    :param kind: What the entry is: "encoders", "models".
    :param name: Name of the folder; says all that its content depends on.
    :param make: Fills the empty folder that it is given.
    :raises CacheError: When the cache cannot be written.
    """
    folder = cache_folder() / kind / name
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            make(made)
            _publish(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise CacheError(
            f"cannot write {folder.parent} ({error.strerror or error}): "
            "set EXPERT_CACHE to a folder that can be"
        ) from error
    return folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def file_digests(folder: Path, files: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by name, read again only when the file changed.

    :param folder: The folder that they belong to; what is known of it is kept under its name.
    :param files: Path of each file by name.
    :raises OSError: When a file cannot be read.
    """
    name = f"{hashlib.sha256(str(folder).encode()).hexdigest()[:32]}.json"
    memo_path = cache_folder() / "digests" / name
    try:
        memo = json.loads(memo_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        memo = {}
    current: dict[str, list[Any]] = {}
    for name, path in sorted(files.items()):
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        known = memo.get(name) if isinstance(memo, dict) else None
        if not (isinstance(known, list) and known[:-1] == stamp):
            with path.open("rb") as file:
                known = [*stamp, hashlib.file_digest(file, "sha256").hexdigest()]
        current[name] = known
    if current != memo:
        # Without it the files are hashed again the next time.
        with contextlib.suppress(OSError):
            write_whole(memo_path, json.dumps(current).encode())
    return {name: known[-1] for name, known in current.items()}


def _publish(made: Path, folder: Path) -> None:
    made.chmod(0o755)
    for file in made.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    try:
        made.rename(folder)
    except OSError:
        # Another process was first; its entry has the same name and so the same content.
        if not folder.is_dir():
            raise


def _sweep(parent: Path) -> None:
    for left in parent.glob(".making-*"):
        # Another process may have swept it.
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
