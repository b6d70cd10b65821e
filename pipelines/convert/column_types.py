"""One type for each column of a table, inferred from all of its values.

Conservative: a column is a number, a truth value or a date only if every value that is
not empty reads as one, and only in one way. Identifiers with leading zeros or more digits
than a float holds, ambiguous dates such as 03/04/2020 and numbers with units of measure
stay text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from pipelines.convert.extracted import Scalar, clean

Kind = Literal["empty", "bool", "int", "float", "date", "datetime", "text"]

# What people write into a cell that has no value.
_SIGNS = frozenset({"", "-", "–", "—", "n/a", "#n/a", "\\n"})
# Among words these may be words, or a code such as that of Namibia.
_MISSING = _SIGNS | {"na", "nan", "null", "none", "nil"}
_TRUTH = {"true": True, "false": False}

_MIDNIGHT = "T00:00:00"
_MAX_DIGITS = 15
_UNIT = r"[$€£¥₹]|USD|EUR|GBP|CHF|%"
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+−])?\s?(?P<before>{_UNIT})?\s?(?P<inner>[-−])?"
    rf"(?P<digits>[\d.,'’\u00a0\u202f]*\d|\d+\.)(?P<exponent>[eE][-+]\d{{1,3}})?"
    rf"\s?(?P<after>{_UNIT})?(?P<close>\))?"
)
_STYLES = {
    "plain": (re.compile(r"\d*\.?\d+|\d+\."), "", "."),
    "english": (re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.?\d+"), ",", "."),
    "continental": (
        re.compile(r"\d{1,3}(?:[.'’\u00a0\u202f]\d{3})+(?:,\d+)?|\d+(?:,\d+)?"),
        ".'’\u00a0\u202f",
        ",",
    ),
}

_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_YMD = re.compile(r"(?P<year>\d{4})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<c>\d{1,2})" + _TIME)
_XXY = re.compile(r"(?P<b>\d{1,2})(?P<mark>[-/.])(?P<c>\d{1,2})(?P=mark)(?P<year>\d{4})" + _TIME)
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s)?"
_MONTH = (
    r"(?P<b>January|February|March|April|May|June|July|August|September|October|November"
    r"|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?"
)
_DAY = r"(?P<c>\d{1,2})(?:st|nd|rd|th)?"
_DAY_MONTH = re.compile(
    rf"{_WEEKDAY}{_DAY}[-\s]{_MONTH}[-,]?\s?(?P<year>\d{{4}}){_TIME}", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"{_WEEKDAY}{_MONTH}\s{_DAY},?\s(?P<year>\d{{4}}){_TIME}", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What the values of a column are.

    :param kind: Its name.
    :param parse: Turns a cell's text into its value; None for an empty cell.
    """

    kind: Kind
    parse: Callable[[str], Scalar | None]


def is_missing(value: str) -> bool:
    """Say whether a cell's text stands for no value ("", "N/A", "–" …)."""
    return value.strip().casefold() in _MISSING


