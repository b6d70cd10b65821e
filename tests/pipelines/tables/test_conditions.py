import pytest

from tests.pipelines.tables.conftest import MakeTables, read

TICKETS = """Ticket,Created,Status,On Time,In Stock,Service Due
1,2023-01-02,Open,yes,yes,no
2,2023-02-02,Closed,no,no,yes
3,2024-03-02,Closed,yes,no,no
"""


@pytest.mark.parametrize(
    "question",
    [
        "How many tickets were closed in 2023?",
        "How many tickets were not closed in 2023?",
        "How many tickets were opened in 2023?",
        "How many tickets were open in 2023?",
        "How many tickets were not open in 2023?",
        "How many tickets were closed per month?",
        "Which month had the most tickets closed?",
        "When was the last ticket closed?",
        "How many tickets were on time in 2023?",
        "How many tickets created from 2023?",
        "How many tickets from 2023 on time?",
        "How many tickets from 2023-01-02?",
        "How many tickets are single?",
        "How many tickets are out?",
        "How many tickets are out of service?",
        "How many tickets are common?",
        "How many tickets work?",
    ],
)
def test_what_may_have_been_at_another_time_or_place_is_not_guessed(
    make_tables: MakeTables, question: str
) -> None:
    assert read(make_tables(tickets__csv=TICKETS), question).query is None


@pytest.mark.parametrize(
    ("question", "filters"),
    [
        ("How many closed tickets were there in 2023?", {"Status": "Closed", "Created": "2023"}),
        ("How many tickets with status closed in 2023?", {"Status": "Closed", "Created": "2023"}),
        ("How many tickets from 2023 are closed?", {"Status": "Closed", "Created": "2023"}),
        ("How many tickets are closed?", {"Status": "Closed"}),
        ("How many tickets are on time?", {"On Time": True}),
        ("How many tickets are out of stock?", {"In Stock": False}),
        ("How many tickets are not in stock?", {"In Stock": False}),
        ("How many tickets are in stock?", {"In Stock": True}),
    ],
)
def test_what_is_so_is_a_condition(
    make_tables: MakeTables, question: str, filters: dict[str, object]
) -> None:
    query = read(make_tables(tickets__csv=TICKETS), question).query
    assert query is not None
    assert {one.column: one.value for one in query.filters} == filters
