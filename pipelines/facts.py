"""What of a sentence must stand in its source exactly: quantities, names, and what is denied."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from adapters.training.sameness import content_words, words_of
from pipelines.sentences import sentence_spans


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Forms of a unit, the first of which stands for it.
_FORMS = """
day days|hour hours hr hrs h|minute minutes min mins|second seconds sec secs s|week weeks wk
|month months|year years yr yrs|% percent pct|$ dollar dollars usd|€ euro euros eur|£ gbp
|cent cents|kg kilogram kilograms kilo kilos|g gram grams|mg milligram milligrams
|mcg µg microgram micrograms|ml millilitre millilitres milliliter milliliters
|l litre litres liter liters|mm millimetre millimetres millimeter millimeters
|cm centimetre centimetres centimeter centimeters|m metre metres meter meters
|km kilometre kilometres kilometer kilometers|mile miles mi|foot feet ft|inch inches
|lb lbs pound pounds|ounce ounces oz|gallon gallons gal|psi|bar bars|volt volts v|amp amps
|watt watts w|kw kilowatt kilowatts|rpm|°c celsius|°f fahrenheit|calorie calories kcal
|unit units|dose doses
"""
UNITS = {form: line.split()[0] for line in _FORMS.split("|") for form in line.split()}
_PLURALS = {
    one: many
    for one, many, *_ in (f"{line} -".split() for line in _FORMS.split("|"))
    if len(one) > 2 and many.startswith(one[:1]) and many != "-"
}
# May stand between a number and its unit: "5 working days".
BETWEEN = _set("additional business calendar consecutive full paid square working")
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
NUMBER = re.compile(r"([^\w−]*)(−?\d+(?:∙\d+)?)(.*)")
_ORDINALS = _set("st nd rd th")
_BOUNDS = {2: "more than ", 1: "at least ", -1: "at most ", -2: "less than "}
# What stands before a number; the first that is found holds.
_BEFORE = {
    bound: re.compile(rf"\b(?:{words})(?: \S+)?$")
    for bound, words in (
        (1, r"at least|min(?:imum)?(?: of)?"),
        (2, r"(?:more|greater|longer|later) than|above|beyond|exceed(?:s|ing)?|over"),
        (-1, r"at most|up to|within|max(?:imum)?(?: of)?"),
        (-2, r"(?:less|fewer|shorter|earlier|sooner) than|below|under"),
    )
}
_OR_MORE, _OR_LESS = (
    re.compile(r"^(?:\S+ )?or more\b"),
    re.compile(r"^(?:\S+ )?or (?:less|fewer)\b"),
)
_NOT = _set("cannot neither never no nobody none nor not nothing without")
# Deny nothing: what they say is a bound, or both ways.
_NO_DENIALS = re.compile(
    r"\b(?:no|not|never)\s+(?:more|less|fewer|later|earlier|sooner|longer\s+than|greater|only|just|"
    r"exceed(?:ing)?)\b|\b(?:or|if)\s+not\b",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"[^\W_][\w'’&/-]*")
_PART = re.compile(r"[^\W_]+")
_REACH = 3
_STEM = 6
_INFLECTIONS = ("s", "es", "n", "an")
# IT is not "its", nor Ann "an".
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a text.

    :param value: In one form: ``1000`` for ``1,000``, ``1.0 thousand`` and ``one thousand``.
    :param unit: What it counts or measures, in one form; empty where none is known.
    :param bound: 1 for "at least", 2 for "more than", -1 for "at most", -2 for "less than", 0 for
        none of them.
    """

    value: str
    unit: str = ""
    bound: int = 0

    def __str__(self) -> str:
        bound = _BOUNDS.get(self.bound, "")
        if self.unit in ("$", "€", "£"):
            return f"{bound}{self.unit}{self.value}"
        unit = self.unit if self.value == "1" else _PLURALS.get(self.unit, self.unit)
        return f"{bound}{self.value} {unit}".replace(" %", "%").strip()

    def agrees(self, other: "Quantity") -> bool:
        """Whether both may say the same; what one leaves open, the other may add."""
        return (
            self.value == other.value
            and (not self.unit or not other.unit or self.unit == other.unit)
            and (not self.bound or not other.bound or self.bound == other.bound)
        )


