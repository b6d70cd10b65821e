"""Whether a question asks for rows themselves: those that meet a condition, or the first few."""

from collections.abc import Sequence

from pipelines.tables.cues import Found
from pipelines.tables.parsed import Parsed
from pipelines.tables.query import Filter
from pipelines.tables.table import Column
from pipelines.tables.words import Token

_LISTING = frozenset({"list", "show", "give", "name"})
_BEFORE_ROWS = _LISTING | {"me", "us", "all", "the", "of", "our", "please"}


class Listing:
    """Finds out whether rows are asked for, and how many.

    :param parsed: The question held against the table.
    """

    def __init__(self, parsed: Parsed) -> None:
        self._parsed, self._tokens = parsed, parsed.tokens

    @property
    def opens(self) -> bool:
        """Whether a question begins with "list" or "show", or with what its rows are called."""
        if not self._tokens:
            return False
        if self._tokens[0].word in _LISTING:
            return True
        place = self._past_values(0)
        is_row = any(one.start == place and one.role == "row" for one in self._parsed.links)
        return is_row and (bool(self._parsed.conditions) or place > 0)

    def lists(self, target: Column | None, filters: Sequence[Filter]) -> bool:
        """Whether the rows that meet conditions are asked for: "which items are out of stock"."""
        if not filters or (target is not None and all(f.column != target.name for f in filters)):
            return False
        which = self._parsed.has("which")
        if which is None and not self.opens:
            return False
        place = 0 if which is None else which.end
        after = self._past_values(place)
        return any(
            (link.start == after and link.role == "row") or (link.start == place < after)
            for link in self._parsed.links
        )

    def ranks(self) -> bool:
        """Whether some first rows are asked for: "top 3 items by price", "the two cheapest"."""
        if not self._parsed.has("top", "most", "least", "highest", "lowest", "latest", "earliest"):
            return False
        for cue in self._parsed.cues:
            place = past_number(self._tokens, cue.end)
            first = {"top", "which"} & set(cue.cues) and place > cue.end
            if first or (self._is_several(cue) and place == cue.end):
                return any(
                    link.start == place and link.role == "row" for link in self._parsed.links
                )
        return False

    def count(self) -> int | None:
        """Return how many of the first are asked for: "top 3", "which three parts"."""
        for cue in self._parsed.cues:
            place = cue.start - 1 if self._is_several(cue) else cue.end
            if {"top", "which", "highest", "lowest"} & set(cue.cues) and place < len(self._tokens):
                number = self._tokens[place].number
                if isinstance(number, int) and 1 <= number <= 100:
                    self._parsed.conditions = [
                        c for c in self._parsed.conditions if c.start != place
                    ]
                    return number
        return None

    def _is_several(self, cue: Found) -> bool:
        """Whether a number stands before a superlative: "the three heaviest tours"."""
        return (
            bool({"highest", "lowest"} & set(cue.cues))
            and cue.start > 0
            and self._tokens[cue.start - 1].number is not None
        )

    def _past_values(self, place: int) -> int:
        """Return the place past small words, and values with what stands between them."""
        while place < len(self._tokens):
            value = next(
                (o for o in self._parsed.links if o.start == place and o.is_condition), None
            )
            if value is None and self._tokens[place].word not in _BEFORE_ROWS:
                break
            place = place + 1 if value is None else value.end
        return place


def past_number(tokens: Sequence[Token], place: int) -> int:
    """Return the place past a number that stands there, if one does."""
    is_number = place < len(tokens) and tokens[place].number is not None
    return place + 1 if is_number else place
