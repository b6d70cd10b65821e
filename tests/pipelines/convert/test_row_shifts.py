from pipelines.convert.row_shifts import ShiftFinder

ROWS = [
    ["1", "HOSES", "Leak", "0", "Rule_1"],
    ["2", "HYD, CONTROLS", "Leak", "1", "Rule_2"],
    ["3", "BUCKET", "", "0", "Rule_1"],
]


def test_joins_the_value_that_a_separator_cut_in_two() -> None:
    finder = ShiftFinder(ROWS, 5, ",")
    assert finder.mend(["4", "HYD", " CONTROLS", "Leak", "0", "Rule_2"]) == [
        "4", "HYD, CONTROLS", "Leak", "0", "Rule_2",
    ]  # fmt: skip


def test_leaves_a_row_alone_where_no_place_fits_better_than_the_others() -> None:
    finder = ShiftFinder([["a", "b"], ["c", "d"]], 2, ",")
    assert finder.mend(["x", "y", "z"]) is None
    assert finder.mend(["1", "2", "3", "4"]) is None


def test_a_row_in_line_stays() -> None:
    assert ShiftFinder(ROWS, 5, ",").mend(["7", "BUCKET", "Leak", "1", "Rule_1"]) is None
