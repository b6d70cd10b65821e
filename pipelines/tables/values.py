"""The texts that a table's columns hold, found by the words that name them."""

import re
from collections.abc import Sequence
from functools import cached_property

from pipelines.tables.table import Column, Table
from pipelines.tables.words import Token, listed, name_words, number_forms, stem, tokens_of

_JOINTS = re.compile(r"[_,;/+|]")
_FREE_WORDS = 3.0
_FREE_SHARE = 0.3
# In columns so called a verb stands for what was done: "Replace", and "replaced" in a question.
_DOINGS = frozenset(map(stem, listed("action activity operation task work job service treatment")))


class Values:
    """The values of a table's columns of text, but for those that hold sentences.

    :param table: The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._doings = {
            column
            for column in table.columns
            if {stem(word) for word in name_words(column.name)} & _DOINGS
        }

    def called(self, tokens: Sequence[Token]) -> list[tuple[Column, str]]:
        """Return the values that words name, which may be in the plural, each with its column."""
        words = [token.word for token in tokens]
        found = [*self._by_words.get("".join(words), ())]
        for place, word in enumerate(words):
            for form in number_forms(word) - {word}:
                found += self._with(words, place, form)
            for verb in (word[:-1], word[:-2]) if word.endswith("ed") else ():
                found += [one for one in self._with(words, place, verb) if one[0] in self._doings]
        return list(dict.fromkeys(found))

    def _with(self, words: list[str], place: int, form: str) -> list[tuple[Column, str]]:
        return self._by_words.get("".join([*words[:place], form, *words[place + 1 :]]), [])

    def holds(self, text: str) -> bool:
        """Whether a text is a value, in exactly these letters."""
        return any(value == text for _, value in self._by_words.get(_key(text), ()))

    def has_word(self, word: str) -> bool:
        """Whether a word is part of a value, in exactly these letters; looks at each."""
        return any(word in value.split() for found in self._by_words.values() for _, value in found)

    @cached_property
    def _by_words(self) -> dict[str, list[tuple[Column, str]]]:
        found: dict[str, list[tuple[Column, str]]] = {}
        for column in self._table.columns:
            if column.kind != "text" or self._is_free(column):
                continue
            for value in self.distinct(column):
                if key := _key(value):
                    found.setdefault(key, []).append((column, value))
        return found

    def _is_free(self, column: Column) -> bool:
        """Whether a column of text holds sentences rather than names."""
        distinct = self.distinct(column)
        words = sum(len(value.split()) for value in distinct) / max(len(distinct), 1)
        return words >= _FREE_WORDS and len(distinct) > _FREE_SHARE * len(self._table.rows)

    def distinct(self, column: Column) -> list[str]:
        """Return a column's texts, those that differ in case or white space alone once."""
        texts = (value for value in self._table.values_of(column) if isinstance(value, str))
        return list({" ".join(text.casefold().split()): text for text in texts}.values())

    def joint(self, column: Column, value: str) -> list[str]:
        """Return the values of a column that name one beside others: "Left_Right" for "Left"."""
        wanted = value.casefold()
        return [
            other
            for other in self.distinct(column)
            if wanted in (parts := [part.strip() for part in _JOINTS.split(other.casefold())])
            and len(parts) > 1
        ]


def _key(value: str) -> str:
    tokens = tokens_of(value.replace("_", " "))
    return "".join(token.word for token in tokens if token.kind != "other")
