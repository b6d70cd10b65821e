from typing import Any

import pytest

from pipelines.counting import has_cue
from pipelines.tables import Tables
from tests.pipelines.tables.conftest import ORDERS, MakeTables, read


def is_(column: str, value: object, operator: str = "=") -> dict[str, Any]:
    return {"column": column, "operator": operator, "value": value}


COUNT = {"aggregate": "count"}
BY_ASSET = {"group_by": "Asset"}
MOST = {"order": "descending", "limit": 1}


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("How many work orders are there?", COUNT),
        ("Number of work orders on machine A", {**COUNT, "filters": [is_("Asset", "A")]}),
        ("How many work orders does asset B have?", {**COUNT, "filters": [is_("Asset", "B")]}),
        ("How many hoses were replaced?", {**COUNT, "filters": [is_("Part", "Hose"), is_("Action", "Replace")]}),
        ("How many work orders with part hose and action replace?", None),
        (
            "How many work orders of the hose had the action replaced?",
            {**COUNT, "filters": [is_("Part", "Hose"), is_("Action", "Replace")]},
        ),
        ("How many work orders are done?", {**COUNT, "filters": [is_("Done", True)]}),
        ("What was the total cost in 2010?", {"aggregate": "sum", "column": "Cost", "filters": [is_("Opened", "2010")]}),
        ("What did the work orders cost on average?", {"aggregate": "average", "column": "Cost"}),
        ("What is the mean number of hours?", {"aggregate": "average", "column": "Hours"}),
        ("What was the most expensive work order?", {"aggregate": "maximum", "column": "Cost"}),
        ("Which work order took the fewest hours?", {"aggregate": "minimum", "column": "Hours"}),
        ("What is the lowest cost on machine A?", {"aggregate": "minimum", "column": "Cost", "filters": [is_("Asset", "A")]}),
        ("When was the last work order on machine B?", {"aggregate": "maximum", "column": "Opened", "filters": [is_("Asset", "B")]}),
        ("Which machine had the most work orders?", {**COUNT, **BY_ASSET, **MOST}),
        ("Which asset cost the most?", {"aggregate": "sum", "column": "Cost", **BY_ASSET, **MOST}),
        ("Which two assets have the highest total cost?", {"aggregate": "sum", "column": "Cost", **BY_ASSET, **MOST, "limit": 2}),
        ("Top 2 machines by number of work orders", {**COUNT, **BY_ASSET, **MOST, "limit": 2}),
        ("Average cost per asset", {"aggregate": "average", "column": "Cost", **BY_ASSET}),
        ("How many work orders per year?", {**COUNT, "group_by": "Opened", "period": "year"}),
        ("In which month were the most work orders?", {**COUNT, "group_by": "Opened", "period": "month", **MOST}),
        ("How many work orders cost more than $100?", {**COUNT, "filters": [is_("Cost", 100, ">")]}),
        ("How many work orders with at least 3 hours?", {**COUNT, "filters": [is_("Hours", 3, ">=")]}),
        ("How many work orders had hours of at least three?", {**COUNT, "filters": [is_("Hours", 3, ">=")]}),
        ("How many work orders cost between 20 and 100?", {**COUNT, "filters": [is_("Cost", (20, 100), "between")]}),
        ("How many work orders between February 2010 and 2011?", {**COUNT, "filters": [is_("Opened", ("2010-02", "2011"), "between")]}),
        ("How many work orders were opened before 9 March 2011?", {**COUNT, "filters": [is_("Opened", "2011-03-09", "<")]}),
        ("How many work orders mention 'burst' in the note?", {**COUNT, "filters": [is_("Note", "burst", "contains")]}),
        ("How many different parts are there?", {"aggregate": "distinct", "column": "Part"}),
        ("How many machines are there?", {"aggregate": "distinct", "column": "Asset"}),
        ("How many work orders were not on machine A?", {**COUNT, "filters": [is_("Asset", "A", "!=")]}),
        ("How many work orders aren't done yet?", {**COUNT, "filters": [is_("Done", False)]}),
        ("How many undone work orders are there?", {**COUNT, "filters": [is_("Done", False)]}),
        ("How many work orders on machine A and done?", {**COUNT, "filters": [is_("Asset", "A"), is_("Done", True)]}),
        ("How many work orders cost over .5?", {**COUNT, "filters": [is_("Cost", 0.5, ">")]}),
        ("How many work orders cost over 0.125?", {**COUNT, "filters": [is_("Cost", 0.125, ">")]}),
        ("How many work orders cost over 1.000?", None),
        ("Can you tell me the total cost?", {"aggregate": "sum", "column": "Cost"}),
        ("Could I see the total cost?", {"aggregate": "sum", "column": "Cost"}),
        ("How many work orders are from 2010?", {**COUNT, "filters": [is_("Opened", "2010")]}),
        ("How many work orders from 2010 on?", {**COUNT, "filters": [is_("Opened", "2010", ">=")]}),
        ("How many work orders from January 2010 onwards on machine A?", {**COUNT, "filters": [is_("Asset", "A"), is_("Opened", "2010-01", ">=")]}),
        ("How many work orders cost between 100 and 20?", {**COUNT, "filters": [is_("Cost", (20, 100), "between")]}),
        ("How many work orders between 2011 and February 2010?", {**COUNT, "filters": [is_("Opened", ("2010-02", "2011"), "between")]}),
        ("How many work orders were carried out on A?", {**COUNT, "filters": [is_("Asset", "A")]}),
        ("What is the highest cost of a single work order?", {"aggregate": "maximum", "column": "Cost"}),
        ("Which asset cost the most overall?", {"aggregate": "sum", "column": "Cost", **BY_ASSET, **MOST}),
        ("Which asset had the fewest hours?", {"aggregate": "sum", "column": "Hours", **BY_ASSET, **MOST, "order": "ascending"}),
        ("Which asset had the most work orders with at least 3 hours?", {**COUNT, "filters": [is_("Hours", 3, ">=")], **BY_ASSET, **MOST}),
        ("Which part appears the most?", {**COUNT, "group_by": "Part", **MOST}),
        ("How many work orders over $100 were done?", {**COUNT, "filters": [is_("Done", True), is_("Cost", 100, ">")]}),
    ],
)  # fmt: skip
def test_a_question_is_the_query_that_it_asks_for(
    orders: Tables, question: str, query: dict[str, Any] | None
) -> None:
    found = read(orders, question).query
    if query is None:
        assert found is None
        return
    assert found is not None, read(orders, question)
    wanted = {"table": "machine_work_orders", **query}
    assert found.model_dump(exclude_defaults=True) | {"aggregate": found.aggregate} == {
        key: tuple(
            {name: part for name, part in one.items() if (name, part) != ("operator", "=")}
            for one in value
        )
        if key == "filters"
        else value
        for key, value in wanted.items()
    }


