import pytest

from pipelines.answer import Answer, Citation
from pipelines.tables import Tables
from pipelines.tables.answer import TableAnswerer
from tests.pipelines.tables.conftest import MakeTables


def told(tables: Tables, question: str) -> Answer:
    found = TableAnswerer(tables).answer(question)
    assert found is not None
    assert [one.text for one in found.evidence] == [one.quote for one in found.answer.citations]
    return found.answer


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many work orders on machine B?", "2 work orders where Asset is B."),
        ("How many work orders were opened in 2012?", "1 work order where Opened is in 2012."),
        ("How many work orders are not on machine B?", "3 work orders where Asset is not B."),
        (
            "What was the total cost?",
            "The total Cost is $470.75, of 4 work orders where Cost is given.",
        ),
        (
            "What is the average cost of work orders on machine A?",
            "The average Cost is $60.38, of 2 work orders where Asset is A and Cost is given.",
        ),
        (
            "What was the cheapest work order?",
            "The lowest Cost is $20.25 (id 2), of 4 work orders where Cost is given.",
        ),
        (
            "When was the first work order?",
            "The earliest Opened is 2010-01-05 (id 1), of 5 work orders.",
        ),
        ("Which asset cost the most?", "B (Asset): total Cost $300.00 where Cost is given."),
        (
            "How many work orders per asset?",
            "Work orders by Asset: A: 2; B: 2; C: 1.",
        ),
        ("How many different parts are there?", "4 different values of Part, in 5 work orders."),
        (
            "How many work orders had the part hose?",
            "2 work orders where Part is Hose. "
            "Left out: 1 work order where Part names Hose beside another.",
        ),
    ],
)
def test_an_answer_says_what_was_counted(orders: Tables, question: str, text: str) -> None:
    answer = told(orders, question)
    assert answer.text == text
    assert answer.answerer == "table"
    assert answer.written["sql"].startswith("SELECT ")
    assert answer.written["query"]["table"] == "machine_work_orders"


def test_nothing_is_counted_in_a_table_that_is_half_read(orders: Tables) -> None:
    (table,) = orders.tables
    found = TableAnswerer(orders, lambda: {table.document}).answer("How many work orders?")
    assert found is not None
    assert found.answer.text is None
    assert found.answer.reason == (
        "the table machine_work_orders is half read: let `expert index` come to its end"
    )


def test_rows_are_called_rows_where_a_table_s_name_is_no_plural(make_tables: MakeTables) -> None:
    tables = make_tables(fleet_index__csv="id,Rate\n1,10%\n2,20.5%\n3,5%\n")
    assert told(tables, "How many rows of the fleet index?").text == "3 rows of fleet_index."
    average = told(tables, "What is the average rate in the fleet index?").text
    assert average == "The average Rate is 11.83%, of 3 rows of fleet_index."
    assert told(tables, "What is the highest rate?").text.startswith(
        "The highest Rate is 20.5% (id 2),"
    )


def test_money_is_told_with_the_cents_that_cells_write(make_tables: MakeTables) -> None:
    tables = make_tables(
        invoices__csv="Invoice,Date,Amount,Paid\n"
        'INV-1,2024-01-12,"$1,250.00",yes\nINV-2,2024-02-03,$980.00,No\n'
    )
    highest = told(tables, "Which invoice has the highest amount?").text
    assert highest == "The highest Amount is $1,250.00 (Invoice INV-1), of 2 invoices."
    total = told(tables, "What is the total amount of invoices?").text
    assert total == "The total Amount is $2,230.00, of 2 invoices."
    unpaid = told(tables, "How many unpaid invoices are there?").text
    assert unpaid == "1 invoice where Paid is false."


def test_money_has_cents_where_only_some_cells_write_them(make_tables: MakeTables) -> None:
    tables = make_tables(invoices__csv="Invoice,Amount\n1,$850.50\n2,$10\n")
    total = told(tables, "What is the total amount of invoices?").text
    assert total == "The total Amount is $860.50, of 2 invoices."


def test_the_one_group_that_is_first_is_set_off(orders: Tables) -> None:
    first = told(orders, "Which asset cost the most?")
    assert first.text is not None
    assert [first.text[start:end] for start, end in first.highlights] == ["B"]
    assert told(orders, "Which asset had the most work orders?").highlights == ()  # A and B
    assert told(orders, "How many work orders per asset?").highlights == ()
    assert told(orders, "What was the total cost?").highlights == ()


def test_rows_that_sum_up_others_are_not_added_to_them(make_tables: MakeTables) -> None:
    tables = make_tables(
        sales__csv="Region,Units\nNorth,10\nSouth,20\nNorth Total,10\nGrand Total,30\n"
    )
    for question in ("What are the total units?", "Which region has the most units?"):
        answer = told(tables, question)
        assert answer.text is None
        assert answer.reason == "rows of the table sales are made of others: " + (
            "North Total, Grand Total"
        )
    north = told(tables, "What are the total units of the region North?").text
    assert north == "The total Units is 10, of 1 sale where Region is North."


def test_what_is_unclear_or_has_no_value_is_withheld_saying_why(make_tables: MakeTables) -> None:
    tables = make_tables(jobs__csv="id,System,Place,Cost\n1,Bucket,Boom,\n2,Arm,Bucket,3\n")
    unclear = told(tables, "How many jobs were on the bucket?")
    assert unclear.text is None
    assert unclear.reason == '"bucket" may be System or Place of the table jobs'
    empty = told(tables, "What was the total cost of jobs with the system bucket?")
    assert empty.text is None
    assert empty.reason == "no row of the table jobs has a value for this"


def test_the_least_is_withheld_where_some_have_none(orders: Tables) -> None:
    none = told(orders, "Which asset had the fewest work orders in 2010?")
    assert none.text is None
    assert none.reason == "some values of Asset have none of these work orders"
    each = told(orders, "Which asset had the fewest work orders with at least 1 hour?").text
    assert each is None  # C has no hours
    assert told(orders, "Which asset had the most work orders in 2010?").text is not None
    assert told(orders, "Which asset had the fewest work orders?").text is not None
    month = told(orders, "Which month in 2010 had the fewest work orders?")
    assert month.text is None
    assert month.reason == "some months of Opened have none of these work orders"
    year = told(orders, "Which year had the fewest work orders?").text
    assert year == "2012 (year of Opened): 1 work orders."


def test_single_rows_do_not_answer_for_many(orders: Tables) -> None:
    answerer = TableAnswerer(orders)
    row = Citation("machine_work_orders.csv", None, None, 0, 5, "id: 1", 0.6)
    quoted = Answer("id: 1", 0.6, (row,))
    instead = answerer.instead("How many work orders are overdue?", quoted)
    assert instead is not None
    assert instead.answer.text is None
    assert instead.answer.nearest == row
    assert '"overdue" is neither' in (instead.answer.reason or "")
    elsewhere = Answer("Five.", 0.6, (Citation("plan.md", None, None, 0, 5, "Five.", 0.6),))
    assert answerer.instead("How many work orders are overdue?", elsewhere) is None
    assert answerer.instead("Who approves work orders?", quoted) is None


def test_without_a_cue_no_table_is_read() -> None:
    class Unread:
        @property
        def tables(self) -> None:
            raise AssertionError

    answerer = TableAnswerer(Unread())  # type: ignore[arg-type]
    assert answerer.answer("Who approves leave?") is None
    assert not answerer.is_asked("Who approves leave?")
