from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.convert.csv import convert
from pipelines.convert.extracted import Block, Extracted
from pipelines.errors import ConversionError

Convert = Callable[..., Extracted]


@pytest.fixture
def converted(tmp_path: Path) -> Convert:
    def run(text: str | bytes, name: str = "t.csv", encoding: str = "utf-8") -> Extracted:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return convert(path)

    return run


def rows(extracted: Extracted) -> list[Block]:
    return [block for block in extracted.blocks if block.kind == "table_row"]


def texts(extracted: Extracted, kind: str = "table_row") -> list[str]:
    return [extracted.text[b.start : b.end] for b in extracted.blocks if b.kind == kind]


def test_each_row_stands_on_its_own_with_typed_columns(converted: Convert) -> None:
    found = converted('Part,Cost,Bought,Spare\nPump,"$1,200.50",2020-01-31,TRUE\nHose,$3,,false\n')
    assert texts(found) == [
        "Part: Pump | Cost: $1,200.50 | Bought: 2020-01-31 | Spare: TRUE",
        "Part: Hose | Cost: $3 | Spare: false",
    ]
    assert [b.columns for b in rows(found)] == [
        {"Part": "Pump", "Cost": 1200.5, "Bought": "2020-01-31", "Spare": True},
        {"Part": "Hose", "Cost": 3.0, "Spare": False},
    ]
    assert [b.row for b in rows(found)] == [2, 3]
    assert found.notices == ()


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", "\ufeff"), ("utf-8", ""), ("utf-16", ""), ("cp1252", ""), ("utf-16-le", "\ufeff")],
)
def test_encodings_and_byte_order_marks(converted: Convert, encoding: str, mark: str) -> None:
    found = converted(f"{mark}Name,Größe\nO’Brien – “Café”,5\n", encoding=encoding)
    assert rows(found)[0].columns == {"Name": "O’Brien – “Café”", "Größe": 5}


def test_names_are_made_unique_and_missing_ones_are_numbered(converted: Convert) -> None:
    found = converted("Name,,Name,v1.2,name\na,b,c,d,e\n")
    assert rows(found)[0].columns == {
        "Name": "a", "column 2": "b", "Name 2": "c", "v1_2": "d", "name 3": "e",
    }  # fmt: skip
    assert texts(found) == ["Name: a | b | Name 2: c | v1.2: d | name 3: e"]


def test_a_table_without_header_gets_numbered_columns(converted: Convert) -> None:
    found = converted("17,2020-01-01,pump\n18,2020-01-02,hose\n19,2020-01-03,pump\n")
    assert rows(found)[0].columns == {"column 1": 17, "column 2": "2020-01-01", "column 3": "pump"}
    assert len(rows(found)) == 3


def test_years_on_top_of_figures_are_names(converted: Convert) -> None:
    found = converted("Region,2019,2020\nNorth,150,170\nSouth,90,85\n")
    assert rows(found)[1].columns == {"Region": "South", "2019": 90, "2020": 85}


def test_titles_and_remarks_above_the_header_are_kept_as_text(converted: Convert) -> None:
    found = converted(
        "Costs of the year\nPrinted:,2024-05-01\n\nPart,Cost,Site,Year\n"
        "Pump,5,A,2019\nHose,6,B,2020\n"
    )
    assert texts(found, "paragraph") == ["Costs of the year", "Printed: 2024-05-01"]
    assert rows(found)[0].columns == {"Part": "Pump", "Cost": 5, "Site": "A", "Year": 2019}
    assert [b.row for b in rows(found)] == [5, 6]


def test_names_of_columns_without_values_are_kept(converted: Convert) -> None:
    found = converted("Part,Remark,Cost,Unnamed: 3\nPump,,5,\nHose,,6,\n")
    assert texts(found, "paragraph") == ["Columns without values: Remark"]


def test_rows_of_another_length_are_kept_and_said(converted: Convert) -> None:
    lines = [f"p{i},{i},x" for i in range(8)]
    lines[2] = "short,2"
    lines[5] = "long,5,x,extra,more"
    found = converted("Part,No,State\n" + "\n".join(lines) + "\n")
    assert len(rows(found)) == 8
    assert rows(found)[2].columns == {"Part": "short", "No": 2}
    assert rows(found)[5].columns == {
        "Part": "long", "No": 5, "State": "x", "column 4": "extra", "column 5": "more",
    }  # fmt: skip
    assert found.notices == (
        "more fields than columns, kept in further columns: line 7",
        "fewer fields than columns: line 4",
    )


