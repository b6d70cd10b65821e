import pytest

from pipelines.tables import Tables
from pipelines.tables.values import Values
from pipelines.tables.words import tokens_of
from tests.pipelines.tables.conftest import MakeTables, read

RESULTS = """Student,Subject,Grade,Country
Ann,Math,A,US
Bob,Math,B,IN
Cid,Art,A,US
"""


@pytest.fixture
def results(make_tables: MakeTables) -> Tables:
    return make_tables(results__csv=RESULTS)


@pytest.mark.parametrize(
    ("question", "filters"),
    [
        ("How many results are from the US?", {"Country": "US"}),
        ("How many US results are there?", {"Country": "US"}),
        ("How many results have an A in Math?", {"Grade": "A", "Subject": "Math"}),
        ("How many results have a student?", None),
        ("A number of results: how many in Math?", None),
        ("How many results have country IN?", {"Country": "IN"}),
        ("How many results are in IN?", None),
        ("How many results are from us?", None),
        ("How many results are from the us?", None),
        ("How many results are from the USA?", None),
        ("HOW MANY RESULTS ARE FROM THE US?", None),
        ("How many results are over 5 A?", None),
        ("Tell us how many results there are", {}),
    ],
)
def test_short_names_are_told_from_words_by_their_capitals(
    results: Tables, question: str, filters: dict[str, str] | None
) -> None:
    query = read(results, question).query
    found = None if query is None else {one.column: one.value for one in query.filters}
    assert found == filters


def test_a_word_that_may_be_a_value_is_no_cue(make_tables: MakeTables) -> None:
    tables = make_tables(tickets__csv="Ticket,Agent,Hours\n1,Max Wu,2\n2,Ann,4\n")
    assert read(tables, "What are the hours of Max?").query is None
    assert read(tables, "What is the max of the hours?").query is not None


@pytest.mark.parametrize(
    ("held", "said", "named"),
    [
        ("Care", "care", True),
        ("Car", "cars", True),
        ("Cars", "car", True),
        ("Bus", "buses", True),
        ("Battery", "batteries", True),
        ("Air_Conditioning", "air conditioning", True),
        ("Drivers Cabin", "drivers cabin", True),
        ("Care", "cars", False),
        ("Care", "caring", False),
        ("Plans", "planes", False),
        ("Open", "opened", False),
        ("Doe", "does", False),
    ],
)
def test_a_value_is_named_by_its_words_and_their_plural(
    make_tables: MakeTables, held: str, said: str, named: bool
) -> None:
    (table,) = make_tables(policies__csv=f"id,Kind\n1,{held}\n2,Other\n").tables
    found = [value for _, value in Values(table).called(tokens_of(said))]
    assert found == ([held] if named else [])


def test_what_was_done_is_named_by_its_verb(make_tables: MakeTables) -> None:
    (table,) = make_tables(jobs__csv="id,Action,Kind\n1,Replace,Use\n2,Repair,Need\n").tables
    values = Values(table)
    for said, found in (("replaced", "Replace"), ("repaired", "Repair"), ("used", "")):
        assert [value for _, value in values.called(tokens_of(said))] == ([found] if found else [])
