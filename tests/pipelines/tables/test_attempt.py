"""Small tables of one's own, asked about as people ask."""

from typing import Any

import pytest

from pipelines.tables import Tables
from pipelines.tables.links import Vocabulary
from pipelines.tables.wording import tell
from tests.pipelines.tables.conftest import MakeTables, read

PRICES = """Item,Category,Price EUR,In stock,Supplier
City tyre,Tyres,24.90,40,Kenda
Gravel tyre,Tyres,39.50,12,Panaracer
Brake pads,Brakes,9.90,85,Jagwire
Chain,Drivetrain,34.00,7,KMC
Helmet Urban,Helmets,59.00,9,Abus
Helmet Kids,Helmets,39.00,14,Abus
"""
PLAYERS = """shirtNumber,playerName,birthDate,heightCm,goals,feePaid
1,Leon Maric,2009-02-11,188,0,yes
7,Sami Haddad,2009-08-26,172,16,no
9,Noah Price,2010-12-01,169,3,yes
10,Max Whitby,2010-05-30,184,4,no
11,Ivo Petkov,2009-06-12,186,5,yes
12,Finn Aldous,2010-05-30,180,1,yes
"""
TOURS = """Tour,Date,Drv,Km,Wt kg,On time
T1,2025-03-03,Kemal,142,860.5,Y
T2,2025-03-14,Janet,98,1120.0,N
T3,2025-04-02,Kemal,120,95.0,Y
"""
MACHINES = """MACHINE,YEAR BUILT,POWER KW,LAST SERVICE
Lathe,1998,7.5,2025-02-11
Drill,1974,2.2,2023-05-04
Saw,2015,5.5,2025-04-03
"""


def is_(column: str, value: object, operator: str = "=") -> dict[str, Any]:
    return {"column": column, "value": value} | ({"operator": operator} if operator != "=" else {})


COUNT: dict[str, Any] = {"aggregate": "count"}
TYRES = is_("Category", "Tyres")


@pytest.fixture
def small(make_tables: MakeTables) -> Tables:
    return make_tables(
        prices__csv=PRICES, U17_squad__csv=PLAYERS, tours_march__csv=TOURS, MACHINES__csv=MACHINES
    )


