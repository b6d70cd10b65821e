"""What must stand in a source exactly, told from what may be said otherwise."""

import pytest

from pipelines.facts import Quantity, denied, faults, names, quantities

SOURCE = (
    "Full-time staff earn 25 days of annual leave a year. Unused leave is not carried over. "
    "The Excavator EX-17 is greased every 1,500 hours, at 4.0 bar or more. "
    "A claim of up to $2.5 million is paid within ten working days of 1 October 2024."
)


def test_numbers_are_read_with_units_and_bounds_however_they_are_written() -> None:
    assert quantities(SOURCE) == [
        Quantity("25", "day"),
        Quantity("17"),
        Quantity("1500", "hour"),
        Quantity("4", "bar", 1),
        Quantity("2500000", "$", -1),
        Quantity("10", "day", -1),
        Quantity("1"),
        Quantity("2024"),
    ]
    assert quantities("not at least 3 km, over 4 km") == [
        Quantity("3", "km", -2),
        Quantity("4", "km", 2),
    ]
    assert quantities("no more than twenty hrs; not less than 5%; B12, item 3rd") == [
        Quantity("20", "hour", -1),
        Quantity("5", "%", 1),
        Quantity("3"),
    ]


def test_names_are_words_in_capitals_and_codes_but_no_mere_beginnings() -> None:
    assert names("Employees call OPM's desk. The pump EX-17 is in Springfield, I think.") == {
        "opm",
        "ex",
        "17",
        "springfield",
    }


def test_a_bound_in_the_negative_denies_nothing() -> None:
    assert denied("No more than five days may be taken, if not agreed otherwise.") == set()
    assert "carrie" in denied("Leave isn't carried over.")


@pytest.mark.parametrize(
    "claim",
    [
        "25 days",
        "They earn 25 days of leave each year.",
        "Every 1500 hours.",
        "At least 25 days",
        "Unused leave cannot be carried over.",
        "$2,500,000 at most",
        "The EX-17 needs at least 4 bar.",
        "Within 10 days of October 1, 2024",
    ],
)
def test_what_stands_there_in_other_words_has_no_fault(claim: str) -> None:
    assert list(faults(claim, SOURCE, "How many days, and how is an excavator greased?")) == []


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("30 days a year", "30 days does not stand there, but 25 days does"),
        ("25 hours", "25 hours does not stand there, but 25 days does"),
        ("Less than 4 bar", "less than 4 bars does not stand there, but at least 4 bars does"),
        ("More than 4 bar", "more than 4 bars does not stand there, but at least 4 bars does"),
        ("Staff of OPM earn 25 days.", "opm does not stand there"),
        ("It is the EX-18.", "18 does not stand there"),
        ("Unused leave is carried over.", "it leaves out that this is denied there"),
        ("Full-time staff do not earn annual leave.", "it denies what stands there"),
    ],
)
def test_what_is_said_otherwise_is_named(claim: str, said: str) -> None:
    assert said in list(faults(claim, SOURCE))


@pytest.mark.parametrize(
    ("claim", "source", "passes"),
    [
        ("It is Christopher Smith.", "Ask Christine Smith.", False),
        ("It is Christine Smith's.", "Ask Christine Smith.", True),
        ("In Austrian law.", "The law of Austria.", True),
        ("All Managers sign.", "The manager signs.", True),
        ("Ask Ann.", "There is an office.", False),
        ("Ask IT.", "The office has its own.", False),
        ("At least 3 years", "More than 3 years of service", False),
        ("Over 3 years", "More than 3 years of service", True),
        ("No more than 3 years", "At most 3 years of service", True),
        ("Less than 3 years", "Up to 3 years of service", False),
    ],
)
def test_names_and_bounds_are_no_others_that_look_like_them(
    claim: str, source: str, passes: bool
) -> None:
    assert (list(faults(claim, source)) == []) is passes


