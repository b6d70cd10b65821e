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