@pytest.mark.parametrize(
    "question",
    [
        "How many work orders are still open on machine A?",
        "How many work orders were not on machine A or B?",
        "How many work orders were not on machine A and done?",
        "How many work orders were done and not done?",
        "How many work orders are for the hose and the pump?",
        "What are the highest and the lowest cost?",
        "How many work orders are not the most expensive?",
        "How many work orders have no cost?",
        "How many work orders were done in 2010?",
        "How many work orders are over 100?",
        "How many work orders were on machine A or B?",
        "How many more work orders has machine A than machine B?",
        "How many work orders were there on machine Z?",
        "How many work orders were there in 2031?",
        "How many work orders will there be in 2010?",
        "How many work orders for a?",
        "What share of the work orders was on machine A?",
        "What is the median cost of a work order?",
        "What is the average cost of a machine?",
        "What is the average number of work orders per machine?",
        "Which machine has the highest cost?",
        "What was the total cost of labour?",
        "How many work orders without a cost are there?",
        "How many work orders were there in the last year?",
        "How many work orders were there in the first half of 2010?",
        "Who had the most work orders?",
        "What is the highest total cost?",
        "Which asset costs the most per work order?",
        "How many work orders per hours?",
        "total cost 2010",
        "What is the highest total cost of a machine?",
        "Which asset has an average cost over 100?",
        "Which asset has the highest average cost below 100?",
        "How many entries are there?",
        "How many people work here?",
        "What does the note of the last work order say?",
        "Replaced hose",
        "",
        "?",
        "how many " * 300,
        "What is the highest, the lowest cost?",
        "What is the total of the top 2 costs?",
        "How many top assets had work orders?",
        "How many work orders cost over " + "9" * 5000,
        "How many work orders cost over " + "9" * 400 + ".5",
        "How many work orders " + "over $1 " * 17,
        "'" * 100,
    ],
)
def test_what_is_not_all_accounted_for_is_not_guessed(orders: Tables, question: str) -> None:
    assert read(orders, question).query is None


