"""What a question means by the first, the last, the oldest and the newest."""

from pipelines.tables.conditions import Conditions
from pipelines.tables.counts import Made
from pipelines.tables.cues import Found
from pipelines.tables.parsed import Parsed, UnreadError
from pipelines.tables.table import Column
from pipelines.tables.words import listed, name_words, stem

_AGED = frozenset({"oldest", "newest", "earliest", "latest"})
_MADE = frozenset(map(stem, listed("built made published manufactured constructed")))


class Moments:
    """Finds the column whose first or last value is asked for.

    :param parsed: The question held against the table.
    """

    def __init__(self, parsed: Parsed) -> None:
        self._parsed, self._vocabulary, self._tokens = parsed, parsed.vocabulary, parsed.tokens
        self._rows = Conditions(parsed)

    def made(self, cue: Found) -> Made:
        """Return whether the first or the last is asked for, and of which column.

        :param cue: What asks for it.
        """
        births = self._births(cue)
        if births is not None and any(one.role == "row" for one in self._parsed.links):
            return ("maximum" if "latest" in cue.cues else "minimum"), births
        years = self._years(cue)
        if years is not None and any(one.role == "row" for one in self._parsed.links):
            return ("maximum" if "latest" in cue.cues else "minimum"), years
        after = next((one for one in self._parsed.links if one.start == cue.end), None)
        asked = self._parsed.has("when") is not None
        named = after is not None and after.role == "column" and len(after.columns) == 1
        is_aged = self._vocabulary.lasts and self._tokens[cue.end - 1].word in _AGED
        if not named and (is_aged or self._tokens[cue.end - 1].word == "youngest"):
            # No other date says how old or new what lasts is.
            raise UnreadError("it does not say by which date something is old or new")
        rows = after is not None and (after.role == "row" or self._vocabulary.is_entity(after))
        # "The last order" is told by its date; the newest employee may be the youngest.
        told = (asked and cue.end >= len(self._tokens)) or (
            rows and (asked or not self._vocabulary.lasts)
        )
        if not (named and after is not None and after.columns[0].is_moment) and not told:
            raise UnreadError("it does not say the first or last what")
        column = self._parsed.moments()
        self._rows.check_done(column)
        return ("maximum" if "latest" in cue.cues else "minimum"), column

    def _years(self, cue: Found) -> Column | None:
        """Return the column of years in which what is old or new was made."""
        if self._tokens[cue.end - 1].word not in _AGED:
            return None
        columns = [
            column
            for column in self._vocabulary.table.columns
            if column.kind == "int" and _MADE & {stem(word) for word in name_words(column.name)}
        ]
        if len(columns) != 1:
            return None
        self._parsed.used.update(
            one for one in self._parsed.links if one.role == "column" and columns[0] in one.columns
        )
        return columns[0]

    def _births(self, cue: Found) -> Column | None:
        """Return the column of days of birth, by which people are old or young."""
        if self._tokens[cue.end - 1].word not in ("oldest", "youngest"):
            return None
        columns = [
            column
            for column in self._vocabulary.table.columns
            if column.is_moment and {"birth", "born"} & set(name_words(column.name))
        ]
        return columns[0] if len(columns) == 1 else None
