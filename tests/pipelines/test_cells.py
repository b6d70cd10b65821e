import pytest

from pipelines.cells import names_more, telling_cells

ROW = (
    "2277 | Date: 2008-07-01 | Asset: D | Text: mcv servo hose leak PIRTEK | Type: PM01 | "
    "Cost: 848.28 | Hours: 3.0 | System: Hydraulic System | Rule: Rule_1_3_54"
)


def told(question: str, row: str, very: str) -> tuple[str, str]:
    start = row.index(very)
    text, (first, last) = telling_cells(question, row, (start, start + len(very)))
    return text, text[first:last]


@pytest.mark.parametrize(
    ("question", "very", "text"),
    [
        (
            "What did the servo hose of D cost?",
            "848.28",
            "Asset: D | Text: mcv servo hose leak PIRTEK | Cost: 848.28",
        ),
        # Money stays where it may be asked for.
        (
            "How much time did the leak take?",
            "3.0",
            "Asset: D | Text: mcv servo hose leak PIRTEK | Cost: 848.28 | Hours: 3.0",
        ),
        ("Who mended the hose?", "PIRTEK", "Asset: D | Text: mcv servo hose leak PIRTEK"),
        ("Which rule, 1 or 3?", "Rule_1_3_54", "Asset: D | Rule: Rule_1_3_54"),
    ],
)
def test_a_row_is_cut_down_to_what_tells(question: str, very: str, text: str) -> None:
    assert told(question, ROW, very) == (text, very)


def test_the_only_money_of_a_row_answers_what_asks_for_some() -> None:
    for question in ("What were we charged for the leak?", "How much did we pay for the leak?"):
        text = "Asset: D | Text: mcv servo hose leak PIRTEK | Cost: 848.28"
        assert told(question, ROW, "PM01") == (text, "848.28")
    row = "Item: saw | Maker: Ann | Since: May | Rent: $ 12.50"
    assert told("What did we spend on the saw?", row, "Ann")[1] == "$ 12.50"


@pytest.mark.parametrize(
    ("question", "row", "very"),
    [
        ("When was the invoice paid?", "Vendor: A | Ref: 17 | Date: May | Amount: 500", "May"),
        ("Who was paid for the leak?", ROW, "PIRTEK"),
        ("Which firm sent the bill for the leak?", ROW, "PIRTEK"),
        ("What firm was paid for the leak?", ROW, "PIRTEK"),
        ("When did Bill start?", "Name: Bill | Joined: May | Team: Sales | Pay: 3000", "May"),
        ("How much time did the leak of D cost?", ROW, "3.0"),
        ("What did the leak cost?", "Text: leak | Who: Ann | Cost centre: 4711 | Sum: x", "Ann"),
        ("What was charged?", "Text: leak | Who: Ann | Total hours: 3 | Sum: x", "Ann"),
        ("What was charged?", "Text: leak | Who: Ann | Price: n/a, see page 3 | Sum: x", "Ann"),
        ("What was charged?", f"{ROW} | Price: 5.1", "PM01"),
        ("What is the type of what was charged for the leak?", ROW, "PM01"),
    ],
)
def test_what_is_asked_otherwise_is_not_answered_by_money(
    question: str, row: str, very: str
) -> None:
    assert told(question, row, very)[1] == very


def test_an_answer_over_several_cells_keeps_them() -> None:
    assert told("Whose leak?", ROW, "PIRTEK | Type: PM01") == (
        "Asset: D | Text: mcv servo hose leak PIRTEK | Type: PM01",
        "PIRTEK | Type: PM01",
    )


def test_a_row_that_says_nothing_of_what_is_asked_stays_whole() -> None:
    assert told("Who came late?", ROW, "3.0") == (ROW, "3.0")


@pytest.mark.parametrize("very", [" | ", "D | ", " | Text: mcv", ""])
def test_an_answer_that_begins_or_ends_between_cells_stands_within_them(very: str) -> None:
    text, inside = told("What is it for?", ROW, very)
    assert text
    assert inside in text
    assert inside == very.strip(" |")


@pytest.mark.parametrize(
    "text",
    ["Staff have 20 days.", "a | b | c | d", "Name: Ann | Role: fitter", ""],
    ids=["prose", "no names", "short", "empty"],
)
def test_anything_else_stays_whole(text: str) -> None:
    assert telling_cells("Who has days?", text, (0, len(text))) == (text, (0, len(text)))


def test_a_row_without_a_word_of_the_question_does_not_stand_beside_one_that_has_some() -> None:
    asked = "What is the phone number for wages?"
    wages, rota = "Person: Ken | Phone: 207", "Person: Moira | Phone: 204"
    for label in ("Task: ", ""):
        assert names_more(asked, f"{label}Wages | {wages}", f"{label}Rota | {rota}")
        assert not names_more(asked, f"{label}Rota | {rota}", f"{label}Wages | {wages}")
    assert not names_more(asked, f"Wages | {wages}", f"Wages too | {rota}")
    assert not names_more(asked, f"Wages | {wages}", "Wages are paid by Moira.")


def test_a_row_with_more_words_of_the_question_names_more_only_where_it_has_the_others_too() -> (
    None
):
    asked = "What does the oil filter of the van cost?"
    oil, air, van = (
        f"Part: {part} | Price: 27" for part in ("Oil filter", "Air filter", "Van oil")
    )
    assert names_more(asked, oil, air)
    assert not names_more(asked, air, oil)
    assert not names_more(asked, van, oil)
    assert not names_more(asked, oil, van)