@pytest.mark.parametrize(
    ("question", "query"),
    [
        # A column is asked for without its unit, and rows by what names them.
        ("What is the lowest price?", {"aggregate": "minimum", "column": "Price EUR"}),
        ("What is the most expensive item?", {"aggregate": "maximum", "column": "Price EUR"}),
        ("Which item has the highest price?", {"aggregate": "maximum", "column": "Price EUR"}),
        ("How many items are from Abus?", {**COUNT, "filters": (is_("Supplier", "Abus"),)}),
        ("What is the cheapest tyre?", {"aggregate": "minimum", "column": "Price EUR", "filters": (TYRES,)}),
        ("Average price of a helmet", {"aggregate": "average", "column": "Price EUR", "filters": (is_("Category", "Helmets"),)}),
        ("How many items cost more than 30 euros?", {**COUNT, "filters": (is_("Price EUR", 30, ">"),)}),
        # Stock is added up, and so are numbers of what can be.
        ("How many tyres are in stock?", {"aggregate": "sum", "column": "In stock", "filters": (TYRES,)}),
        ("What is the total stock of Kenda?", {"aggregate": "sum", "column": "In stock", "filters": (is_("Supplier", "Kenda"),)}),
        ("How many goals have we scored altogether?", {"aggregate": "sum", "column": "goals"}),
        ("How many km did Kemal drive?", {"aggregate": "sum", "column": "Km", "filters": (is_("Drv", "Kemal"),)}),
        ("Km per driver", {"aggregate": "sum", "column": "Km", "group_by": "Drv"}),
        ("How many goals does a player have on average?", {"aggregate": "average", "column": "goals"}),
        # Rows are listed and ranked.
        ("Which items have less than 10 in stock?", {"filters": (is_("In stock", 10, "<"),)}),
        ("List all items from Abus", {"filters": (is_("Supplier", "Abus"),)}),
        ("tours with more than 900 kg", {"filters": (is_("Wt kg", 900, ">"),)}),
        ("Which players are taller than 183 cm?", {"filters": (is_("heightCm", 183, ">"),)}),
        ("Which of Kemal's tours were on time?", {"filters": (is_("Drv", "Kemal"), is_("On time", True))}),
        ("top 2 items by price", {"column": "Price EUR", "order": "descending", "limit": 2}),
        ("Which two items are the cheapest?", {"column": "Price EUR", "order": "ascending", "limit": 2}),
        ("What are the two heaviest tours?", {"column": "Wt kg", "order": "descending", "limit": 2}),
        # Years that are not said, years in a column of their own, and ages.
        ("How many tours were there in March?", {**COUNT, "filters": (is_("Date", "2025-03"),)}),
        ("How many tours were there on 14 March?", {**COUNT, "filters": (is_("Date", "2025-03-14"),)}),
        ("How many machines were built before 2000?", {**COUNT, "filters": (is_("YEAR BUILT", 2000, "<"),)}),
        ("What's our oldest machine?", {"aggregate": "minimum", "column": "YEAR BUILT"}),
        ("Who is the youngest player?", {"aggregate": "maximum", "column": "birthDate"}),
        ("How many players still have not paid the fee?", {**COUNT, "filters": (is_("feePaid", False),)}),
        ("How many tours were not on time?", {**COUNT, "filters": (is_("On time", False),)}),
    ],
)  # fmt: skip
def test_a_small_table_is_read_as_people_ask_of_it(
    small: Tables, question: str, query: dict[str, Any]
) -> None:
    found = read(small, question)
    assert found.query is not None, found
    assert found.query.model_dump(exclude={"table"}, exclude_defaults=True) == query


@pytest.mark.parametrize(
    "question",
    [
        "How many items are in stock?",  # kinds, or pieces
        "How many tyres were sold?",
        "Which tyre has the best grip?",
        "How many machines broke down in March?",
        "Who is the oldest machine?",
        "How many items have a category?",
        "What is the average shirt number?",
        "How many players have paid and not paid?",
        "top 2 items",
        "Which two suppliers?",
        "How many tours were late?",
    ],
)
def test_what_a_small_table_does_not_tell_is_not_guessed(small: Tables, question: str) -> None:
    assert read(small, question).query is None


def test_a_month_alone_is_of_the_one_year_there_is(make_tables: MakeTables) -> None:
    tables = make_tables(tours__csv=TOURS + "T4,2024-03-02,Kemal,120,95.0,Y\n")
    assert read(tables, "How many tours were there in March?").reason == (
        "it does not say which year"
    )
    assert read(tables, "How many tours were there in March 2024?").query is not None


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Which item has the highest price?", "The highest Price EUR is 59.00 (Item Helmet Urban), of 6 items."),
        ("Which items have less than 10 in stock?", "2 items where In stock is below 10: Chain; Helmet Urban."),
        (
            "top 2 items by price",
            "The 2 with the highest Price EUR, of 6 items: Helmet Urban: 59.00; Gravel tyre: 39.50.",
        ),
        ("Who is the youngest player?", "The latest birthDate is 2010-12-01 (shirtNumber 9, Noah Price), of 6 rows of U17_squad."),
    ],
)  # fmt: skip
def test_rows_are_told_by_what_names_them(small: Tables, question: str, text: str) -> None:
    query = read(small, question).query
    assert query is not None
    result = small.run(query)
    assert tell(result, Vocabulary(result.table)) == text