INVOICES = """Invoice,Customer,Date,Amount,Paid
INV-1,Acme GmbH,2024-01-12,"$1,250.00",yes
INV-2,Borealis AG,2024-02-03,"$980.50",No
INV-3,Acme GmbH,2024-02-17,"$2,500.00",yes
"""


def test_a_column_called_as_the_rows_are_names_them(make_tables: MakeTables) -> None:
    tables = make_tables(invoices__csv=INVOICES)
    of_acme = read(tables, "How many invoices are there for Acme GmbH?").query
    assert of_acme is not None
    assert of_acme.aggregate == "count"
    in_february = read(tables, "What is the total amount of invoices in February 2024?").query
    assert in_february is not None
    assert in_february.column == "Amount"
    unpaid = read(tables, "How many invoices are not paid?").query
    assert unpaid is not None
    assert unpaid.filters[0].value is False


def test_a_column_that_repeats_itself_does_not_name_the_rows(make_tables: MakeTables) -> None:
    tables = make_tables(invoices__csv=INVOICES.replace("INV-3", "INV-1"))
    counted = read(tables, "How many invoices are there?").query
    assert counted is not None
    assert counted.aggregate == "distinct"


def test_who_does_not_have_something_is_open_where_cells_are_empty(make_tables: MakeTables) -> None:
    tables = make_tables(invoices__csv=INVOICES.replace(",No", ","))
    found = read(tables, "How many invoices are not paid?")
    assert found.query is None
    assert found.unclear == "rows without Paid may be meant, too, of the table invoices"


def test_who_is_employed_is_called_several_ways(make_tables: MakeTables) -> None:
    tables = make_tables(staff__csv="Name,City\nAnna,Berlin\nBo,Berlin\nEva,Paris\n")
    query = read(tables, "How many staff are in Berlin?").query
    assert query is not None
    for called in ("employees", "workers", "people"):
        assert read(tables, f"How many {called} are in Berlin?").query == query
    assert read(tables, "How many customers are in Berlin?").query is None


def test_who_asks_for_a_row_of_people_only(make_tables: MakeTables) -> None:
    tables = make_tables(
        employees__csv="Name,Team,Salary\nAnna,Sales,52000\nBo,Sales,61000\nEva,Support,96000\n"
    )
    highest = read(tables, "Who has the highest salary in Sales?").query
    assert highest is not None
    assert (highest.aggregate, highest.filters[0].value) == ("maximum", "Sales")
    people = read(tables, "How many people work in Sales?").query
    assert people is not None
    assert people.aggregate == "count"
    assert read(make_tables(bills__csv=INVOICES), "Who has the highest amount?").query is None


@pytest.mark.parametrize(
    "question", ["What is my highest salary?", "What highest salary do I get?"]
)
def test_whose_rows_are_meant_by_the_asker_is_open(make_tables: MakeTables, question: str) -> None:
    tables = make_tables(employees__csv="Name,Salary\nAnna,52000\nBo,61000\n")
    found = read(tables, question)
    assert found.query is None
    assert "it cannot be told which rows" in found.unclear


