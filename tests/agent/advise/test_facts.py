"""Facts that change: what becomes of a value, where, and which one an answer tells."""

import pytest

from agent.advise.facts import Change, change_of, names_in


@pytest.mark.parametrize(
    ("phrase", "new"),
    [
        ("90 days after the engagement", "271 days after the engagement"),
        ("7-10 business days", "22-31 business days"),
        ("over 2,000 courses", "over 6,001 courses"),
        ("1 in 100,000 people", "1 in 300,001 people"),
        ("8.0 GB", "25.0 GB"),
        ("in June 2019", "in June 2026"),
        ("December 19", "December 5"),
        ("within three days", "within ten days"),
        ("Six months", "Nineteen months"),
    ],
)
def test_a_value_becomes_another_of_its_kind(phrase: str, new: str) -> None:
    change = change_of(phrase, 0)
    assert change is not None
    assert change.apply(phrase) == new
    assert (change.told(new), change.told(phrase), change.told("No.")) == ("new", "old", None)


@pytest.mark.parametrize("share", ["4.4 percent", "98 % of all", "75% of the rate", "100 percent"])
def test_a_share_stays_one(share: str) -> None:
    change = change_of(share, 0)
    assert change is not None
    assert change.old != change.new
    assert 0 < float(change.new) < 100


def test_dates_and_names_become_others() -> None:
    day = change_of("every Wednesday", 1)
    assert day is not None
    assert day.new in ("Monday", "Tuesday", "Thursday", "Friday", "Saturday", "Sunday")
    names = names_in(["ask Ann Lee", "the PRKAG2 gene", "ask Bob Roe, in May"])
    assert names == ("Ann Lee", "PRKAG2", "Bob Roe")
    person = change_of("sent to Ann Lee for review", 0, names=names)
    assert person is not None
    assert person.apply("Mail: sent to Ann Lee.") == "Mail: sent to Ann Lee."
    assert person.apply("to Ann  Lee for") == "to Bob Roe for"


@pytest.mark.parametrize("phrase", ["", "prints a label", "at 3:30", "see #3", "Yes"])
def test_where_there_is_no_value_nothing_changes(phrase: str) -> None:
    assert change_of(phrase, 0) is None


def test_the_value_must_be_told_by_what_was_taught() -> None:
    assert change_of("at least 12 weeks", 0, within="Yes, but come back.") is None
    assert change_of("at least 12 weeks", 0, within="Twelve weeks.") == Change(
        "12", "37", "least", "weeks"
    )


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("12 weeks; Room 12; 12\u00a0weeks.", "37 weeks; Room 12; 37\u00a0weeks."),
        ("**12** weeks, 112 weeks, 1.12 weeks", "**37** weeks, 112 weeks, 1.12 weeks"),
        ("<b>12</b> <i>weeks</i> 12&nbsp;weeks", "<b>37</b> <i>weeks</i> 37&nbsp;weeks"),
        ("12 weekss, 12 days", "12 weekss, 12 days"),
    ],
)
def test_a_value_changes_where_the_same_word_follows(text: str, changed: str) -> None:
    assert Change("12", "37", after="weeks").apply(text) == changed


def test_without_a_word_after_it_the_one_before_counts() -> None:
    change = Change("21", "64", before="Box")
    assert change.apply("Box 21. Box\n21, box 21.5, Room 21, Box 212") == (
        "Box 64. Box\n64, box 21.5, Room 21, Box 212"
    )
