"""Adapters from elsewhere, as folders and archives: nothing of them is trusted.

A folder or archive is read entry by entry. What is taken in has one of the few names that
an adapter's files have, is a plain file, and is no larger than such a file can be.
"""

import gzip
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from adapters.card import CARD_FILE
from adapters.errors import AdapterError
from adapters.lora_files import CONFIG, WEIGHTS

# An adapter's files, and the most bytes of each: rank 512 of the largest Phi-3 is below.
KEPT = {
    WEIGHTS: 8_000_000_000,
    CONFIG: 1_000_000,
    CARD_FILE: 50_000_000,
    "README.md": 1_000_000,
    "loss.png": 20_000_000,
    "loss.html": 20_000_000,
}
# What trainers write beside them. A page may run scripts, so none from elsewhere is kept.
_LEFT_OUT = {
    "loss.html",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
}
_MOST_LEFT_OUT = 100_000_000
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
_MOST_ENTRIES = 64
_CHUNK = 1 << 20
# Of others a small entry is unpacked to whatever it holds before it is measured.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SUFFIXES = (".zip", ".tar.gz", ".tgz")


def is_archive(path: Path) -> bool:
    """Return whether a path's name is an archive's."""
    return path.name.lower().endswith(_SUFFIXES)


def bare_name(path: Path) -> str:
    """Return a path's name without an archive's ending."""
    name = path.name
    ending = next((end for end in _SUFFIXES if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def take_in(path: Path, target: Path) -> None:
    """Copy an adapter's files from a folder or an archive into an empty folder.

    :param path: A folder, or a .zip or .tar.gz of one.
    :raises AdapterError: When it is neither, or holds anything that an adapter does not.
    """
    shown = path.name
    try:
        if path.is_dir():
            _take_folder(path, target)
        elif not path.is_file():
            raise AdapterError(f"no such folder or archive: {path}")
        elif path.name.lower().endswith(".zip"):
            _take_zip(path, target)
        elif is_archive(path):
            _take_tar(path, target)
        else:
            raise AdapterError(f"{shown} is not an adapter: give its folder, a .zip or a .tar.gz")
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        # What the zip format's readers raise for entries that are locked or make no sense.
        RuntimeError,
        ValueError,
    ) as error:
        raise AdapterError(f"{shown} is damaged: {error}") from error
    except OSError as error:
        raise AdapterError(f"cannot read {path}: {error.strerror or error}") from error
    for needed in (WEIGHTS, CONFIG):
        if not (target / needed).is_file():
            raise AdapterError(f"{shown} has no {needed}: it is not an adapter in PEFT's format")


def pack(folder: Path, path: Path) -> None:
    """Write an adapter's files into an archive.

    :param path: The archive; its ending says which kind.
    """
    # A folder inside, so that unpacking by hand scatters nothing.
    inner = bare_name(path)
    files = [folder / name for name in KEPT if (folder / name).is_file()]
    # Weights hardly shrink: the least effort is enough.
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for file in files:
                packed.write(file, f"{inner}/{file.name}")
        return
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for file in files:
            tar.add(file, f"{inner}/{file.name}", recursive=False, filter=_nobody)


def _nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry


def _take_folder(path: Path, target: Path) -> None:
    for entry in sorted(path.iterdir()):
        status = entry.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise AdapterError(f"{path.name} holds {entry.name}, a link: put the file itself there")
        if stat.S_ISDIR(status.st_mode):
            raise AdapterError(f"{path.name} holds a folder, {entry.name}: take it out")
        if not stat.S_ISREG(status.st_mode):
            raise AdapterError(f"{path.name} holds {entry.name}, which is not a file: take it out")
        if _wanted(path.name, entry.name, status.st_size):
            with entry.open("rb") as source:
                _copy(path.name, source, target / entry.name)


def _take_zip(path: Path, target: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        entries = packed.infolist()
        # All are looked at before the first is unpacked.
        places = _Places(path.name)
        wanted = []
        for entry in entries:
            mode = entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise AdapterError(f"{path.name} holds {entry.filename}, a link: pack the file")
            if entry.compress_type not in _METHODS:
                raise AdapterError(f"{path.name} is not packed by deflate: pack it anew")
            if entry.flag_bits & 1:
                raise AdapterError(f"{path.name} is locked by a password: pack it without")
            # The original, since what follows a zero byte is not in the other.
            name = places.file(entry.orig_filename, folder=entry.is_dir(), size=entry.file_size)
            if name:
                wanted.append((entry, name))
        for entry, name in wanted:
            with packed.open(entry) as source:
                _copy(path.name, source, target / name)


def _take_tar(path: Path, target: Path) -> None:
    places = _Places(path.name)
    with _tar(path) as packed:
        # In its order and checked one by one: to look ahead is to unpack.
        for entry in packed:
            if entry.issym() or entry.islnk():
                raise AdapterError(f"{path.name} holds {entry.name}, a link: pack the file")
            if not entry.isdir() and (not entry.isreg() or entry.issparse()):
                raise AdapterError(f"{path.name} holds {entry.name}, which is not a plain file")
            name = places.file(entry.name, folder=entry.isdir(), size=entry.size)
            source = packed.extractfile(entry) if name else None
            if name and source is not None:
                _copy(path.name, source, target / name)


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    with gzip.open(path) as stream:
        bounded: Any = _Bounded(stream)
        with tarfile.open(fileobj=bounded, mode="r:") as packed:
            yield packed


class _Bounded:
    """A stream that gives no more at once than a reader of adapters asks for.

    Headers of a tar file say how much of it is their own, and its library reads that whole.
    """

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 4 * _CHUNK:
            raise tarfile.ReadError("a header in it is too long")
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Places:
    """Where an archive's entries would go: all into one folder, and none anywhere else."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._folder: str | None = None
        self._seen: set[str] = set()
        self._entries = 0

    def file(self, path: str, *, folder: bool, size: int) -> str | None:
        """Return the name of a file that is wanted; None for what is left out.

        :raises AdapterError: When the archive cannot be trusted.
        """
        self._entries += 1
        if self._entries > _MOST_ENTRIES:
            raise AdapterError(f"{self._archive} holds more files than an adapter has")
        if (
            path.startswith(("/", "\\"))
            or re.match(r"[A-Za-z]:", path)
            or ".." in re.split(r"[/\\]", path)
            or "\0" in path
        ):
            raise AdapterError(
                f"{self._archive} holds {path!r}, which leads out of its folder: do not trust it"
            )
        parts = PurePosixPath(path).parts
        if not parts:
            return None
        top = parts[0] if folder or len(parts) > 1 else ""
        if self._folder is None:
            self._folder = top
        if top != self._folder or len(parts) > (1 if folder else 2):
            raise AdapterError(f"{self._archive} holds {path}: an adapter is one folder of files")
        if folder:
            return None
        name = parts[-1]
        if name in self._seen:
            raise AdapterError(f"{self._archive} holds {name} twice")
        self._seen.add(name)
        return name if _wanted(self._archive, name, size) else None


def _wanted(holder: str, name: str, size: int) -> bool:
    """Return whether a file is to be copied.

    :raises AdapterError: When it is not an adapter's.
    """
    if name.lower().endswith(_PICKLES):
        raise AdapterError(
            f"{holder} holds {name}, a pickle, which can run code when it is read: "
            "take it out; an adapter is safetensors"
        )
    if name not in KEPT and name not in _LEFT_OUT:
        raise AdapterError(f"{holder} holds {name}, which no adapter has: take it out")
    most = KEPT.get(name, _MOST_LEFT_OUT)
    if size > most:
        raise AdapterError(
            f"{holder} says that {name} has {size:,} bytes, and an adapter's has {most:,} at most"
        )
    return name not in _LEFT_OUT


def _copy(holder: str, source: IO[bytes], target: Path) -> None:
    free = shutil.disk_usage(target.parent).free
    most = KEPT[target.name]
    written = 0
    with target.open("xb") as file:
        # What an entry says of its size need not be so.
        while content := source.read(_CHUNK):
            written += len(content)
            if written > most:
                raise AdapterError(f"{holder} holds more in {target.name} than it says")
            if written > free:
                raise AdapterError(f"no room on the disk for {target.name} of {holder}: free some")
            file.write(content)
