from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipelines.answer import Answer
from pipelines.tables import Tables
from pipelines.tables.answer import TableAnswerer
from tests.pipelines.tables.conftest import MakeTables
from tests.pipelines.tables.test_attempt import PRICES


@pytest.fixture
def prices(make_tables: MakeTables) -> Tables:
    return make_tables(prices__csv=PRICES)


@pytest.mark.parametrize(
    ("question", "rows", "stays"),
    [
        ("Which supplier is the most reliable?", [0, 1], False),
        ("What is the total weight of the tyres?", [0], False),
        ("Which items do cyclists like?", [4, 5], False),
        ("Which of our items glow?", [4], False),
        # One row's cell may be what is asked for.
        ("How many of Gravel tyre are there in total?", [1], True),
        ("What is the total for KMC, how many?", [3], True),
        ("What does the city tyre cost?", [0], True),
        ("How many city tyres are left?", [0], True),
        ("Which is the youngest supplier?", [1], False),
        ("Which tyre fits a racer?", [0], True),
        # Many rows are of tyres.
        ("How many tyres wear out?", [0, 1], False),
    ],
)
def test_rows_do_not_answer_for_all_of_them(
    prices: Tables, question: str, rows: Sequence[int], stays: bool
) -> None:
    (table,) = prices.tables
    quoted = Answer("Quoted.", 0.8, tuple(table.cite(row) for row in rows))
    instead = TableAnswerer(prices).instead(question, quoted)
    assert (instead is None) is stays
    if instead is not None:
        assert instead.answer.reason is not None
        assert instead.answer.reason.startswith(
            "single rows of the table prices do not answer this"
        )
        assert instead.answer.nearest == quoted.citations[0]


def test_rows_that_meet_a_condition_are_listed_where_some_were_quoted(prices: Tables) -> None:
    (table,) = prices.tables
    quoted = Answer("Quoted.", 0.8, (table.cite(4),))
    answerer = TableAnswerer(prices)
    assert answerer.answer("Which items are from Abus?") is None
    instead = answerer.instead("Which items are from Abus?", quoted)
    assert instead is not None
    assert instead.answer.text == "2 items where Supplier is Abus: Helmet Urban; Helmet Kids."
    assert [piece.text for piece in instead.evidence] == [table.cite(4).quote, table.cite(5).quote]


def test_a_sentence_within_a_row_is_of_that_row(prices: Tables) -> None:
    (table,) = prices.tables
    row = table.cite(2)
    part = replace(row, start=row.start + 7, quote=row.quote[7:])
    instead = TableAnswerer(prices).instead("What is the total weight?", Answer("Q.", 0.8, (part,)))
    assert instead is not None
    assert instead.answer.text is None


def test_what_is_quoted_from_elsewhere_too_stays(prices: Tables) -> None:
    (table,) = prices.tables
    row = table.cite(0)
    cited = (row, row.__class__("guide.md", None, None, 0, 4, "Text", 0.5))
    quoted = Answer("Quoted.", 0.8, cited)
    assert TableAnswerer(prices).instead("What is the total weight?", quoted) is None


def test_a_short_code_names_its_row(make_tables: MakeTables) -> None:
    pitches = "".join(f"C{n},{20 + n},2024-05-0{n}\n" for n in range(1, 9))
    (table,) = (
        tables := make_tables(pitches__csv=f"Pitch No,Rate,Last inspected\n{pitches}")
    ).tables
    quoted = Answer("Quoted.", 0.8, (table.cite(2),))
    assert TableAnswerer(tables).instead("When was C3 last inspected?", quoted) is None
    assert TableAnswerer(tables).instead("When was 3 last inspected?", quoted) is not None


@pytest.mark.parametrize(
    ("question", "stays"),
    [
        ("When was Dan's last review?", True),
        ("When was the last review of Fox?", True),
        ("When was the last review of employee 24?", True),
        ("When was the last review of Lee?", False),  # two are called so
        ("When was the last review?", False),
    ],
)
def test_a_word_that_only_one_row_is_called_by_names_it(
    make_tables: MakeTables, question: str, stays: bool
) -> None:
    staff = "21,Ann Lee,2024-01-02\n22,Bob Lee,2024-01-03\n23,Cyd Roe,2024-01-04\n"
    staff += "24,Dan Fox,2024-01-05\n25,Eva Kim,2024-01-06\n26,Gus Orr,2024-01-07\n"
    tables = make_tables(staff__csv=f"Employee no,Name,Last review\n{staff}")
    (table,) = tables.tables
    quoted = Answer("Quoted.", 0.8, (table.cite(3 if stays else 0),))
    assert (TableAnswerer(tables).instead(question, quoted) is None) is stays


def test_a_very_long_question_is_none_of_a_table(prices: Tables) -> None:
    (table,) = prices.tables
    quoted = Answer("Quoted.", 0.8, (table.cite(0),))
    answerer = TableAnswerer(prices)
    assert answerer.answer("What is the lowest price? " + "-" * 20_000) is None
    assert answerer.instead("-" * 20_000, quoted) is None
