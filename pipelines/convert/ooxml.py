"""What DOCX, PPTX and XLSX share: a zip of XML parts, checked before anything is unpacked."""

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from pipelines.errors import ConversionError

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 1 << 30
# XML packs 5 to 50 times; deflate can reach 1,032. Small archives may be what they like.
MAX_RATIO = 200
_RATIO_FROM_BYTES = 32 << 20

_OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")


def check_archive(path: Path) -> None:
    """Refuse an Office file that is no archive, damaged, encrypted or a zip bomb.

    Reads the archive's directory and the first kilobyte of each XML part; nothing is
    unpacked whole. Python's zip reader never gives more of an entry than its declared
    size, so that the declared sizes bound what a later reader can meet.

    :param path: A DOCX, PPTX or XLSX file.
    :raises ConversionError: Saying what is wrong with it.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise ConversionError("the file is empty")
    if start == _OLE_MAGIC:
        raise ConversionError(
            "encrypted with a password, or an old binary Office file: save it without a "
            f"password as {path.suffix.lower()}"
        )
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise ConversionError(f"damaged, truncated or not a {path.suffix.lower()} file") from None
    with archive:
        entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        packed = max(1, path.stat().st_size)
        if len(entries) > MAX_ENTRIES:
            raise ConversionError(f"refused as a zip bomb: {len(entries):,} files inside")
        if unpacked > MAX_UNPACKED_BYTES or (
            unpacked > _RATIO_FROM_BYTES and unpacked > MAX_RATIO * packed
        ):
            raise ConversionError(
                f"refused as a zip bomb: {packed:,} bytes would unpack to {unpacked:,}"
            )
        for entry in entries:
            if entry.flag_bits & 0x1:
                raise ConversionError("its parts are encrypted: save it without a password")
            if entry.filename.endswith((".xml", ".rels")):
                _refuse_entities(archive, entry)


def _refuse_entities(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Office files must not declare document types; one that does is after our parser."""
    try:
        with archive.open(entry) as part:
            start = part.read(1024)
    except Exception:  # zipfile lets zlib's and lzma's own errors through
        # Damaged; whoever needs this part will say so.
        return
    # UTF-16 parts carry a zero byte between letters.
    if b"<!DOCTYPE" in start.replace(b"\0", b"") or b"<!ENTITY" in start.replace(b"\0", b""):
        raise ConversionError("declares XML entities, which Office files must not: refused")


class OfficePackage:
    """The XML parts of a checked DOCX or PPTX file, found by their relationships.

    :param path: The file.
    :raises ConversionError: See :func:`check_archive`.
    """

    def __init__(self, path: Path) -> None:
        check_archive(path)
        self._archive = zipfile.ZipFile(path)
        self._names = {name.lower(): name for name in self._archive.namelist()}

    def __enter__(self) -> "OfficePackage":
        """Return the package."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file."""
        self._archive.close()

    def part(self, name: str) -> etree._Element | None:
        """Parse one part; None when there is no such part or it is empty.

        :raises ConversionError: When it is not XML.
        """
        stored = self._names.get(name.lstrip("/").lower())
        if stored is None:
            return None
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True
        )
        try:
            data = self._archive.read(stored)
            return etree.fromstring(data, parser) if data else None
        except etree.XMLSyntaxError:
            raise ConversionError(f"damaged: {stored} is not valid XML") from None
        except Exception as error:  # zlib.error has no public base
            raise ConversionError(f"damaged: {stored} cannot be unpacked") from error

    def related(self, part: str = "") -> dict[str, tuple[str, str]]:
        """Return a part's relationships: id → (last word of its type, target part or address).

        :param part: Name of the part; the package itself if empty.
        """
        folder, name = posixpath.split(part)
        root = self.part(posixpath.join(folder, "_rels", f"{name}.rels"))
        if root is None:
            return {}
        found = {}
        for relation in root:
            target = relation.get("Target", "")
            if relation.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            kind = relation.get("Type", "").rsplit("/", 1)[-1]
            found[relation.get("Id", "")] = (kind, target)
        return found

    def targets(self, kind: str, part: str = "") -> list[str]:
        """Return the parts that a part relates to in one way, such as ``footnotes``."""
        return [target for known, target in self.related(part).values() if known == kind]


def local(element: etree._Element) -> str:
    """Return an element's name without its namespace.

    Names are compared that way because Office writes two sets of namespaces
    (ECMA-376 transitional and strict) with the same names in them.
    """
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: etree._Element | None, name: str) -> str | None:
    """Return an attribute by its name without namespace."""
    if element is None:
        return None
    for key, value in element.attrib.items():
        if key == name or (isinstance(key, str) and key.endswith("}" + name)):
            return str(value)
    return None


def child(element: etree._Element | None, *names: str) -> etree._Element | None:
    """Follow a path of local names down from an element; None where it breaks off."""
    for name in names:
        if element is None:
            return None
        element = next((one for one in element if local(one) == name), None)
    return element


def children(element: etree._Element | None, name: str) -> Iterator[etree._Element]:
    """Yield an element's children of one local name."""
    if element is not None:
        yield from (one for one in element if local(one) == name)


# Names of core properties → names used for properties in every format.
_CORE = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "description": "description",
    "category": "category",
    "created": "created",
    "modified": "modified",
}


def core_properties(package: OfficePackage) -> dict[str, str]:
    """Return title, author, subject, keywords, description, category and dates, where set."""
    properties: dict[str, str] = {}
    for name in package.targets("core-properties")[:1]:
        root = package.part(name)
        for element in () if root is None else root:
            key = _CORE.get(local(element))
            text = (element.text or "").strip()
            # What a library signs its files with says nothing about this one.
            if key and text and not text.startswith("generated "):
                properties[key] = text
    return properties