WRONGLY: dict[str, tuple[str, list[tuple[str, object]]]] = {
    # What each table is asked, and what it must not be read as: None for any query.
    "squad": (
        "Player,Goals,Age,Position\nAnn,3,31,Back\nBob,5,22,Back\nCyd,0,44,Front\n"
        "Dee,1,30,Front\nEve,2,29,Back\nFay,4,25,Front\n",
        [
            ("What is the total goals of the top 2 players?", None),
            ("What is the average age of the top 3 players?", None),
            ("top 3 players by average goals", None),
            ("Age per position", None),
            ("How many players scored?", None),
            ("Who is the youngest player?", None),
            ("Which player has the highest quality?", None),
            ("Goals per position", ("sum", "Goals")),
        ],
    ),
    "donations": (
        "Donor,Date,Donation EUR,Town\nAnn,2025-01-02,20,Ulm\nBob,2025-02-03,50,Ulm\n"
        "Cyd,2025-03-04,70,Bonn\n",
        [
            ("How many donations did we get?", ("count", None)),
            ("How many donations are from Ulm?", ("count", None)),
            ("What is the total donation?", None),
        ],
    ),
    "rooms": (
        "Room no,Floor,Seats\n1,1,8\n2,1,20\n3,2,12\n4,2,30\n5,3,11\n6,3,4\n",
        [
            ("How many floors are there?", None),
            ("How many seats are there?", ("sum", "Seats")),
            ("Floor per room", None),
            ("Which two rooms have over 10 seats?", None),
        ],
    ),
    "weather": (
        "Station,Temp min,Temp max,Cars in,Cars out\nA,3,12,5,6\nB,4,14,7,8\n",
        [
            ("What is the highest temp?", None),
            ("How many cars were there?", None),
            ("What is the highest temp max?", ("maximum", "Temp max")),
        ],
    ),
    "tours": (
        "Tour,Date,Driver,Km\nT1,2025-01-05,Jan,120\nT2,2025-03-06,Jan,142\nT3,2025-04-07,April,98\n",
        [
            ("How many tours were of Jan?", ("count", None)),
            ("How many km for Jan?", ("sum", "Km")),
            ("How many tours were in April?", None),
            ("How many tours from November to February?", None),
            ("How many tours from January to March?", ("count", None)),
            ("How many tours per partner?", None),
        ],
    ),
    "machines": (
        "Machine,Last service,Status\nDrill,2021-05-04,idle\nSaw,2023-05-06,runs\n",
        [
            ("What is our oldest machine?", None),
            ("How many machines were there in 2023?", None),
            ("How many machines are in use?", None),
            ("How many machines stand still?", None),
        ],
    ),
    "shifts": (
        "Date,Person,Role,Hours\n2025-01-02,Ann,Nurse,8\n2025-01-03,Ann,Nurse,8\n"
        "2025-01-04,Bob,Doctor,9\n",
        [("How many nurses are there?", None), ("Hours per role", ("sum", "Hours"))],
    ),
    "sales": (
        "Region,Rep,Sales,Growth %\nNorth,Ann,1200,5\nNorth,Bob,1500,6\nWest,Eva,5000,7\n",
        [
            ("Which region has the most sales?", ("sum", "Sales")),
            ("Sales per region", ("sum", "Sales")),
            ("Which region has the most growth?", None),
        ],
    ),
    "employees": (
        "Name,Rating,Salary,Contract cancelled,Hired\nAnn,4,65000,yes,2023-01-02\n"
        "Bob,2,70000,no,2022-03-04\nCyd,5,90000,no,2021-05-06\n",
        [
            ("How many employees with a rating over 3 earn less than 70000?", None),
            ("How many employees have a contract?", None),
            ("How many employees have a cancelled contract?", ("count", None)),
            ("How many employees did we have at the start of 2023?", None),
            ("How many employees were hired in 2023?", ("count", None)),
            ("What is the total rating?", None),
        ],
    ),
    "assets": (
        "Asset,Type,Value EUR,Depreciation rate,Warranty until\nLaptop,IT,900,33,2026-01-01\n"
        "Server,IT,5200,20,2027-01-01\nDesk,Desk,300,10,2028-01-01\n",
        [
            ("What is the most expensive asset?", None),
            ("How many assets cost more than 200?", None),
            ("What is the newest asset?", None),
            ("How many assets did we have in 2026?", None),
            ("What is the highest value?", ("maximum", "Value EUR")),
        ],
    ),
    "tickets": (
        "Ticket,Opened,Assignee,Status\n101,2024-01-02,Ann,Closed\n102,2024-02-03,Bob,Open\n"
        "103,2023-02-03,Bob,Open\n",
        [
            ("How many tickets are open?", ("count", None)),
            ("How many tickets were opened in 2024?", ("count", None)),
        ],
    ),
    "trips": (
        "Trip,Origin,Destination,Km\n1,Berlin,Hamburg,280\n2,Berlin,Ulm,620\n",
        [
            ("How many trips to Berlin?", None),
            ("How many trips from Berlin?", ("count", None)),
            ("How many trips from Hamburg to Berlin?", None),
        ],
    ),
    "parts": (
        "Part,Qty,Min qty\nBolt,120,50\nNut,30,40\n",
        [("What is the minimum qty?", None), ("What is the total qty?", ("sum", "Qty"))],
    ),
    "tyres": (
        "Tyre,Type,Count\nIce,Winter,10\nSun,Summer,20\nSky,Summer,31\n",
        [("How many summer tyres do we have?", None)],
    ),
    "laps": (
        "Driver,Lap time s,Top speed\nAnn,61.2,180\nBob,59.9,201\nCyd,70.5,170\n",
        [
            ("Which driver has the fastest lap time?", None),
            ("Which driver has the fastest top speed?", ("maximum", "Top speed")),
        ],
    ),
}