def test_a_row_that_slipped_into_a_nameless_last_column_is_put_back(converted: Convert) -> None:
    lines = [f'{i},"PUMP, LEFT",{i % 2},Rule_{i % 3},' for i in range(40)]
    lines[10] = "10,PUMP, LEFT,1,Rule_2"
    found = converted("No,Place,Flag,Rule,Unnamed: 4\n" + "\n".join(lines) + "\n")
    assert rows(found)[10].columns == {"No": 10, "Place": "PUMP, LEFT", "Flag": 1, "Rule": "Rule_2"}
    assert rows(found)[11].columns == {"No": 11, "Place": "PUMP, LEFT", "Flag": 1, "Rule": "Rule_2"}
    assert "put back: line 12" in found.notices[0]


def test_a_last_column_with_a_name_may_be_nearly_empty(converted: Convert) -> None:
    lines = [f"{i},A,B," for i in range(200)]
    lines[50] = "50,A,B,see below"
    found = converted("No,X,Y,Notes\n" + "\n".join(lines) + "\n")
    assert rows(found)[50].columns == {"No": 50, "X": "A", "Y": "B", "Notes": "see below"}
    assert found.notices == ()


def test_a_stray_quote_is_said_and_costs_no_row(converted: Convert) -> None:
    lines = [f'{i},"part {i}",ok' for i in range(500)]
    lines[100] = '100,"3 in. pipe,ok'
    found = converted("No,Part,State\n" + "\n".join(lines) + "\n")
    assert len(rows(found)) == 500
    assert rows(found)[100].columns == {"No": 100, "Part": '"3 in. pipe', "State": "ok"}
    assert found.notices == ("stray quotes were read as they stand: line 102",)


def test_a_header_that_stands_again_is_left_out(converted: Convert) -> None:
    found = converted("Part,Cost\nPump,5\nPart,Cost\nHose,6\n")
    assert [b.columns for b in rows(found)] == [
        {"Part": "Pump", "Cost": 5},
        {"Part": "Hose", "Cost": 6},
    ]
    assert found.notices == ("the header stands again and was left out: line 3",)


def test_semicolons_bring_decimal_commas(converted: Convert) -> None:
    found = converted("Teil;Preis\nPumpe;1.200,50\nSchlauch;3,5\n")
    assert rows(found)[0].columns == {"Teil": "Pumpe", "Preis": 1200.5}


def test_tabs_line_breaks_in_fields_and_zero_bytes(converted: Convert) -> None:
    found = converted(b'a\tb\n1\t"x\ny"\n2\tz\x00z\n' + b"3\tw\n" * 900, name="t.tsv")
    assert rows(found)[0].columns == {"a": 1, "b": "x y"}
    assert rows(found)[1].columns == {"a": 2, "b": "zz"}
    assert found.notices == ("zero bytes were left out",)


def test_a_single_column_is_read_whole(converted: Convert) -> None:
    found = converted("Remark\nit leaks, badly\n\nfixed\n")
    assert texts(found) == ["Remark: it leaks, badly", "Remark: fixed"]


def test_a_header_alone_is_kept(converted: Convert) -> None:
    assert texts(converted("Part,Cost\n"), "paragraph") == ["Columns without values: Part, Cost"]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\n"])
def test_an_empty_file_is_refused(converted: Convert, content: bytes) -> None:
    with pytest.raises(ConversionError, match="empty"):
        converted(content)


def test_binary_data_is_refused(converted: Convert) -> None:
    with pytest.raises(ConversionError, match="binary"):
        converted(bytes(range(256)) * 40)


@pytest.mark.parametrize(
    "text",
    [
        '"' * 400_000,
        '",' * 50_000,
        "a,b\n" + "1," * 50_000,
        "a," + " " * 400_000 + '"b',
        "a,b,c\n" + '1,"2,3\n' * 5_000,
        "\n" * 50_000 + "a,b\n1,2\n",
    ],
    ids=["quotes", "quoted separators", "wide", "blanks", "open quotes", "empty lines"],
)
def test_hostile_files_stay_linear(converted: Convert, text: str) -> None:
    # Quadratic work on these would run into the suite's time limit.
    assert converted(text).blocks
