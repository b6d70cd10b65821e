import zipfile
from pathlib import Path

import pytest

from pipelines.convert import convert_file
from pipelines.convert.ooxml import OfficePackage, check_archive
from pipelines.errors import ConversionError

TYPES = "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>"


def archive(path: Path, parts: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def test_a_sound_archive_passes(tmp_path: Path) -> None:
    check_archive(archive(tmp_path / "a.docx", {"[Content_Types].xml": TYPES}))


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, suffix: str) -> None:
    path = archive(tmp_path / f"bomb{suffix}", {"word/document.xml": bytes(64 << 20)})
    with pytest.raises(ConversionError, match=r"zip bomb: [\d,]+ bytes would unpack to 67,108,864"):
        convert_file(path)


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.docx", dict.fromkeys(map(str, range(20_001)), ""))
    with pytest.raises(ConversionError, match="zip bomb: 20,001 files inside"):
        check_archive(path)


def test_entities_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    xml = (
        f"<?xml version='1.0'?><!DOCTYPE d [<!ENTITY x SYSTEM '{secret.as_uri()}'>]>"
        "<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>"
    )
    for data in (xml, xml.encode("utf-16")):
        path = archive(tmp_path / "a.docx", {"word/document.xml": data})
        with pytest.raises(ConversionError, match="declares XML entities"):
            convert_file(path)


def test_entities_far_into_a_part_are_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    xml = (
        f"<?xml version='1.0'?>{' ' * 2000}<!DOCTYPE d [<!ENTITY x SYSTEM '{secret.as_uri()}'>]>"
        "<d>&x;</d>"
    )
    path = archive(tmp_path / "a.docx", {"part.xml": xml})
    with OfficePackage(path) as package:
        part = package.part("part.xml")
    assert part is not None
    assert "SECRET" not in "".join(str(text) for text in part.itertext())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04 and then nothing", "damaged, truncated or not a .docx file"),
        (b"plain text", "damaged, truncated or not a .docx file"),
        (
            bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512),
            "encrypted with a password, or an old binary Office file: "
            "save it without a password as .docx",
        ),
    ],
)
def test_what_is_no_archive_is_said_plainly(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(data)
    with pytest.raises(ConversionError) as error:
        check_archive(path)
    assert str(error.value) == reason


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.docx", {"word/document.xml": b"<a>" + b"text " * 5000 + b"</a>"})
    data = bytearray(path.read_bytes())
    data[60:75] = b"\xff" * 15
    path.write_bytes(data)
    with pytest.raises(ConversionError, match=r"document\.xml"):
        convert_file(path)
