"""A question's words, numbers and dates, as they are compared with what a table holds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


def listed(words: str) -> tuple[str, ...]:
    """Return words that are written one after the other."""
    return tuple(words.split())


_TOKEN = re.compile(
    r"""(?<!\w)["'“‘](?P<quoted>[^"'“”‘’]{2,80})["'”’](?!\w)"""
    r"|(?P<date>\d{4}-\d{2}(?:-\d{2})?)(?![\w-])"
    # "1.000" is one or a thousand, and so no number.
    r"|(?P<number>(?![1-9]\d{0,2}\.\d{3}(?!\d))"
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w.])\.\d+))(?!\w|[.,]\d)"
    r"|(?P<word>\w+(?:[./'’&-]\w+)*)"
    r"|(?P<unit>[$€£¥₹%])"
    r"|(?P<other>[^\s.,;:?!()])"
)
_CAMEL = re.compile(r"[^\W\d_]+|\d+")
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_POSSESSIVE = re.compile(r"['’]s?$")

_NUMBERS = dict(
    zip(
        listed("zero one two three four five six seven eight nine ten eleven twelve"),
        range(13),
        strict=True,
    )
)
CURRENCIES = {
    "$": frozenset(listed("$ usd dollar dollars")),
    "€": frozenset(listed("€ eur euro euros")),
    "£": frozenset(listed("£ gbp")),
    "¥": frozenset(listed("¥ jpy yen cny")),
    "₹": frozenset(listed("₹ inr rupees")),
}
"""The words of a currency, by its sign."""
# A unit may be a flat or a department, too.
MEASURES = frozenset(
    listed(
        "g kg t lb lbs oz mm cm m km in ft m2 m3 ml l gal pc pcs pce piece pieces ea each box "
        "boxes pack packs set pair roll h hr hrs hour hours day days kw kwh"
    )
)
"""Words that say what numbers are measured in."""
UNITS = frozenset(
    listed(
        "kg g lb lbs oz mm cm m km m2 m3 ml l kw kwh hr hrs hours mins pct percent chf sek nok dkk"
    )
).union(*CURRENCIES.values())
"""Units that a name may end with, and that are nothing else there: no "Cars in", "Price min"."""
MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        1,
    )
    for name in listed(names)
}
UNITS_SAID = {
    "l": listed("litre litres liter liters"),
    "km": listed("kilometre kilometres kilometer kilometers"),
    "kg": listed("kilo kilos kilogram kilograms"),
    "min": listed("minute minutes"),
    "h": listed("hour hours"),
    "gbp": listed("pound pounds"),
}
"""How units are said that names of columns abbreviate."""
# Far below what a float holds, and what Python reads as a whole number.
_MOST_DIGITS = 300


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a question.

    :param text: As it was written.
    :param kind: ``word``, ``number``, ``date``, ``quoted``, ``unit`` or ``other``.
    :param word: In lower case, without a possessive's ending.
    :param stem: Its stem.
    """

    text: str
    kind: str
    word: str
    stem: str

    @property
    def number(self) -> int | float | None:
        """What it is as a number, also when spelled out; None for other words.

        None, too, for more than 300 characters.
        """
        if self.kind == "number" and len(self.text) > _MOST_DIGITS:
            return None
        if self.kind == "number":
            plain = self.text.replace(",", "")
            return float(plain) if "." in plain else int(plain)
        return _NUMBERS.get(self.word)

    @property
    def year(self) -> str | None:
        """What it is as a year, if it can be one."""
        is_year = self.kind == "number" and self.text.isdigit() and len(self.text) == 4
        return self.text if is_year and 1800 <= int(self.text) <= 2199 else None


def tokens_of(question: str) -> list[Token]:
    """Return a question's words in order; hyphens join only what has figures in it."""
    tokens = []
    for found in _TOKEN.finditer(question):
        kind = found.lastgroup or "other"
        text = found[kind]
        parts = [text]
        if kind == "word" and not any(map(str.isdigit, text)):
            parts = [part for part in re.split(r"[-/]", text) if part]
        for part in parts:
            word = _POSSESSIVE.sub("", part.casefold())
            tokens.append(Token(part, kind, word, stem(word)))
    return tokens


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Return what a word's forms have in common: "orders", "ordered" and "ordering" are "order"."""
    if len(word) < 4 or any(map(str.isdigit, word)):
        return word
    for ending, instead in (
        ("ies", "y"),
        ("ings", ""),
        ("ing", ""),
        ("ed", ""),
        ("es", ""),
        ("s", ""),
        ("e", ""),
    ):
        short = word.removesuffix(ending) + instead if word.endswith(ending) else word
        if short != word and len(short) >= 3 and not word.endswith("ss"):
            return short.removesuffix("e") if len(short) > 3 else short
    return word


def number_forms(word: str) -> set[str]:
    """Return a word with its singular and plural, whichever it is; other forms are other words."""
    # "Does" is a verb, and Doe a name.
    if len(word) <= 2 or word == "does" or any(map(str.isdigit, word)):
        return {word}
    forms = {word, f"{word}s"}
    if word.endswith(("s", "x", "z", "ch", "sh")):
        forms.add(f"{word}es")
    if word.endswith("y") and word[-2] not in "aeiou":
        forms.add(f"{word[:-1]}ies")
    if word.endswith("ies") and len(word) > len("ties"):
        forms.add(f"{word[:-3]}y")
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        forms.add(word[:-2])
    if word.endswith("s") and not word.endswith("ss") and len(word) > len("gas"):
        forms.add(word[:-1])
    return forms


def is_plural(word: str) -> bool:
    """Whether a word looks like a plural."""
    return word.endswith("s") and len(word) > len("gas") and not word.endswith(("ss", "us", "is"))


def tells_case(tokens: Sequence[Token]) -> bool:
    """Whether capitals tell names from words: most words but the first begin with a small letter.

    They do not in what is written in capitals, or as a heading.
    """
    words = [token.text for token in tokens[1:] if token.kind == "word"]
    return 2 * sum(word[0].islower() for word in words) >= len(words)


def name_words(name: str) -> list[str]:
    """Return the words of a column's or table's name, in lower case: "BscStartDate" has three."""
    return [part.casefold() for word in _CAMEL.findall(name) for part in _HUMPS.split(word) if part]


def without_unit(words: list[str]) -> list[str]:
    """Return the words of a name that are no unit of measure: "price" of "Price EUR"."""
    end = len(words)
    while end > 1 and words[end - 1] in UNITS:
        end -= 1
    return words[:end]


def joined(words: list[str]) -> str:
    """Return the stems of words without gaps, so that "aircraft" and "air craft" are the same."""
    return "".join(stem(word) for word in words)