class TypeProbe:
    """Sees the values of one column and tells its type.

    :param decimal_comma: The table comes from where "1,5" is a number, as files separated
        by semicolons do.
    """

    def __init__(self, *, decimal_comma: bool = False) -> None:
        self._seen = False
        self._truth = True
        order = ("plain", "continental" if decimal_comma else "english")
        self._styles = list(order)
        self._whole = True
        self._units: set[str] = set()
        self._dates = ["ymd", "mdy", "dmy", "named"]
        self._timed = False

    def see(self, value: str) -> None:
        """Take one cell's text into account; an empty one says nothing."""
        if not (self._truth or self._styles or self._dates) or is_missing(value):
            return
        value = value.strip()
        self._seen = True
        if self._truth:
            self._truth = value.casefold() in _TRUTH
        if self._styles:
            self._see_number(value)
        if self._dates:
            self._see_date(value)

    def _see_number(self, value: str) -> None:
        numbers = {style: _number(value, style) for style in self._styles}
        self._styles = [style for style, number in numbers.items() if number is not None]
        for style in self._styles[:1]:
            number = numbers[style]
            if number is not None:
                self._whole &= isinstance(number[0], int)
                self._units.add(number[1])

    def _see_date(self, value: str) -> None:
        dates = {order: _date(value, order) for order in self._dates}
        self._dates = [order for order, found in dates.items() if found]
        # Midnight everywhere is how programs write a date alone.
        self._timed |= any(found and found[10:] not in ("", _MIDNIGHT) for found in dates.values())

    def column_type(self) -> ColumnType:
        """Return the type that all values seen have."""
        if not self._seen:
            return ColumnType("empty", _text)
        if self._truth:
            return ColumnType("bool", lambda value: _TRUTH.get(value.strip().casefold()))
        named = self._units - {""}
        if self._styles and len(named) <= 1 and ("%" not in named or "" not in self._units):
            style = self._styles[0]
            if self._whole:
                return ColumnType("int", partial(_parse_number, style=style))
            return ColumnType("float", partial(_parse_float, style=style))
        if len(self._dates) == 1:
            kind: Kind = "datetime" if self._timed else "date"
            parse = partial(_parse_date, order=self._dates[0], with_time=self._timed)
            return ColumnType(kind, parse)
        return ColumnType("text", _text)


def _text(value: str) -> str | None:
    return None if value.strip().casefold() in _SIGNS else clean(value) or None


def _number(value: str, style: str) -> tuple[int | float, str] | None:
    """Read a number written in one style; returns it and its currency or percent sign."""
    if value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return None if value[0] == "0" and value != "0" else (int(value), "")
    found = _NUMBER.fullmatch(value)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    pattern, grouping, decimal = _STYLES[style]
    digits = found["digits"]
    if not pattern.fullmatch(digits) or (found["before"] and found["after"]):
        return None
    for sign in grouping:
        digits = digits.replace(sign, "")
    digits = digits.replace(decimal, ".")
    padded = len(digits) > 1 and digits[0] == "0" and digits[1] != "."
    if padded or len(digits.partition(".")[0]) > _MAX_DIGITS:
        return None
    negative = bool(found["open"]) or any(found[s] in ("-", "−") for s in ("sign", "inner"))
    exponent = found["exponent"] or ""
    number = float(digits + exponent) if "." in digits or exponent else int(digits)
    unit = found["before"] or found["after"] or ""
    return -number if negative else number, unit


def _parse_number(value: str, style: str) -> Scalar | None:
    found = None if is_missing(value) else _number(value.strip(), style)
    return found[0] if found else None


def _parse_float(value: str, style: str) -> Scalar | None:
    found = _parse_number(value, style)
    return None if found is None else float(found)


def _date(value: str, order: str) -> str | None:
    """Read a date written in one order of its parts; returns it in ISO 8601."""
    if not 8 <= len(value) <= 48 or not any(map(str.isdigit, value)):
        return None
    if order == "named":
        found = _MONTH_DAY.fullmatch(value) or _DAY_MONTH.fullmatch(value)
    else:
        found = (_YMD if order == "ymd" else _XXY).fullmatch(value)
    # Written with full stops, the day comes first everywhere.
    if found is None or (order == "mdy" and found["mark"] == "."):
        return None
    first, second = found["b"], found["c"]
    month = (
        _MONTHS.index(first[:3].lower()) + 1
        if order == "named"
        else int(second if order == "dmy" else first)
    )
    day = int(first if order == "dmy" else second)
    hour = int(found["hour"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    micro = int((found["fraction"] or "").ljust(6, "0")[:6])
    clock = (hour, int(found["minute"] or 0), int(found["second"] or 0), micro)
    try:
        moment = datetime(int(found["year"]), month, day, *clock)
    except ValueError:
        return None
    if found["hour"] is None:
        return moment.date().isoformat()
    zone = found["zone"] or ""
    if zone.isalpha():
        zone = "Z"
    elif zone and ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    return moment.isoformat() + zone


def _parse_date(value: str, order: str, with_time: bool) -> Scalar | None:
    found = _date(value.strip(), order)
    if found is None or not with_time:
        return found and found[:10]
    return found + _MIDNIGHT if len(found) == 10 else found
