"""A question held against one table: what each of its words is."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from pipelines.tables.cues import NO_YEAR, Condition, Cue, Found, conditions_of, cues_of
from pipelines.tables.links import Link, Vocabulary
from pipelines.tables.table import Column
from pipelines.tables.words import MONTHS, Token, listed, name_words, stem

# Words that may stand between "not" or "and" and the condition that it is about.
_BETWEEN = frozenset(listed("a an the yet been be for from by of in at to on with"))
_WITHIN = frozenset({"in", "on", "under"})
_MONTHS_ALONE = frozenset(f"{NO_YEAR}-{month:02}" for month in range(1, 13))
# Such a date does not say when something was, or was new.
_OTHER_DATES = frozenset(
    listed(
        "last next due deadline until expires expiry expired warranty inspection service review "
        "end ended closed planned target renewal"
    )
)
_OF = frozenset({"of", "for", "from"})


class UnreadError(Exception):
    """Why a question is no query of a table."""


class OutOfRangeError(UnreadError):
    """What is dated where a table has no dates."""


class UnclearError(UnreadError):
    """What leaves a question open whose words all belong to a table."""


class Parsed:
    """One question held against one table.

    :param vocabulary: What the table can be asked by.
    :param tokens: The question's words.
    """

    def __init__(self, vocabulary: Vocabulary, tokens: Sequence[Token]) -> None:
        self.vocabulary, self.tokens = vocabulary, tokens
        self.unclear = ""
        taken: set[int] = set()
        conditions = conditions_of(tokens, taken)
        conditions = [one for one in conditions if not self._is_name(one, taken)]
        # "number of engines" is a column before it is a count.
        links = vocabulary.whole_columns(tokens, taken)
        self.cues = cues_of(tokens, taken)
        # What is only a number may still be a value: "FAR 91".
        bare = [one for one in conditions if not one.named]
        self.conditions = [one for one in conditions if one.named]
        for one in bare:
            taken -= set(range(one.start, one.end))
        links += vocabulary.links(tokens, taken)
        for one in bare:
            if not taken & set(range(one.start, one.end)):
                self.conditions.append(one)
                taken |= set(range(one.start, one.end))
        asked = {one.end for one in self.cues if {"group", "which", "often"} & set(one.cues)}
        for link in vocabulary.initials(tokens, links, asked):
            if not taken & set(range(link.start, link.end)):
                links.append(link)
                taken |= set(range(link.start, link.end))
        self.links = sorted(links, key=lambda link: link.start)
        self.taken = taken
        self._deny()
        self._join()
        self.used: set[Link] = set()

    def _is_name(self, one: Condition, taken: set[int]) -> bool:
        """Whether a month alone is a value of the table, as May is a name; gives its words back."""
        words = self.tokens[one.start : one.end]
        months = [word for word in words if word.word in MONTHS]
        is_month = one.is_date and all(str(v) in _MONTHS_ALONE for v in one.values)
        if not is_month or not any(self.vocabulary.values.called([word]) for word in months):
            return False
        if words[0].word not in _OF or len(months) > 1:
            self.unclear = f'"{months[0].text}" may be a month or a value'
            return False
        taken -= set(range(one.start, one.end))
        return True

    def _deny(self) -> None:
        """Take each "not" that stands before a value or a truth, and turn that around.

        So does "out of" before a truth.
        """
        for place, token in enumerate(self.tokens):
            is_not = token.word in ("not", "no", "without") or token.word.endswith(("n't", "n’t"))
            # "Out of stock" denies what a column says of stock.
            is_out = [one.word for one in self.tokens[place : place + 2]] == ["out", "of"]
            if place in self.taken or not (is_not or is_out):
                continue
            near = range(place + 1, self._past_small_words(place + 1) + 1)
            at = next((n for n, one in enumerate(self.links) if one.start in near), None)
            if at is None or (is_out and not self._says_in(self.links[at])):
                continue
            following = self.links[at + 1 : at + 2]
            if self.links[at].role in ("column", "table") and following:
                # "not for customer Acme"
                at += following[0].role == "value" and following[0].start == self.links[at].end
            if token.word in ("no", "without") and not self.links[at].is_truth:
                continue
            if self.links[at].is_condition and not self.links[at].negated:
                self.links[at] = replace(self.links[at], negated=True)
                self.taken.add(place)

    def _says_in(self, link: Link) -> bool:
        """Whether a column of truths says that something is in what a link names: "In Stock"."""
        said = [stem(token.word) for token in self.tokens[link.start : link.end]]
        names = name_words(link.columns[0].name) if link.is_truth else []
        return said == [stem(word) for word in names if word not in _WITHIN]

    def _past_small_words(self, place: int) -> int:
        while place < len(self.tokens) and self.tokens[place].word in _BETWEEN:
            place += 1
        return place

    def _join(self) -> None:
        """Take each "and" between two conditions; with "not" it is open what is denied."""
        if any(link.negated for link in self.links):
            return
        spans = [(link.start, link.end) for link in self.links if link.is_condition]
        for one in self.conditions:
            # "over 200", and "a cost over 200"
            before = [link.start for link in self.links if link.end == one.start]
            spans += [(start, one.end) for start in (one.start, *before) if one.named]
        for place, token in enumerate(self.tokens):
            if token.word != "and" or place in self.taken:
                continue
            after = self._past_small_words(place + 1)
            if any(end == place for _, end in spans) and any(start == after for start, _ in spans):
                self.taken.add(place)

    @cached_property
    def named(self) -> int:
        """How many words name the table."""
        return sum(
            one.end - one.start
            for one in self.links
            if self.vocabulary.is_named_by(one, self.tokens)
        )

    def has(self, *cues: Cue) -> Found | None:
        """Return the first of some cues, if there is one."""
        return next((one for one in self.cues if set(cues) & set(one.cues)), None)

    def text(self, link: Link) -> str:
        """Return the words of a link."""
        return " ".join(token.text for token in self.tokens[link.start : link.end])

    def moments(self) -> Column:
        """Return the one column of dates that is meant."""
        dates = [column for column in self.vocabulary.table.columns if column.is_moment]
        hints = [
            one for one in self.links if one.role == "column" and set(one.columns) & set(dates)
        ]
        named = [column for column in dates if any(column in hint.columns for hint in hints)]
        if len(named or dates) != 1:
            raise UnreadError("it does not say which column is the date")
        if not named and (self.vocabulary.lasts or _OTHER_DATES & set(name_words(dates[0].name))):
            raise UnreadError(f"it does not say that it is about {dates[0].name}")
        self.used.update(hints)
        return (named or dates)[0]
