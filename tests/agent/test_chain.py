"""What a question only describes is asked for first."""

import pytest

from agent.chain import chained


@pytest.mark.parametrize(
    ("question", "first", "then"),
    [
        (
            "How long is the runway of the airport where the Kestrel landed?",
            "At which airport the Kestrel landed?",
            "How long is the runway of Faro?",
        ),
        (
            "How common is the disease in which uric acid builds up?",
            "In which disease uric acid builds up?",
            "How common is Faro?",
        ),
        (
            "Who employs the person who approves travel?",
            "Who approves travel?",
            "Who employs Faro?",
        ),
        (
            "How many seats has the airplane that SOILSERV operates?",
            "Which airplane SOILSERV operates?",
            "How many seats has Faro?",
        ),
    ],
)
def test_two_steps(question: str, first: str, then: str) -> None:
    found = chained(question)
    assert found is not None
    assert (found.first, found.naming("Faro")) == (first, then)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "How long is the runway of Faro?",
        "Who is it that called?",
        "How long must the code be that unlocks my mobile?",
        "I need to ring about the Cessna that flew into a hill. What number?",
    ],
)
def test_what_describes_nothing(question: str) -> None:
    assert chained(question) is None


def test_a_name_is_short_and_new() -> None:
    found = chained("How long is the runway of the airport where the Kestrel landed?")
    assert found is not None
    assert found.name_in(" Faro (FAO).") == "Faro (FAO"
    assert found.name_in("the Kestrel landed") is None
    assert found.name_in("a place that nobody who was there could ever find again") is None


def test_the_second_place_must_be_about_the_thing_named() -> None:
    found = chained("How long is the runway of the airport where the Kestrel landed?")
    assert found is not None
    assert found.is_about("Faro airport", "Faro airport > Runways\nIt is 2,490 m long.")
    assert not found.is_about("Faro airport", "Work order 17: cabin cracking")
