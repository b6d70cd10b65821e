from pipelines.convert.extracted import ExtractedBuilder
from pipelines.convert.tables import Cell, add_table, looks_like_header


def rows(table: list[list[Cell]], headers: int | None = None) -> list[str]:
    builder = ExtractedBuilder()
    add_table(builder, table, headers=headers, page=4)
    extracted = builder.build()
    assert all(block.page == 4 for block in extracted.blocks)
    return extracted.text.split("\n") if extracted.text else []


def cells(*rows: str, heading: bool = False) -> list[list[Cell]]:
    return [[Cell(text, heading=heading) for text in row.split("|")] for row in rows]


def test_two_columns_of_one_name_both_keep_it() -> None:
    table = [*cells("Day|Day|Note", heading=True), *cells("Mon|Tue|x")]
    assert rows(table) == ["Day: Mon | Day: Tue | Note: x"]


def test_prose_that_spans_rows_is_not_repeated() -> None:
    long = "word " * 60
    table = [[Cell(long, rows=2), Cell("a")], [Cell("b")]]
    assert rows(table, headers=0) == [f"{long.strip()} | a", "b"]


def test_spans_from_outside_are_bounded() -> None:
    assert rows([[Cell("a", columns=10**9), Cell("b", rows=10**9)]], headers=0) == ["a | b"]


def test_a_table_of_headers_only_keeps_them() -> None:
    assert rows(cells("A|B", heading=True)) == ["A | B"]


def test_an_empty_table_gives_nothing() -> None:
    assert rows([]) == []
    assert rows([[], [Cell("")]]) == []


def test_a_title_across_the_table_is_no_column_name() -> None:
    title = [Cell("Sizes", columns=2, heading=True)]
    table = [title, *cells("W|H", heading=True), *cells("1|2")]
    assert rows(table) == ["Sizes", "W: 1 | H: 2"]


def test_header_by_its_looks() -> None:
    assert looks_like_header(cells("Part|Qty", "Bolt|12", "Nut|7"))
    assert not looks_like_header(cells("Name|Ann", "Office|Berlin"))
    assert not looks_like_header(cells("1|2", "3|4"))
    assert not looks_like_header(cells("Part|Qty"))
