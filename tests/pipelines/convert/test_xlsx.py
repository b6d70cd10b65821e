from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import Workbook
from openpyxl.comments import Comment

from pipelines.convert.extracted import Block, Extracted
from pipelines.convert.xlsx import convert
from pipelines.convert.xlsx_cells import shown
from pipelines.errors import ConversionError

Convert = Callable[[Workbook], Extracted]


@pytest.fixture
def converted(tmp_path: Path) -> Convert:
    def run(book: Workbook) -> Extracted:
        book.properties.creator = None
        path = tmp_path / "book.xlsx"
        book.save(path)
        return convert(path)

    return run


def book_of(*rows: list[object], title: str = "Sheet1") -> Workbook:
    book = Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def rows(extracted: Extracted) -> list[Block]:
    return [block for block in extracted.blocks if block.kind == "table_row"]


def texts(extracted: Extracted, kind: str) -> list[str]:
    return [extracted.text[b.start : b.end] for b in extracted.blocks if b.kind == kind]


def test_rows_carry_sheet_number_and_typed_columns(converted: Convert) -> None:
    found = converted(
        book_of(
            ["Part", "Cost", "Bought", "Spare", "No."],
            ["Pump", 12.5, date(2020, 1, 31), True, "007"],
            ["Hose", 3, datetime(2020, 2, 1), False, "008"],
            title="Parts",
        )
    )
    assert texts(found, "table_row")[0] == (
        "Part: Pump | Cost: 12.5 | Bought: 2020-01-31 | Spare: TRUE | No.: 007"
    )
    assert [b.columns for b in rows(found)] == [
        {"Part": "Pump", "Cost": 12.5, "Bought": "2020-01-31", "Spare": True, "No_": "007"},
        {"Part": "Hose", "Cost": 3.0, "Bought": "2020-02-01", "Spare": False, "No_": "008"},
    ]
    assert [(b.sheet, b.row) for b in rows(found)] == [("Parts", 2), ("Parts", 3)]


def test_the_header_is_found_below_titles(converted: Convert) -> None:
    found = converted(
        book_of(
            ["Costs of the year"], [], ["Printed", date(2024, 5, 1)], [],
            ["Part", "Site", "Cost", "Year"], ["Pump", "A", 5, 2019], ["Hose", "B", 6, 2020],
        )
    )  # fmt: skip
    assert texts(found, "paragraph") == ["Costs of the year", "Printed: 2024-05-01"]
    assert rows(found)[0].columns == {"Part": "Pump", "Site": "A", "Cost": 5, "Year": 2019}
    assert rows(found)[0].row == 6


def test_merged_cells_name_columns_in_two_rows_and_repeat_beside_rows(converted: Convert) -> None:
    book = book_of(
        ["Site", "2023", None, "2024", None],
        [None, "Plan", "Real", "Plan", "Real"],
        ["North", 1, 2, 3, 4],
        [None, 5, 6, 7, 8],
        ["South", 9, 10, 11, 12],
    )
    for merged in ("A1:A2", "B1:C1", "D1:E1", "A3:A4"):
        book.active.merge_cells(merged)
    found = converted(book)
    assert [b.columns for b in rows(found)][:2] == [
        {"Site": "North", "2023 / Plan": 1, "2023 / Real": 2, "2024 / Plan": 3, "2024 / Real": 4},
        {"Site": "North", "2023 / Plan": 5, "2023 / Real": 6, "2024 / Plan": 7, "2024 / Real": 8},
    ]


def test_tables_below_each_other_keep_their_own_headers(converted: Convert) -> None:
    found = converted(
        book_of(
            ["Part", "Cost", "Site"], ["Pump", 5, "A"], ["Hose", 6, "B"], [],
            ["Valve", 7, "C"], [],
            ["Engineers"], ["Name", "Years", "Site"], ["Ann", 3, "A"], ["Bo", 4, "B"],
            [], ["Source: the plant."],
        )
    )  # fmt: skip
    assert [b.columns for b in rows(found)] == [
        {"Part": "Pump", "Cost": 5, "Site": "A"},
        {"Part": "Hose", "Cost": 6, "Site": "B"},
        {"Part": "Valve", "Cost": 7, "Site": "C"},
        {"Name": "Ann", "Years": 3, "Site": "A"},
        {"Name": "Bo", "Years": 4, "Site": "B"},
    ]
    assert texts(found, "paragraph") == ["Engineers", "Source: the plant."]


def test_a_form_reads_as_labels_with_their_values(converted: Convert) -> None:
    found = converted(
        book_of(
            ["Risk report"],
            ["Name:", "Ann Lee", None, "Date:", date(2024, 5, 1)],
            ["Site:", "North"],
            ["Level", 3],
        )
    )
    assert rows(found) == []
    assert texts(found, "paragraph") == [
        "Risk report", "Name: Ann Lee | Date: 2024-05-01", "Site: North", "Level: 3",
    ]  # fmt: skip


def test_two_columns_of_labels_and_mixed_values_are_a_form(converted: Convert) -> None:
    found = converted(book_of(["Name", "Ann"], ["Since", date(2020, 1, 1)], ["Level", 3]))
    assert texts(found, "paragraph") == ["Name: Ann", "Since: 2020-01-01", "Level: 3"]


