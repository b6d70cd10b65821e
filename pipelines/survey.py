"""What stands under the paths to index, and what of the catalogue is gone from there."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.catalog import Catalog, CatalogEntry
from pipelines.errors import ConversionError
from pipelines.scan import FoundFile, inspect, scan


def survey(
    catalog: Catalog, paths: Sequence[Path], *, exclude: Sequence[str] = (), max_bytes: int
) -> tuple[list[FoundFile], list[CatalogEntry]]:
    """Look for documents under folders and files.

    :param catalog: What is known from before.
    :param paths: Folders and files; one that is gone may be named if it is known.
    :param exclude: Names of files and folders to leave out.
    :param max_bytes: Larger files are given with a reason.
    :returns: Files that are there, and entries whose documents are not any more.
    :raises ConversionError: When a path neither exists nor is in the catalogue.
    """
    found: list[FoundFile] = []
    gone: list[CatalogEntry] = []
    for path in paths:
        path = path.absolute()
        if path.is_dir():
            root = path.resolve()
            listing = list(scan(root, exclude=exclude, max_bytes=max_bytes))
            found += listing
            gone += _missing(catalog, root, listing)
        elif path.exists() or path.is_symlink():
            found.append(inspect(path.parent.resolve(), path.name, max_bytes=max_bytes))
        elif known := _known(catalog, path):
            gone += known
        else:
            raise ConversionError(f"{path}: no such file or folder")
    return found, gone


def _missing(catalog: Catalog, root: Path, listing: Sequence[FoundFile]) -> list[CatalogEntry]:
    """Return the entries of a root that were not met, save where nobody could look."""
    present = {file.document for file in listing}
    closed = [file.document for file in listing if file.is_folder]
    below = tuple("" if folder == "." else f"{folder}/" for folder in closed)
    return [
        entry
        for entry in catalog.entries(str(root))
        if entry.document not in present and not entry.document.startswith(below)
    ]


def _known(catalog: Catalog, path: Path) -> list[CatalogEntry]:
    """Return what is known of a path that is gone: of a file, or of a folder once indexed."""
    entry = catalog.get(str(path.parent.resolve()), path.name)
    return [entry] if entry else list(catalog.entries(str(path.resolve())))
