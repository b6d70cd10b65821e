"""The names of columns, by the words that people say of them."""

import re
from collections.abc import Iterator, Sequence

from pipelines.tables.table import Column
from pipelines.tables.words import UNITS_SAID, joined, listed, name_words, stem, without_unit

KEYS = frozenset({"id", "no", "nr", "number", "name", "code", "key"})
"""Words of names and numbers that things have."""
NUMBERINGS = KEYS - {"name"}
"""Names that end so tell one thing from another, and are no number of things."""
# Words that stand in many names and point at none of them.
_WEAK = frozenset(map(stem, listed("of is has in the no number count id name")))
# "In stock" is asked for as the stock; a "total" alone is any.
_PLACES = frozenset({"in", "on"})
_MADE = frozenset(listed("total sum average mean count number min max minimum maximum"))
_SHORT = 2
_SHORT_UNITS = frozenset(listed("kg km kw mm cm m2"))
_BRACKET = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_IN_FULL = dict(
    pair.split(":")
    for pair in listed(
        "acct:account amt:amount arr:arrival cat:category cust:customer dep:departure "
        "dept:department dest:destination drv:driver emp:employee hrs:hours inv:invoice "
        "loc:location mfr:manufacturer mins:minutes prod:product qty:quantity supp:supplier "
        "temp:temperature veh:vehicle wt:weight"
    )
)


def wholes(column: Column, among: Sequence[Column]) -> set[str]:
    """Return the stems that are all of a column's name: also without its unit, "price".

    :param among: All columns; what another's name begins with, too, is not all of any.
    """
    said = said_of(column)
    others = (name_words(other.name) for other in among if other is not column)
    is_shared = any(words[: len(said)] == said for words in others)
    return {joined(name_words(column.name)), *([] if is_shared else [joined(said)])}


def said_of(column: Column) -> list[str]:
    """Return the words by which a column of numbers is asked for: "price", "stock"."""
    words = name_words(column.name)
    if not column.is_number:
        return words
    said = without_unit(name_words(_BRACKET.sub("", column.name)) or words)
    said = said[1:] if len(said) > 1 and said[0] in _PLACES else said
    return words if len(said) == 1 and said[0] in _MADE else said


def parts(column: Column) -> set[str]:
    """Return the stems of what is part of a column's name, and of what its unit is called."""
    words = name_words(column.name)
    found = {one for one in _parts(words) if len(one) > _SHORT or one in _SHORT_UNITS} - _WEAK
    units = {*words[-1:]} & UNITS_SAID.keys() if column.is_number else set()
    return found.union(*(map(stem, UNITS_SAID[unit]) for unit in units))


def _parts(words: Sequence[str]) -> Iterator[str]:
    """Give what is left of a name when words at its ends are left out."""
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            if end - start < len(words):
                yield joined(list(words[start:end]))


def is_abbreviation(column: Column, word: str) -> bool:
    """Whether a column's name of one word abbreviates another: "Veh", "Drv", "Qty"."""
    words = without_unit(name_words(column.name))
    return len(words) == 1 and stem(_IN_FULL.get(words[0], "")) == stem(word) != ""