def test_a_formula_without_value_is_kept_and_said(converted: Convert) -> None:
    found = converted(book_of(["Part", "Cost"], ["Pump", 5], ["Hose", 6], ["Total", "=SUM(B2:B3)"]))
    assert texts(found, "table_row")[-1] == "Part: Total | Cost: =SUM(B2:B3)"
    assert 'sheet "Sheet1": 1 formulas have no computed value' in found.notices[0]


def test_a_formula_whose_value_is_an_empty_text_shows_nothing(tmp_path: Path) -> None:
    book = book_of(["Part", "Note"], ["Pump", '=IF(A2="","?","")'], ["Hose", "=UPPER(A3)"])
    book.save(tmp_path / "a.xlsx")
    with ZipFile(tmp_path / "a.xlsx") as old, ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = data.replace(b'<c r="B2"', b'<c r="B2" t="str"')
            new.writestr(name, data)
    found = convert(tmp_path / "b.xlsx")
    assert texts(found, "table_row") == ["Part: Pump", "Part: Hose | Note: =UPPER(A3)"]
    assert "1 formulas have no computed value" in found.notices[0]


def test_a_formula_with_a_value_gives_the_value(tmp_path: Path, converted: Convert) -> None:
    book_of(["Part", "Cost"], ["Pump", 5], ["Total", "=B2*2"]).save(tmp_path / "a.xlsx")
    with ZipFile(tmp_path / "a.xlsx") as old, ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert b"<f>B2*2</f><v></v>" in data or b"<f>B2*2</f><v />" in data
                data = data.replace(b"<f>B2*2</f><v></v>", b"<f>B2*2</f><v>10</v>")
                data = data.replace(b"<f>B2*2</f><v />", b"<f>B2*2</f><v>10</v>")
            new.writestr(name, data)
    found = convert(tmp_path / "b.xlsx")
    assert rows(found)[-1].columns == {"Part": "Total", "Cost": 10}
    assert found.notices == ()


def test_hidden_sheets_are_read_and_said(converted: Convert) -> None:
    book = book_of(["Part", "Cost"], ["Pump", 5])
    hidden = book.create_sheet("Old prices")
    hidden.append(["Part", "Cost"])
    hidden.append(["Hose", 6])
    hidden.sheet_state = "hidden"
    found = converted(book)
    assert [(b.sheet, b.columns) for b in rows(found)] == [
        ("Sheet1", {"Part": "Pump", "Cost": 5}),
        ("Old prices", {"Part": "Hose", "Cost": 6}),
    ]
    assert found.notices == ('sheet "Old prices" is hidden',)


def test_comments_are_kept_as_footnotes(converted: Convert) -> None:
    book = book_of(["Part", "Cost"], ["Pump", 5])
    book.active["B2"].comment = Comment("Ann:\nask again in May", "Ann")
    assert texts(converted(book), "footnote") == ["Comment on B2 (Ann): ask again in May"]


def test_properties_and_title(converted: Convert) -> None:
    book = book_of(["Part", "Cost"], ["Pump", 5])
    book.properties.title = "Parts and prices"
    book.properties.subject = "Purchasing"
    found = converted(book)
    assert found.title == "Parts and prices"
    assert found.properties["subject"] == "Purchasing"
    assert "subject: Purchasing" in found.text


def test_a_byte_order_mark_in_a_header_leaves_no_name(converted: Convert) -> None:
    found = converted(book_of(["\ufeff", "Part"], ["0", "Pump"], ["1", "Hose"]))
    assert rows(found)[0].columns == {"column 1": 0, "Part": "Pump"}


def test_cells_far_from_the_corner_are_found(converted: Convert) -> None:
    book = Workbook()
    for row, values in enumerate([["Part", "Cost"], ["Pump", 5], ["Hose", 6]], start=300):
        for column, value in enumerate(values, start=40):
            book.active.cell(row, column, value)
    found = converted(book)
    assert texts(found, "table_row") == ["Part: Pump | Cost: 5", "Part: Hose | Cost: 6"]
    assert [b.row for b in rows(found)] == [301, 302]


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (0.0512, "0.0%", "5.12%"),
        (0.1 + 0.2, "General", "0.3"),
        (1200.5, '"$"#,##0.00', "$1200.5"),
        (1200.5, "#,##0.00\\ [$€-407]", "€1200.5"),
        (-3, "[$CHF] #,##0", "-3 CHF"),
        (42, "00000", "00042"),
        (5, '0" pieces"', "5"),
        (7.0, "General", "7"),
        (datetime(2020, 1, 2), "yyyy-mm-dd", "2020-01-02"),
        (datetime(2020, 1, 2), "yyyy-mm-dd hh:mm", "2020-01-02 00:00:00"),
        (datetime(2020, 1, 2, 3, 4, 5), "m/d/yy", "2020-01-02 03:04:05"),
        (time(3, 4), "h:mm", "03:04"),
        (True, "General", "TRUE"),
        ("#REF!", "General", "#REF!"),
        (None, "General", ""),
    ],
)
def test_cells_show_what_their_format_means(value: object, number_format: str, text: str) -> None:
    assert shown(value, number_format) == text


def test_an_encrypted_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.xlsx"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    with pytest.raises(ConversionError, match="password"):
        convert(path)


def test_a_truncated_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.xlsx"
    book_of(["Part", "Cost"], ["Pump", 5]).save(path)
    path.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(ConversionError, match="damaged"):
        convert(path)
