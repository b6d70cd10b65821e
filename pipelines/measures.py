"""Measured amounts in a text, and which of two is the greater: never by a guess."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from adapters.training.sameness import words_of
from pipelines.facts import BETWEEN, NUMBER, UNITS

# What a unit measures, and how many of the kind's smallest unit it is.
_KINDS: dict[str, tuple[str, float]] = {
    "second": ("time", 1),
    "minute": ("time", 60),
    "hour": ("time", 3600),
    "day": ("time", 86_400),
    "week": ("time", 7 * 86_400),
    "month": ("time", 30.4 * 86_400),
    "year": ("time", 365.25 * 86_400),
    "mm": ("length", 0.001),
    "cm": ("length", 0.01),
    "inch": ("length", 0.0254),
    "foot": ("length", 0.3048),
    "m": ("length", 1),
    "km": ("length", 1000),
    "mile": ("length", 1609.3),
    "mcg": ("weight", 1e-9),
    "mg": ("weight", 1e-6),
    "g": ("weight", 0.001),
    "ounce": ("weight", 0.02835),
    "lb": ("weight", 0.4536),
    "kg": ("weight", 1),
    "watt": ("power", 1),
    "hp": ("power", 745.7),
    "kw": ("power", 1000),
    "ml": ("volume", 0.001),
    "l": ("volume", 1),
    "gallon": ("volume", 3.785),
}
_MORE_UNITS = {"hp": "hp", "horsepower": "hp"}
_WORKING = frozenset(["business", "working"])
# Five of them make a week.
_WORKING_DAY = 1.4
# "4-6 weeks"; words alone no longer tell it from "level 4: 6 weeks".
_RANGE = re.compile(r"(?<=\d)\s?[-–—]\s?(?=\d)")
# Amounts nearer than that are the same, after conversion.
_ALIKE = 1.001
_TO = frozenset(["to", "through"])


@dataclass(frozen=True, slots=True)
class Measure:
    """An amount, or a range of amounts, as a text states it.

    :param text: In words of one form, such as ``4 to 6 weeks``.
    :param kind: What it measures: ``time``, ``length``, ``weight``, ``power``, ``volume``, a
        unit that none is known to convert to, such as ``%`` or ``$``, or empty for a mere number.
    :param low: Its least, in the kind's own unit.
    :param high: Its most.
    """

    text: str
    kind: str
    low: float
    high: float

    def exceeds(self, other: "Measure") -> bool | None:
        """Whether it is more than another; None where neither can be told to be."""
        if self.kind != other.kind:
            return None
        if self.low > _ALIKE * other.high:
            return True
        return False if self.high * _ALIKE < other.low else None


def unit_of(word: str) -> str | None:
    """Return what a word measures, as :attr:`Measure.kind`; None where it is no unit."""
    unit = UNITS.get(word.casefold()) or _MORE_UNITS.get(word.casefold())
    return None if unit is None else _KINDS.get(unit, (unit, 1.0))[0]


def measures(text: str) -> Iterator[Measure]:
    """Yield the amounts of a text, in their order; ranges such as ``4-6 weeks`` as one."""
    words, n = words_of(_RANGE.sub(" to ", text)), 0
    while n < len(words):
        first, after = _number(words[n])
        n += 1
        if first is None:
            continue
        last = first
        if n + 1 < len(words) and words[n] in _TO:
            second, behind = _number(words[n + 1])
            if second is not None and second > first:
                last, after, n = second, behind or after, n + 2
        rest = words[n : n + 3]
        working = bool(rest) and rest[0] in _WORKING
        while rest and not after and rest[0] in BETWEEN:
            rest.pop(0)
        word = after or (rest[0] if rest else "")
        unit = UNITS.get(word) or _MORE_UNITS.get(word)
        if unit is None and after:
            continue  # "17a": part of a name
        kind, factor = _KINDS.get(unit, (unit, 1.0)) if unit else ("", 1.0)
        factor *= _WORKING_DAY if working and unit == "day" else 1.0
        said = f"{first}" if first == last else f"{first} to {last}"
        shown = " ".join([said, *(["business"] if working else []), word if unit else ""])
        if unit in ("$", "€", "£"):
            shown = f"{unit}{said}"
        yield Measure(
            shown.replace(" %", "%").strip(), kind, float(first) * factor, float(last) * factor
        )


def _number(word: str) -> tuple[Decimal | None, str]:
    """Return the number that a word is, and the unit that stands at it."""
    match = NUMBER.fullmatch(word)
    if match is None:
        return None, ""
    before, value, after = match.groups()
    if before and before not in UNITS:
        return None, ""
    return Decimal(value.replace("∙", ".").replace("−", "-")), after or before
