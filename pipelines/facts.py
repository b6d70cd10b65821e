"""What of a sentence must stand in its source exactly: quantities, names, and what is denied."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from adapters.training.sameness import content_words, words_of
from pipelines.sentences import sentence_spans


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Forms of a unit, the first of which stands for it.
_FORMS = """
day days|hour hours hr hrs h|minute minutes min mins|second seconds sec secs s|week weeks wk
|month months|year years yr yrs|% percent pct|$ dollar dollars usd|€ euro euros eur|£ gbp
|cent cents ¢|kg kilogram kilograms kilo kilos|g gram grams|mg milligram milligrams
|mcg μg microgram micrograms|ml millilitre millilitres milliliter milliliters
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
# Units too, though none that amounts are compared in.
_UNITS = UNITS | {
    word: word for word in _set("am pm kb mb gb tb hz khz mhz ghz kwh mw hp kn nm kpa mpa")
}
# May stand between a number and its unit: "5 working days".
BETWEEN = _set("additional business calendar consecutive full paid square working")
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
NUMBER = re.compile(r"([^\w−]*)(−?\d+(?:∙\d+)?)(.*)")
# Stand at a number and leave open what it counts.
_OPEN = _set("st nd rd th °")
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
_GAP, _AMOUNT = r"[^\S\n]?", r"\d(?:[\d.,]*\d)?"
_VULGAR = re.compile(r"[¼-¾⅐-⅞]")
_FRACTION = re.compile(
    r"(?:(?<![\w.,/])(\d{1,3})(?:[^\S\n]+|-))?"
    r"(?<![\w.,/])(\d{1,2})[/⁄](\d{1,2})(?![\d/⁄]|[.,]\d)"
)
# Others are read as two numbers: 5/12 is a day more often than a share.
_PARTS = frozenset([2, 3, 4, 5, 8, 16, 32, 64])
_NO_ZERO = re.compile(r"(?<![\w.,])\.(?=\d)")
_COMPARED = {
    **dict.fromkeys([">=", "≥", "⩾", "≧"], "at least"),
    **dict.fromkeys(["<=", "≤", "⩽", "≦"], "at most"),
    ">": "more than",
    "<": "less than",
}
_COMPARISON = re.compile(
    # An arrow compares nothing.
    rf"(?<![<>=-])({'|'.join(_COMPARED)})(?=[^\S\n]*[$€£]?[−-]?\.?\d)"
)
_COMPOUND = re.compile(
    r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[-‐‑ ]"
    r"(one|two|three|four|five|six|seven|eight|nine)\b",
    re.IGNORECASE,
)
_CLOCK = re.compile(rf"(\d){_GAP}([ap])\.{_GAP}m\b", re.IGNORECASE)
# Footnote marks, bold type, and what joins two numbers; a minus and degrees say more than that.
_SIGN = re.compile(r"(?<=\d)x(?=\d)|[*#@+<=>|~¬±×÷⁄©®™←-∑∓-∘√-➿]")
# "US$5", "95%CI".
_JOINED = re.compile(r"(?<=[^\W\d_])(?=[$€£¥]\d)|(?<=\d%)(?=[^\W\d_])")
_SHORT_SCALES = {"k": "thousand", "m": "million", "b": "billion"}
_SCALED = (
    # Without a currency "m" is a metre, and "5 K" no thousand.
    re.compile(rf"([$€£¥]{_AMOUNT}){_GAP}(k|[mb]n?)\b", re.IGNORECASE),
    re.compile(rf"(?<![\w.,])({_AMOUNT})(k|{_GAP}[mb]n)\b", re.IGNORECASE),
)
_MEASURED = re.compile(rf"(?<![\w.,])({_AMOUNT}){_GAP}([^\W\d_]+)\b")
# No seconds: "the 1990s".
_DECADE = re.compile(r"[12]\d\d0s", re.IGNORECASE)
_NOT = _set("cannot neither never no nobody none nor not nothing without")
_ALONE = _NOT | {"yes"}
# Deny nothing: what they say is a bound, or both ways.
_NO_DENIALS = re.compile(
    r"\b(?:no|not|never)\s+(?:more|less|fewer|later|earlier|sooner|longer\s+than|greater|only|just|"
    r"exceed(?:ing)?)\b|\b(?:or|if)\s+not\b"
    # "Form No. 5", and the "no" that answers and says nothing of what follows it.
    r"|\bno\.\s*(?=[a-z]?\d)|\A\W*no(?:[,;:]|\s+[–—-])\s",
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
    :param unit: What it counts or measures, in one form; ``s`` of a decade, empty where none is
        known.
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
        if self.unit == "s":
            return f"{bound}{self.value}s"
        unit = self.unit if self.value == "1" else _PLURALS.get(self.unit, self.unit)
        shown = f"{bound}{self.value} {unit}".replace(" %", "%")
        return shown.replace(" ∙", ".").strip()  # a version: 1.2.3

    def agrees(self, other: "Quantity") -> bool:
        """Whether both may say the same; what one leaves open, the other may add."""
        return (
            self.value == other.value
            and (not self.unit or not other.unit or self.unit == other.unit)
            and (not self.bound or not other.bound or self.bound == other.bound)
        )


# A sentence is held against the same pieces again and again.
@lru_cache(maxsize=128)
def plain(text: str) -> str:
    """Return a text with its numbers in one form, each apart from its unit, and without signs.

    ``1½ h``, ``US$5bn``, ``**45**``, ``8GB``, ``≥ 3``, ``5 p.m.`` and ``thirty-two`` become
    ``1.5 h``, ``US $5 billion``, ``45``, ``8 gb``, ``at least 3``, ``5 pm`` and ``32``.
    """
    text = _VULGAR.sub(lambda match: " " + unicodedata.normalize("NFKC", match[0]), text)
    text = _NO_ZERO.sub("0.", _FRACTION.sub(_decimal, text))
    text = _COMPARISON.sub(lambda match: f" {_COMPARED[match[1]]} ", text)
    text = _COMPOUND.sub(lambda match: str(sum(int(words_of(w)[0]) for w in match.groups())), text)
    text = _SIGN.sub(" ", _CLOCK.sub(r"\1 \2m", text))
    text = _JOINED.sub(" ", text)
    for scaled in _SCALED:
        text = scaled.sub(lambda m: f"{m[1]} {_SHORT_SCALES[m[2].strip()[0].lower()]}", text)
    return _MEASURED.sub(_spaced, text)


def _decimal(match: re.Match[str]) -> str:
    whole, above, below = (int(part or 0) for part in match.groups())
    if above >= below or below not in _PARTS:
        return match[0]
    return str(round(whole + above / below, 4))


def _spaced(match: re.Match[str]) -> str:
    """Return a number and its unit, in lower case: else "kW" would be taken for a name."""
    unit = match[2].casefold()
    return f"{match[1]} {unit}" if unit in _UNITS and not _DECADE.fullmatch(match[0]) else match[0]


def quantities(text: str) -> list[Quantity]:
    """Return the numbers of a text, in their order; those in words up to 99 too."""
    return _quantities(plain(text))


def _quantities(text: str) -> list[Quantity]:
    words, found = words_of(text), []
    for n, word in enumerate(words):
        match = NUMBER.fullmatch(word)
        if match is None:
            continue
        before, value, after = match.groups()
        number = Decimal(value.replace("∙", ".").replace("−", "-"))
        rest = words[n + 1 :][:_REACH]
        if rest and rest[0] in SCALES:
            number *= SCALES[rest.pop(0)]
        if rest and rest[0] in BETWEEN:
            rest.pop(0)
        unit = after if _DECADE.fullmatch(word) else UNITS.get(before) or UNITS.get(after)
        if unit is None and after and after not in _OPEN:
            unit = after  # "17a" is no 17b
        unit = unit or _UNITS.get(rest[0] if rest else "", "")
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


def denied(sentence: str, *, outright: bool = False) -> set[str]:
    """Return the stems of what a sentence denies: the words soon after a "not" or its like.

    :param outright: Only the first of them, and not what something is "without": of
        "not refundable before May" that it is refundable.
    """
    words = words_of(_NO_DENIALS.sub(" ", sentence))
    found: set[str] = set()
    for n, word in enumerate(words):
        if word in _NOT and not (outright and word == "without"):
            after = [one for one in words[n + 1 : n + 1 + _REACH] if content_words(one) - _NOT]
            found |= stems(after[:1] if outright else after)
    return found


def faults(claim: str, source: str, known: str = "") -> Iterator[str]:
    """Yield what a claim says otherwise than its source, each as a phrase.

    :param claim: A sentence.
    :param source: What it rests on.
    :param known: What may be said besides: the question, and what the source stands under.
    """
    claim, source = plain(claim), plain(source)
    whole = f"{plain(known)}\n{source}"
    there = _quantities(whole)
    for said in _quantities(claim):
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
    told = stems(content_words(claim) - _ALONE)
    shared = told & stems(content_words(nearest))
    ours, theirs = denied(claim), denied(nearest)
    if len(shared) < min(2, len(told)) or ours & theirs:
        return None
    if ours & shared:
        return "it denies what stands there"
    # A single word may be what a denial leaves: "Monday", of "not before Monday".
    if (theirs if len(told) > 1 else denied(nearest, outright=True)) & shared:
        return "it leaves out that this is denied there"
    return None
