"""What stands under the paths to index, and what of the catalogue is gone from there.

A file has one entry, however it is reached: what is known under an outer root stays there
when an inner folder is named, and what an outer folder shows replaces what was indexed of
its inner folders by themselves.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.catalog import Catalog, CatalogEntry
from pipelines.errors import ConversionError
from pipelines.scan import FoundFile, inspect, is_there, scan


def survey(
    catalog: Catalog, paths: Sequence[Path], *, exclude: Sequence[str] = (), max_bytes: int
) -> tuple[list[FoundFile], list[CatalogEntry]]:
    """Look for documents under folders and files.

    :param catalog: What is known from before.
    :param paths: Folders and files; one that is gone may be named if it is known.
    :param exclude: Names of files and folders to leave out, or absolute paths of them.
    :param max_bytes: Larger files are given with a reason.
    :returns: Files that are there, each once, and entries to remove: of documents that are
        gone, or that are given under another root.
    :raises ConversionError: When a path neither exists nor is in the catalogue, or cannot be
        reached.
    """
    roots = set(catalog.roots())
    found: dict[Path, FoundFile] = {}
    present: set[tuple[str, str]] = set()
    missed: list[tuple[Path, CatalogEntry]] = []
    # Outer folders first: what they show is not given again from an inner one.
    for path in sorted(map(_located, paths), key=lambda path: len(path.parts)):
        root = _root(catalog, roots, path)
        document = path.relative_to(root).as_posix()
        there, listing = is_there(path), list[FoundFile]()
        if path.is_dir():
            under = "" if path == root else document
            listing = list(scan(root, under, exclude=exclude, max_bytes=max_bytes))
        elif there:
            listing = [inspect(root, document, max_bytes=max_bytes)]
        for file in listing:
            if found.setdefault(file.path, file) is file:
                present.add((str(file.root), file.document))
        known = _known(catalog, roots, path)
        missing = [entry for entry in known if (entry.root, entry.document) not in present]
        if not there and not missing:
            raise ConversionError(f"{path}: no such file or folder")
        missed += [(root, entry) for entry in missing]
    closed = tuple(f"{file.path}/" for file in found.values() if file.is_folder)
    gone: dict[tuple[str, str], CatalogEntry] = {}
    for root, entry in missed:
        key, place = (entry.root, entry.document), Path(entry.root, entry.document)
        # Another of the paths may have shown it, or nobody could look.
        if key in present or str(place).startswith(closed):
            continue
        # What an outer folder passes over stays if it was named by itself.
        if entry.root == str(root) or place in found or not _may_be_there(place):
            gone[key] = entry
    return list(found.values()), list(gone.values())


def _located(path: Path) -> Path:
    """Return where a path leads; a link to a file is a place of its own."""
    path = path.absolute()
    try:
        is_folder = is_there(path) and path.is_dir()
    except OSError as error:
        raise ConversionError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    return path.resolve() if is_folder else path.parent.resolve() / path.name


def _may_be_there(path: Path) -> bool:
    try:
        return is_there(path)
    except OSError:
        return True


def _root(catalog: Catalog, roots: set[str], path: Path) -> Path:
    """Return the outermost root under which a path is known, else the one of its own."""
    for folder in reversed(path.parents):
        if str(folder) in roots and any(_known_in(catalog, folder, path)):
            return folder
    return path if path.is_dir() else path.parent


def _known(catalog: Catalog, roots: set[str], path: Path) -> Iterator[CatalogEntry]:
    """Yield the entries of a file, or of all that is under a folder, whatever their roots."""
    inside = f"{str(path).rstrip('/')}/"
    for root in roots:
        if root == str(path) or root.startswith(inside):
            yield from catalog.entries(root)
    for folder in path.parents:
        if str(folder) in roots:
            yield from _known_in(catalog, folder, path)


def _known_in(catalog: Catalog, folder: Path, path: Path) -> Iterator[CatalogEntry]:
    document = path.relative_to(folder).as_posix()
    if entry := catalog.get(str(folder), document):
        yield entry
    yield from catalog.entries(str(folder), document)
