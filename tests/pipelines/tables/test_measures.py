import pytest

from tests.pipelines.tables.conftest import MakeTables, read

DEALS = "Deal,Client,Amount,Hours,Currency\n1,Ann,100,1,USD\n2,Bob,200,2,EUR\n3,Cid,50,3,USD\n"
PRODUCTS = "Product,Category,Unit Price,Line Total,Quantity,Room Number\nHammer,Tools,10.5,21,2,12\nDrill,Tools,99.9,99.9,1,14\n"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What is the total amount of deals?", "Amount is in USD, EUR: name the Currency"),
        ("What is the average amount per client?", "Amount is in USD, EUR: name the Currency"),
        ("Which currency has the highest total amount?", "Amount is in USD, EUR: name the Currency"),
        ("What is the highest amount of deals?", "Amount is in USD, EUR: name the Currency"),
        ("What is the total amount per currency?", ""),
        ("What is the total amount in USD?", ""),
        ("What are the total hours of deals?", ""),
        ("How many deals are there?", ""),
    ],
)  # fmt: skip
def test_amounts_of_several_currencies_are_not_added(
    make_tables: MakeTables, question: str, reason: str
) -> None:
    found = read(make_tables(deals__csv=DEALS), question)
    assert (found.query is None) == bool(reason)
    assert found.unclear == (f"{reason} of the table deals" if reason else "")


def test_a_unit_may_be_a_flat(make_tables: MakeTables) -> None:
    flats = make_tables(flats__csv="id,Unit,Rent\n1,A1,500\n2,B2,700\n")
    assert read(flats, "What is the total rent?").query is not None
    stock = make_tables(stocks__csv="id,Unit,Weighed\n1,kg,500\n2,pcs,700\n")
    assert "name the Unit" in read(stock, "What is the total weighed of stocks?").unclear


@pytest.mark.parametrize(
    ("question", "is_read"),
    [
        ("What is the total unit price of products?", False),
        ("Which category has the highest total unit price?", False),
        ("What is the average unit price of products?", True),
        ("What is the total line total of products?", True),
        ("What is the total room number of products?", False),
        ("What is the highest room number of products?", True),
    ],
)
def test_prices_of_one_piece_and_numberings_have_no_sum(
    make_tables: MakeTables, question: str, is_read: bool
) -> None:
    found = read(make_tables(products__csv=PRODUCTS), question)
    assert (found.query is not None) is is_read, found
