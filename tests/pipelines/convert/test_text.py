import struct
from pathlib import Path

import pytest

from pipelines.convert.extracted import Extracted
from pipelines.convert.text import convert
from pipelines.errors import ConversionError


def read(tmp_path: Path, data: str | bytes) -> Extracted:
    path = tmp_path / "note.txt"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return convert(path)


def blocks(extracted: Extracted) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, extracted.text[b.start : b.end]) for b in extracted.blocks]


def test_layout_tells_what_a_paragraph_is(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        "MAINTENANCE MANUAL\n\nIntroduction\n============\nThis machine is used in the produc-\n"
        "tion of parts and must be looked after on a regular basis by\ntrained people.\n\n"
        "  - check oil\n    every week\n      * daily in summer\n  2) clean\n\n"
        "Part      Qty\nBolt      12\nWasher    100\n\nJohn Smith\n12 Main Street\n",
    )
    assert blocks(got) == [
        ("heading", 1, "MAINTENANCE MANUAL"),
        ("heading", 1, "Introduction"),
        (
            "paragraph",
            0,
            "This machine is used in the production of parts and must be looked after on a "
            "regular basis by trained people.",
        ),
        ("list_item", 0, "check oil every week"),
        ("list_item", 1, "daily in summer"),
        ("list_item", 0, "2) clean"),
        ("table_row", 0, "Part: Bolt | Qty: 12"),
        ("table_row", 0, "Part: Washer | Qty: 100"),
        ("list_item", 0, "John Smith"),
        ("list_item", 0, "12 Main Street"),
    ]
    assert got.title == "MAINTENANCE MANUAL"


def test_lines_of_a_log_stay_lines(tmp_path: Path) -> None:
    got = read(tmp_path, "2024-01-01 INFO start\n2024-01-01 ERROR pump 3 overloaded again\n")
    assert [text for _, _, text in blocks(got)] == [
        "2024-01-01 INFO start",
        "2024-01-01 ERROR pump 3 overloaded again",
    ]


@pytest.mark.parametrize(
    ("data", "text", "notice"),
    [
        ("Größe".encode("utf-8-sig"), "Größe", None),
        ("Größe — 5 €".encode("utf-16"), "Größe — 5 €", None),
        ("Größe und Maß".encode("utf-16-le"), "Größe und Maß", "encoding guessed: utf-16-le"),
        ("Größe und Maß".encode("latin-1"), "Größe und Maß", "encoding guessed: cp1252"),
        ("Wert “gut” – 5 €".encode("cp1252"), "Wert “gut” – 5 €", "encoding guessed: cp1252"),
        (b"\xef\xbb\xbfcr\xe8pe", "crèpe", "encoding guessed: cp1252"),
        (
            "\ufeffGröße, Übung ".encode() + "Maß".encode("latin-1"),
            "Größe, Übung Maß",
            "1 bytes are not UTF-8 and were read as Windows-1252",
        ),
        (
            "Größe, Übung, schön ".encode() + "Maß".encode("latin-1"),
            "Größe, Übung, schön Maß",
            "1 bytes are not UTF-8 and were read as Windows-1252",
        ),
        (
            "Перед началом работы проверьте уровень масла.".encode("cp1251"),
            "Перед началом работы проверьте уровень масла.",
            "encoding guessed: cp1251",
        ),
    ],
)
def test_encodings(tmp_path: Path, data: bytes, text: str, notice: str | None) -> None:
    got = read(tmp_path, data)
    assert got.text == text
    assert got.notices == ((notice,) if notice else ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        "Перед началом работы проверьте уровень масла в баке.",
        "Πριν από την έναρξη της εργασίας ελέγξτε τη στάθμη.",
        "开始工作前，请检查油箱中的油位。 第一步",
        "作業を始める前に、タンクの油量を確認してください。 つぎ",
        "작업을 시작하기 전에 탱크의 오일 양을 확인하십시오.",
        "לפני תחילת העבודה יש לבדוק את מפלס השמן.",
    ],
)
def test_utf_16_without_its_mark(tmp_path: Path, text: str, encoding: str) -> None:
    got = read(tmp_path, text.encode(encoding))
    assert (got.text, got.notices) == (text, (f"encoding guessed: {encoding}",))


@pytest.mark.parametrize(
    ("text", "encoding"), [("Größe, café, Übung", "cp1252"), ("Уровень масла в баке", "cp1251")]
)
def test_the_first_accent_may_stand_far_down(tmp_path: Path, text: str, encoding: str) -> None:
    got = read(tmp_path, b"Plain words. " * 6_000 + b"\n\n" + text.encode(encoding))
    assert got.text.endswith(text)
    assert got.notices == (f"encoding guessed: {encoding}",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(range(256)) * 40, "binary data, not text"),
        (b"\x7fELF" + b"\0" * 2000, "binary data, not text"),
        (b"the quick brown fox\0jumps over it\0" * 40, "binary data, not text"),
        ("Уровень масла\0в баке\0".encode() * 40, "binary data, not text"),
        ("Уровень масла\0".encode() * 4_000, "binary data, not text"),
        ("Grüße\0und Maße\0".encode("latin-1") * 40, "binary data, not text"),
        (struct.pack("<900h", *(i % 200 for i in range(-450, 450))), "binary data, not text"),
        (struct.pack("<900h", *(1024 + i % 99 for i in range(900))), "binary data, not text"),
        (b"", "the file is empty"),
        (b" \n\n ", "the file is empty"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(ConversionError, match=f"^{reason}$"):
        read(tmp_path, data)