def quantities(text: str) -> list[Quantity]:
    """Return the numbers of a text, in their order; those in words up to ninety too."""
    words, found = words_of(text), []
    for n, word in enumerate(words):
        match = NUMBER.fullmatch(word)
        if match is None:
            continue
        before, value, after = match.groups()
        number = Decimal(value.replace("∙", ".").replace("−", "-"))
        if after and after not in _ORDINALS and after not in UNITS:
            continue  # "17a": part of a name
        rest = words[n + 1 :][:_REACH]
        if rest and rest[0] in SCALES:
            number *= SCALES[rest.pop(0)]
        if rest and rest[0] in BETWEEN:
            rest.pop(0)
        unit = UNITS.get(after) or UNITS.get(before) or UNITS.get(rest[0] if rest else "", "")
        bound = _bound(" ".join(words[max(0, n - 5) : n]), " ".join(words[n + 1 : n + 4]))
        found.append(Quantity(format(number.normalize(), "f"), unit, bound))
    return found


def _bound(before: str, after: str) -> int:
    """Return what the words around a number make of it, as :attr:`Quantity.bound`."""
    if _OR_MORE.match(after):
        return 1
    if _OR_LESS.match(after):
        return -1
    for bound, words in _BEFORE.items():
        if found := words.search(before):
            denied = re.search(r"\b(?:no|not|never)(?: \S+)?$", before[: found.start()].rstrip())
            # What is not more than five is at most five.
            return (bound - 3 if bound > 0 else bound + 3) if denied else bound
    return 0


def names(text: str) -> set[str]:
    """Return the words of a text that are names: in capitals, or with figures among letters.

    The first word of a sentence is none for its first letter alone.
    """
    found: set[str] = set()
    for start, end in sentence_spans(text):
        for match in _CAPITAL.finditer(text, start, end):
            word = match[0]
            capitals = sum(letter.isupper() for letter in word)
            coded = any(c.isdigit() for c in word) and any(c.isalpha() for c in word) and capitals
            first = not text[start : match.start()].strip(" \"'“‘([-*•")
            if word != "I" and (coded or capitals > 1 or (capitals and not first)):
                found |= _parts(re.sub(r"['’]s$", "", word))
    return found


def _is_named(name: str, words: set[str]) -> bool:
    """Whether a name is among words, or an inflection of it: Austrian of Austria."""
    if name in words:
        return True
    if any(c.isdigit() for c in name):
        return False
    shorter = {name.removesuffix(ending) for ending in _INFLECTIONS if name.endswith(ending)}
    return any(len(one) >= _LEAST and one in words for one in shorter) or (
        len(name) >= _LEAST and any(name + ending in words for ending in _INFLECTIONS)
    )


def _parts(text: str) -> set[str]:
    return set(_PART.findall(text.casefold()))


def stems(words: Iterable[str]) -> set[str]:
    """Return words without most of their endings, so that inflections compare."""
    return {word if any(c.isdigit() for c in word) else word[:_STEM] for word in words}


def denied(sentence: str) -> set[str]:
    """Return the stems of what a sentence denies: the words soon after a "not" or its like."""
    words = words_of(_NO_DENIALS.sub(" ", sentence))
    found: set[str] = set()
    for n, word in enumerate(words):
        if word in _NOT:
            found |= stems(content_words(" ".join(words[n + 1 : n + 1 + _REACH])) - _NOT)
    return found


def faults(claim: str, source: str, known: str = "") -> Iterator[str]:
    """Yield what a claim says otherwise than its source, each as a phrase.

    :param claim: A sentence.
    :param source: What it rests on.
    :param known: What may be said besides: the question, and what the source stands under.
    """
    whole = f"{known}\n{source}"
    there = quantities(whole)
    for said in quantities(claim):
        if any(said.agrees(one) for one in there):
            continue
        near = next((o for o in there if o.value == said.value), None) or next(
            (o for o in there if said.unit and o.unit == said.unit), None
        )
        yield f"{said} does not stand there" + (f", but {near} does" if near else "")
    words = _parts(whole)
    for name in sorted(names(claim)):
        if not _is_named(name, words):
            yield f"{name} does not stand there"
    if fault := _turned(claim, source):
        yield fault


def _turned(claim: str, source: str) -> str | None:
    """Return a fault where a claim denies what its nearest sentence says, or the reverse."""
    said = stems(content_words(claim))
    sentences = [source[start:end] for start, end in sentence_spans(source)] or [source]
    nearest = max(sentences, key=lambda one: len(said & stems(content_words(one))))
    ours, theirs = denied(claim), denied(nearest)
    shared = said & stems(content_words(nearest))
    if len(shared) < 2:
        return None
    if ours & shared and not theirs:
        return "it denies what stands there"
    if theirs & shared and not ours:
        return "it leaves out that this is denied there"
    return None
