"""Amounts read from text, and compared only where it is plain which is more."""

import pytest

from pipelines.measures import measures, unit_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("it can take 4-6 weeks", ["4 to 6 weeks time"]),
        ("Average time: 2.5–3 months", ["2.5 to 3 months time"]),
        ("within 3 to 10 days", ["3 to 10 days time"]),
        ("reviewed in 3-5 business days", ["3 to 5 business days time"]),
        ("Length/Width: 6601 ft / 60 ft", ["6601 ft length", "60 ft length"]),
        ("1,500 milligrams, or 90 percent", ["1500 milligrams weight", "90 percent %"]),
        ("Level 5: 80 hours", ["5 ", "80 hours time"]),
        ("a 45-day window of two weeks", ["45 day time", "2 weeks time"]),
        ("it costs $69", ["$69 $"]),
        ("Rated Power: 180 hp on runway 17a", ["180 hp power"]),
        ("no number at all", []),
        ("it costs $2 million", ["$2000000 $"]),
        ("from 2 to 2.5 thousand kg", ["2000 to 2500 kg weight"]),
        ("1/2 hour, 1 1/2 days, ½ week, 1/2 to 3 hours", []),
        ("two and a half hours, or 2 days and a half", []),
        ("1,500/2,000 mg, then 3 hours", ["3 hours time"]),
    ],
)
def test_amounts_and_ranges(text: str, found: list[str]) -> None:
    assert [f"{one.text} {one.kind}" for one in measures(text)] == found


@pytest.mark.parametrize(
    ("one", "other", "more"),
    [
        ("2 weeks", "10 days", True),
        ("10 days", "2 weeks", False),
        ("4-6 weeks", "5 weeks", None),
        ("7 days", "5 business days", None),
        ("3 days", "3 days", None),
        ("3 km", "3 hours", None),
        ("620 hp", "100 kW", True),
        ("10 percent", "9.5 %", True),
        ("$2 million", "$900,000", True),
        ("12 months", "1 year", None),
        ("4 hours per week", "8 hours per month", None),
        ("4 hours per week", "8 hours", None),
        ("20 days of paid leave a year", "25 days each year", False),
        ("4 hours every week", "3 hours/week", True),
    ],
)
def test_which_is_more_is_told_only_where_it_is_plain(
    one: str, other: str, more: bool | None
) -> None:
    (first,), (second,) = measures(one), measures(other)
    assert first.exceeds(second) is more


def test_a_rate_says_what_it_is_for() -> None:
    found = measures("5 g every 2 weeks, 60 km/h, or $20 an hour")
    assert [one.per for one in found] == ["2 week", "", "hour", "hour"]


def test_units() -> None:
    assert (unit_of("Weeks"), unit_of("hp"), unit_of("people")) == ("time", "power", None)