def test_what_the_question_says_may_be_repeated() -> None:
    assert list(faults("In 2031 it is 25 days at NASA.", SOURCE, "In 2031, at NASA?")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5×6 m", ["5", "6 m"]),
        ("4x6 cm", ["4", "6 cm"]),
        ("US$500 or $1.5bn", ["$500", "$1500000000"]),
        ("90°, or 1½ hours, 1/2 hour, .5 day", ["90", "1.5 hours", "0.5 hours", "0.5 days"]),
        ("on 9/11, 3/4/2024, open 24/7", ["9", "11", "3", "4", "2024", "24", "7"]),
        ("**45 days**, #3, 5+ years, 12*", ["45 days", "3", "5 years", "12"]),
        ("version 1.2.3 of 17a", ["1.2.3", "17 a"]),
        ("twenty-five, thirty days", ["25", "30 days"]),
        (">= 3 V, <5 bar, -> 7", ["at least 3 volts", "less than 5 bars", "7"]),
        ("in the 1990s, 10s, 30 s", ["1990s", "10 seconds", "30 seconds"]),
        ("THE 1990S", ["1990s"]),
    ],
)
def test_signs_and_suffixes_at_numbers_are_read(text: str, found: list[str]) -> None:
    assert [str(one) for one in quantities(text)] == found


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("**45** days", "30 days"),
        ("US$500", "US$400"),
        ("$5bn", "$3bn"),
        ("90°", "15°"),
        ("5+ years", "3+ years"),
        ("1½ hours", "2½ hours"),
        ("1/2 hour", "2 hours"),
        ("5×6 m", "3×4 m"),
        ("**45 days**", "45 hours"),
        ("runway 17a", "runway 17b"),
        ("8 gb", "8TB"),
        ("at 3 pm", "at 3 am"),
        ("≥ 5 bar", "at most 5 bar"),
        ("> 5 bar", "5 bar or less"),
        ("<5 bar", "≤5 bar"),
        ("in the 1990s", "1990 seconds"),
    ],
)
def test_no_figure_passes_for_what_is_glued_to_it(claim: str, source: str) -> None:
    assert list(faults(claim, source))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 years", "5+ years"),
        ("12 units", "12*"),
        ("5kW", "5 kW"),
        ("230V", "230 V"),
        ("8 GB", "8GB"),
        ("3 PM", "3PM"),
        ("5 PM", "5 p.m."),
        ("$5 million", "$5M"),
        ("25 days", "twenty-five days"),
        ("1 1/2 hours", "1½ hours"),
        ("at least 5 bar", "≥5 bar"),
        ("20 μg", "20 mcg"),
        ("90° C", "90°C"),
    ],
)
def test_a_quantity_is_the_same_however_it_is_spaced_and_shortened(one: str, other: str) -> None:
    assert list(faults(one, other)) == list(faults(other, one)) == []


@pytest.mark.parametrize(
    ("claim", "source", "passes"),
    [
        (
            "Contractors may use the company gym at no cost.",
            "Contractors may not use the company gym.",
            False,
        ),
        (
            "Employees may carry over vacation without their manager's approval.",
            "Employees may not carry over vacation.",
            False,
        ),
        ("The pump may not be used.", "The pump may be used at no cost.", False),
        ("Not refundable.", "Deposits are refundable.", False),
        ("Refundable.", "Deposits are not refundable.", False),
        ("Yes, refundable.", "Deposits are not refundable.", False),
        ("Not refundable.", "Deposits are never refundable.", True),
        # What is denied of them is something else.
        ("Monday.", "It is not available before Monday.", True),
        ("A badge.", "You may not enter without a badge.", True),
        ("Use the Form 1040.", "Use the Form No. 1040.", True),
        ("No, staff may carry over 5 days.", "Staff may carry over 5 days.", True),
        ("No, staff may not carry over 5 days.", "Staff may carry over 5 days.", False),
    ],
)
def test_a_denial_is_held_against_what_it_denies(claim: str, source: str, passes: bool) -> None:
    assert (list(faults(claim, source)) == []) is passes
