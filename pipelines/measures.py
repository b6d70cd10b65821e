"""Measured amounts in a text, and which of two is the greater: never by a guess."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.training.sameness import words_of
from pipelines.facts import BETWEEN, NUMBER, SCALES, UNITS

# What a unit measures, and how many of the kind's smallest unit it is.
_KINDS: dict[str, tuple[str, float]] = {
    "second": ("time", 1),
    "minute": ("time", 60),
    "hour": ("time", 3600),
    "day": ("time", 86_400),
    "week": ("time", 7 * 86_400),
    "month": ("time", 365.25 / 12 * 86_400),
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
# "1 1/2", and what it goes up to: read as numbers, its parts would be other amounts.
_FRACTION = re.compile(
    r"(?<![\d.,])(?:\d[\d.,]*[\s-]+(?:and\s+)?)?"
    r"(?:\d[\d.,]*(?:\s?[/⁄]\s?\d[\d.,]*)+|\d*[¼-¾⅐-⅞])"
    r"(?:\s?(?:[-–—]|to\b)\s?\d[\d.,]*)?"
)
_HALVES = re.compile(r"(?:\S+ )?and (?:a|1) (?:half|quarter|third)\b")
_SLASH = re.compile(r"(?<=\w)\s?/\s?(?=[^\W\d])")
_PER = frozenset(["per", "a", "an", "each", "every"])
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
    :param per: Of a rate what it is for, such as ``week`` or ``2 week``; empty for an amount.
    """

    text: str
    kind: str
    low: float
    high: float
    per: str = ""

    def exceeds(self, other: "Measure") -> bool | None:
        """Whether it is more than another; None where neither can be told to be."""
        if self.kind != other.kind or self.per != other.per:
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
    # A lone sign keeps the words around it apart.
    text = _SLASH.sub(" per ", _FRACTION.sub(" ⁄ ", text))
    words, n = words_of(_RANGE.sub(" to ", text)), 0
    while n < len(words):
        first, after = _number(words[n])
        n += 1
        if first is None:
            continue
        if _HALVES.match(" ".join(words[n : n + 4])):
            continue
        first, scale, n = _scaled(first, words, n)
        last = first
        if n + 1 < len(words) and words[n] in _TO:
            second, behind = _number(words[n + 1])
            if second is not None:
                second, shared, end = _scaled(second, words, n + 2)
                if scale == 1 and first * shared < second:  # "2 to 3 million"
                    first, *_ = _scaled(first, words, end - 1)
                if second > first:
                    last, after, n = second, behind or after, end
        working = n < len(words) and words[n] in _WORKING
        while n < len(words) and not after and words[n] in BETWEEN:
            n += 1
        word = after or (words[n] if n < len(words) else "")
        unit = UNITS.get(word) or _MORE_UNITS.get(word)
        if unit is None and after:
            continue  # "17a": part of a name
        per = _per(words, n + (unit is not None and not after))
        kind, factor = _KINDS.get(unit, (unit, 1.0)) if unit else ("", 1.0)
        factor *= _WORKING_DAY if working and unit == "day" else 1.0
        said = f"{first}" if first == last else f"{first} to {last}"
        shown = " ".join([said, *(["business"] if working else []), word if unit else ""])
        if unit in ("$", "€", "£"):
            shown = f"{unit}{said}"
        shown = shown.replace(" %", "%").strip()
        yield Measure(shown, kind, float(first) * factor, float(last) * factor, per)


def _scaled(number: Decimal, words: Sequence[str], place: int) -> tuple[Decimal, int, int]:
    """Return a number of millions as what it is, the scale, and the place behind it."""
    scale = SCALES.get(words[place], 1) if place < len(words) else 1
    if scale == 1:
        return number, 1, place
    return Decimal(format((number * scale).normalize(), "f")), scale, place + 1


def _per(words: Sequence[str], place: int) -> str:
    """Return what an amount is for each of: "per week", "of leave a year"."""
    if words[place : place + 1] == ["of"]:
        behind = range(place + 2, min(place + 5, len(words)))
        place = next((n for n in behind if words[n] in _PER), place)
    if place >= len(words) or words[place] not in _PER:
        return ""
    rest = [word for word in words[place + 1 : place + 4] if word not in BETWEEN and word != "1"]
    number = rest.pop(0) if rest and rest[0].isdigit() else ""
    unit = UNITS.get(rest[0]) if rest else None
    return f"{number} {unit}".strip() if unit else ""


def _number(word: str) -> tuple[Decimal | None, str]:
    """Return the number that a word is, and the unit that stands at it."""
    match = NUMBER.fullmatch(word)
    if match is None:
        return None, ""
    before, value, after = match.groups()
    if before and before not in UNITS:
        return None, ""
    return Decimal(value.replace("∙", ".").replace("−", "-")), after or before