@pytest.mark.parametrize(
    ("name", "question", "made"),
    [(name, *asked) for name, (_, each) in WRONGLY.items() for asked in each],
)
def test_what_may_be_read_wrongly_is_not(
    make_tables: MakeTables, name: str, question: str, made: tuple[str, str | None] | None
) -> None:
    tables = make_tables(**{f"{name}__csv": WRONGLY[name][0]})
    query = read(tables, question).query
    assert (None if query is None else (query.aggregate, query.column)) == made


def test_rows_that_sum_up_others_are_neither_listed_nor_ranked(make_tables: MakeTables) -> None:
    tables = make_tables(prices__csv=PRICES + "Total,,206.30,167,\n")
    for question in ("top 2 items by price", "Which items cost more than 30 euros?"):
        query = read(tables, question).query
        assert query is not None
        assert tables.run(query).totals == ("Total",)


def test_how_to_reach_somebody_is_no_name(make_tables: MakeTables) -> None:
    people = "".join(f"P{n},p{n}@example.org,IT\n" for n in range(6))
    tables = make_tables(contacts__csv=f"Name,Email,Department\n{people}")
    assert read(tables, "List all emails in IT").query is None
    assert read(tables, "List all contacts in IT").query is not None


def test_a_state_is_not_a_day_of_the_same_stem(make_tables: MakeTables) -> None:
    tables = make_tables(tickets__csv=WRONGLY["tickets"][0])
    query = read(tables, "How many tickets opened in 2024 are open?").query
    assert query is not None
    assert {one.column: one.value for one in query.filters} == {"Status": "Open", "Opened": "2024"}


def test_a_range_may_go_on_in_a_table_of_other_years(make_tables: MakeTables) -> None:
    tables = make_tables(
        orders_2023__csv="Order,Date\n1,2023-02-01\n2,2023-03-01\n",
        orders_2024__csv="Order,Date\n3,2024-02-01\n4,2024-03-01\n",
    )
    reading = read(tables, "How many orders since 2024-02?")
    assert (reading.query, reading.unclear[:27]) == (None, "it may be about other table")
    assert read(tables, "How many orders in 2024?").query is not None


def test_a_total_may_stand_in_any_column_of_text(make_tables: MakeTables) -> None:
    tables = make_tables(
        turnover__csv="Region,Product,Amount\nNorth,Tea,100\nNorth,Rum,200\nNorth,Total,300\n"
    )
    (table,) = tables.tables
    assert table.totals == {2: "Total"}