@pytest.mark.parametrize(
    ("question", "unit"),
    [
        ("How many work orders cost over €50?", "€ is not the unit of Cost"),
        ("How many work orders cost over 50%?", "% is not the unit of Cost"),
        ("How many work orders with hours over $2?", "$ is not the unit of Hours"),
        ("How many work orders cost between $5 and €9?", "€ is not the unit of Cost"),
    ],
)
def test_other_units_than_the_column_s_are_not_compared(
    orders: Tables, question: str, unit: str
) -> None:
    found = read(orders, question)
    assert found.query is None
    assert found.unclear == f"{unit} of the table machine_work_orders"


def test_a_column_may_name_its_unit(make_tables: MakeTables) -> None:
    tables = make_tables(bills__csv="id,Price (EUR)\n1,50\n2,60\n")
    assert read(tables, "How many bills with a price over €55?").query is not None
    assert read(tables, "How many bills with a price over $55?").query is None


def test_what_two_columns_hold_has_to_be_named(make_tables: MakeTables) -> None:
    tables = make_tables(jobs__csv="id,System,Place\n1,Bucket,Boom\n2,Arm,Bucket\n3,Arm,Boom\n")
    unclear = read(tables, "How many jobs were on the bucket?")
    assert unclear.query is None
    assert unclear.unclear == '"bucket" may be System or Place of the table jobs'
    named = read(tables, "How many jobs were on the bucket place?").query
    assert named is not None
    assert [one.column for one in named.filters] == ["Place"]


def test_two_tables_that_fit_alike_are_told_apart_or_given_up(make_tables: MakeTables) -> None:
    tables = make_tables(
        orders_old__csv=ORDERS, orders_new__csv=ORDERS.replace("201", "202"), jobs__csv=ORDERS
    )
    assert read(tables, "What was the total cost?").unclear.startswith("it may be about the table")
    named = read(tables, "What was the total cost of the jobs?").query
    assert named is not None
    assert named.table == "jobs"
    dated = read(tables, "What was the total cost of jobs in 2010?").query
    assert dated is not None
    assert read(tables, "How many jobs were there in 2020?").query is None


def test_of_several_dates_one_has_to_be_named(make_tables: MakeTables) -> None:
    tables = make_tables(
        jobs__csv="id,StartDate,EndDate\n1,2020-01-01,2020-02-02\n2,2021-01-01,2021-01-05\n"
    )
    assert read(tables, "How many jobs were there in 2020?").query is None
    named = read(tables, "How many jobs had a start date in 2020?").query
    assert named is not None
    assert named.filters[0].column == "StartDate"


def test_what_a_table_is_asked_and_does_not_know_is_told(orders: Tables) -> None:
    reading = read(orders, "How many work orders are overdue?")
    assert reading.about == "machine_work_orders"
    assert reading.reason == '"overdue" is neither in the table nor a known word'
    assert read(orders, "How many chores had asset B?").about == "machine_work_orders"
    assert read(orders, "What does U/S mean in a work order?").about == ""


@pytest.mark.parametrize(
    ("question", "cue"),
    [
        ("How many orders?", True),
        ("the TOTAL cost", True),
        ("Who approves leave?", False),
        ("What does PM01 mean?", False),
        ("Where do I account for it?", False),
    ],
)
def test_most_questions_are_told_by_a_glance(question: str, cue: bool) -> None:
    assert has_cue(question) is cue


def test_what_lasts_is_not_dated_by_a_column_that_is_not_named(make_tables: MakeTables) -> None:
    tables = make_tables(employees__csv="Name,Start Date\nAnn,2015-03-01\nBob,2010-06-15\n")
    assert read(tables, "How many employees were there in 2015?").query is None
    assert read(tables, "How many employees per year?").query is None
    started = read(tables, "How many employees started in 2015?").query
    assert started is not None
    assert started.filters[0].column == "Start Date"


def test_rows_that_stand_for_several_pieces_are_not_counted(make_tables: MakeTables) -> None:
    tables = make_tables(parts__csv="No,Kind,Qty on Hand\n1,Hose,12\n2,Pump,0\n3,Hose,5\n")
    for question in ("How many hoses are there in parts?", "How many parts are there?"):
        assert "add up Qty on Hand" in read(tables, question).unclear
    added = read(tables, "What is the total qty on hand?").query
    assert added is not None
    assert added.aggregate == "sum"
