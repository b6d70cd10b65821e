"""The names of columns, by the words that people say of them."""

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
# Longer names are words of their own, and shorter words stand for themselves.
_ABBREVIATED = 4


def wholes(column: Column) -> set[str]:
    """Return the stems that are all of a column's name: also without its unit, "price"."""
    words = name_words(column.name)
    return {joined(words), joined(said_of(column))}


def said_of(column: Column) -> list[str]:
    """Return the words by which a column of numbers is asked for: "price", "stock"."""
    words = name_words(column.name)
    if not column.is_number:
        return words
    said = without_unit(words)
    said = said[1:] if len(said) > 1 and said[0] in _PLACES else said
    return words if said and said[0] in _MADE and len(said) == 1 else said


def parts(column: Column) -> set[str]:
    """Return the stems of what is part of a column's name, and of what its unit is called."""
    words = name_words(column.name)
    found = {one for one in _parts(words) if len(one) > _SHORT or one in _SHORT_UNITS} - _WEAK
    units = set(words) & UNITS_SAID.keys() if column.is_number else set()
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
    short = words[0] if len(words) == 1 else ""
    if not _SHORT < len(short) <= _ABBREVIATED < len(word):
        return False
    letters = iter(word)
    is_in_order = all(letter in letters for letter in short)
    are_consonants = short[0] == word[0] and not set(short) & set("aeiou")
    return word.startswith(short) or (are_consonants and is_in_order)
