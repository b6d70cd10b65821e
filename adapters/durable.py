"""Write files so that they outlive a loss of power."""

import hashlib
import os
from pathlib import Path

from adapters.card import FileFacts


def copied(source: Path, target: Path) -> FileFacts:
    """Copy a file, and return what was copied, on disk for good."""
    sha256, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("xb") as written:
        while content := read.read(1 << 20):
            sha256.update(content)
            size += written.write(content)
        written.flush()
        os.fsync(written.fileno())
    return FileFacts(bytes=size, sha256=sha256.hexdigest())


def facts_of(path: Path) -> FileFacts:
    """Return a file's size and hash."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileFacts(bytes=path.stat().st_size, sha256=digest)


def write_durably(path: Path, content: str) -> None:
    """Write a text to a file, on disk for good."""
    with path.open("wb") as file:
        file.write(content.encode())
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: str) -> None:
    """Write a text to a file, the old or the new one there at any time, on disk for good."""
    made = path.with_name(f".{path.name}")
    write_durably(made, content)
    made.replace(path)
    sync(path.parent)


def sync_all(folder: Path) -> None:
    """Put a folder and all that is in it on disk for good."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def sync(path: Path) -> None:
    """Put a file's content, or a folder's entries, on disk for good."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
