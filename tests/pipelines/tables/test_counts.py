import pytest

from tests.pipelines.tables.conftest import MakeTables, read

LINES = """Order ID,Customer,Product,Cost
1,Ann,Pen,1.5
1,Ann,Ink,7
2,Bob,Pen,1.5
"""
BOOKINGS = """Booking,Room Number,Guest Count,Visit Amount
1,12,2,50
2,14,1,60
3,12,3,70
"""


@pytest.mark.parametrize(
    ("question", "made"),
    [
        ("How many orders are there?", ("distinct", "Order ID")),
        ("How many orders does Ann have?", ("distinct", "Order ID")),
        ("Which customer has the most orders?", ("distinct", "Order ID")),
        ("Orders per customer", ("distinct", "Order ID")),
        ("How many rows of orders are there?", ("count", None)),
        ("How many orders were not of the product pen?", None),
        ("What is the average cost per order?", None),
        ("What was the most expensive order?", None),
        ("What is the total cost of orders?", ("sum", "Cost")),
        ("Which customer ordered the most?", None),
    ],
)
def test_lines_of_an_order_are_not_orders(
    make_tables: MakeTables, question: str, made: tuple[str, str | None] | None
) -> None:
    query = read(make_tables(orders__csv=LINES), question).query
    assert (None if query is None else (query.aggregate, query.column)) == made


@pytest.mark.parametrize(
    ("question", "made"),
    [
        ("How many room numbers are there in bookings?", ("distinct", "Room Number")),
        ("How many different room numbers are there?", ("distinct", "Room Number")),
        ("How many guests were there in bookings?", ("sum", "Guest Count")),
        ("How many visits were there in bookings?", None),
    ],
)
def test_only_a_count_of_things_is_added_up(
    make_tables: MakeTables, question: str, made: tuple[str, str] | None
) -> None:
    query = read(make_tables(bookings__csv=BOOKINGS), question).query
    assert (None if query is None else (query.aggregate, query.column)) == made


@pytest.mark.parametrize(
    ("question", "made"),
    [
        ("Which customer has the most invoices?", ("count", None)),
        ("Which customer has the most paid invoices?", ("count", None)),
        ("Which customer has the highest number of invoices?", ("count", None)),
        ("Which customer invoiced the most?", None),
        ("Which customer paid the most?", None),
        ("Which customer has the most invoices on average?", None),
        ("Which customer has the highest amount overall?", None),
        ("Which invoice has the most amount per customer?", None),
        ("Who has the highest amount in each customer?", None),
        ("Which customer had invoices?", None),
    ],
)
def test_groups_are_compared_by_what_is_named(
    make_tables: MakeTables, question: str, made: tuple[str, str | None] | None
) -> None:
    tables = make_tables(
        invoices__csv="Invoice,Customer,Amount,Status\n1,Acme,5,Paid\n2,Acme,6,Open\n3,Bo,9,Paid\n"
    )
    query = read(tables, question).query
    assert (None if query is None else (query.aggregate, query.column)) == made


GAMES = """Game,Team,Goals Scored,Goals Conceded,Laps
1,Reds,3,1,10
2,Blues,2,2,20
3,Reds,1,0,30
"""


@pytest.mark.parametrize(
    ("question", "made"),
    [
        ("Which team scored the most goals?", ("sum", "Goals Scored")),
        ("Which team did the least number of laps in games?", ("sum", "Laps")),
        ("Which team is listed the most in games?", ("count", None)),
        ("Which team appears most times in games?", ("count", None)),
        ("Which team had the most goals?", None),
        ("How many goals did the Reds get in games?", None),
    ],
)
def test_the_most_may_be_of_what_a_column_has_numbers_of(
    make_tables: MakeTables, question: str, made: tuple[str, str | None] | None
) -> None:
    query = read(make_tables(games__csv=GAMES), question).query
    assert (None if query is None else (query.aggregate, query.column)) == made


def test_ordered_the_most_counts_orders_where_nothing_else_is_to_count(
    make_tables: MakeTables,
) -> None:
    tables = make_tables(orders__csv="id,Customer\n1,Ann\n2,Ann\n3,Bob\n")
    query = read(tables, "Which customer ordered the most?").query
    assert query is not None
    assert (query.aggregate, query.group_by) == ("count", "Customer")
