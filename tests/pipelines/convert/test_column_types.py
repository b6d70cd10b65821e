import pytest

from pipelines.convert.column_types import TypeProbe
from pipelines.convert.extracted import Scalar


def typed(*values: str, decimal_comma: bool = False) -> tuple[str, list[Scalar | None]]:
    probe = TypeProbe(decimal_comma=decimal_comma)
    for value in values:
        probe.see(value)
    column = probe.column_type()
    return column.kind, [column.parse(value) for value in values]


@pytest.mark.parametrize(
    ("values", "kind", "parsed"),
    [
        (("1", "-20", " 3 "), "int", [1, -20, 3]),
        (("1", "2.50", ".5"), "float", [1.0, 2.5, 0.5]),
        (("1,200", "15", "2,000,000"), "int", [1200, 15, 2_000_000]),
        (("1,200.50", "3"), "float", [1200.5, 3.0]),
        (("$1,200.00", "-$3.10", "($5.00)"), "float", [1200.0, -3.1, -5.0]),
        (("€ 5", "7 €"), "int", [5, 7]),
        (("5%", "12.5 %"), "float", [5.0, 12.5]),
        (("−4", "2"), "int", [-4, 2]),
        (("1.5e-3", "2.0E+10"), "float", [0.0015, 2e10]),
        (("0.30000000000000004", "1"), "float", [0.30000000000000004, 1.0]),
        (("TRUE", "false", ""), "bool", [True, False, None]),
        (("1", "N/A", "–", ""), "int", [1, None, None, None]),
        (("2009-04-09", "2010-1-3"), "date", ["2009-04-09", "2010-01-03"]),
        (("2023-10-14T12:00:00Z", "2023-09-26T16:51:00Z"), "datetime",
         ["2023-10-14T12:00:00Z", "2023-09-26T16:51:00Z"]),
        (("11/16/2023 18:00", "7/7/2023 17:00"), "datetime",
         ["2023-11-16T18:00:00", "2023-07-07T17:00:00"]),
        (("16/11/2023", "07/07/2023"), "date", ["2023-11-16", "2023-07-07"]),
        (("03.04.2020", "01.02.2021"), "date", ["2020-04-03", "2021-02-01"]),
        (("5 March 2020", "12-Sep-2021"), "date", ["2020-03-05", "2021-09-12"]),
        (("Jan. 5, 2020", "September 12, 2021 4:30 pm"), "datetime",
         ["2020-01-05T00:00:00", "2021-09-12T16:30:00"]),
        (("2020-01-05 00:00:00", "2021-01-05"), "date", ["2020-01-05", "2021-01-05"]),
        (("2020-01-05 00:00", "2021-01-05 01:00"), "datetime",
         ["2020-01-05T00:00:00", "2021-01-05T01:00:00"]),
        (("2020-01-05 10:00+0200",), "datetime", ["2020-01-05T10:00:00+02:00"]),
    ],
)  # fmt: skip
def test_reads_what_is_unambiguous(
    values: tuple[str, ...], kind: str, parsed: list[Scalar | None]
) -> None:
    found, read = typed(*values)
    assert (found, read) == (kind, parsed)
    assert [type(value) for value in read] == [type(value) for value in parsed]


@pytest.mark.parametrize(
    "values",
    [
        ("007", "12"),
        ("1", "2", "2V"),
        ("03/04/2020", "05/06/2020"),
        ("13/04/2020", "04/13/2020"),
        ("2020-13-01",),
        ("2020-02-30",),
        ("1.2.3", "1.2.4"),
        ("192.168.100.200",),
        ("1,5", "2,5"),
        ("12345678901234567890",),
        ("12E4", "3E5"),
        ("5%", "5"),
        ("$5", "€5"),
        ("yes", "no"),
        ("12 mm",),
        ("555-1234",),
        ("+ 52.0 s",),
        ("2.02:58.6",),
        ("inf",),
        ("01/02/20",),
        ("Mayor 5, 2020",),
        ("true", "1"),
        ("(5", "6)"),
    ],
)
def test_leaves_everything_else_as_text(values: tuple[str, ...]) -> None:
    kind, read = typed(*values)
    assert kind == "text"
    assert read == list(values)


def test_a_decimal_comma_is_read_only_where_it_is_customary() -> None:
    values = ("1.234,50", "7", "2,5")
    assert typed(*values, decimal_comma=True) == ("float", [1234.5, 7.0, 2.5])
    assert typed(*values)[0] == "text"
    assert typed("1.5", "2.5", decimal_comma=True) == ("float", [1.5, 2.5])


def test_a_column_without_values_has_no_type() -> None:
    assert typed("", "N/A")[0] == "empty"


def test_signs_for_nothing_are_nothing_in_text_columns_but_words_are_kept() -> None:
    assert typed("NA", "DE", "") == ("text", ["NA", "DE", None])
    assert typed("Hose", "N/A", "n/a", "-", "None", "nil") == (
        "text",
        ["Hose", None, None, None, "None", "nil"],
    )
