"""What a question says beside its query: refused, but for words that say nothing."""

from itertools import pairwise

from pipelines.tables.conditions import SPENT
from pipelines.tables.parsed import Parsed, UnclearError, UnreadError
from pipelines.tables.words import listed, tells_case

# Words that carry no condition of their own in a question of this kind.
_EMPTY = SPENT | frozenset(
    listed(
        "a an the of is are was were be been there did do does have has had in on at for to "
        "with from what how many much all that any i we you me us tell show give list find "
        "please can could our my as value values case cases carried recorded logged "
        "registered raised listed entered appear appears appeared occur occurs occurred happen "
        "happens happened exist exists held involve involves involved concern concerns "
        "concerned made get gets got see seen entire whole overall yet still currently "
        "already"
    )
)
# By themselves their last words would be conditions: "out of stock", "on time", "single".
_PHRASES = tuple(
    map(
        listed,
        (
            "carried out",
            "a single",
            "all the time",
            "at the time",
            "at the moment",
            "right now",
            "type of",
            "kind of",
            "so far",
            "over all",
        ),
    )
)
_ARTICLES = frozenset({"a", "an", "the"})
# Say what was done in so many pieces or before then; alone they would be conditions.
_DOING = frozenset(
    listed(
        "drive drives drove carry carries carried draw draws weigh weighs earn earns come comes "
        "came take takes took score scores scored them"
    )
)
_ASKER = frozenset({"i", "me", "my", "us"})
# "Tell me" and "can I see" are no more than "please".
_GIVING = frozenset({"tell", "show", "give", "list", "find", "get"})
_ABLE = frozenset({"can", "could"})
_TAKING = frozenset({"get", "see", "find", "have"})
_KINDS = frozenset({"type", "types", "kind", "kinds"})
_ENDS = frozenset(listed("start beginning end middle"))
_PLACING = frozenset({"in", "at", "for", "on"})


def check_left_over(parsed: Parsed) -> None:
    """Refuse a question with a word that is not accounted for.

    :raises UnreadError: When there is one.
    """
    tokens, values = parsed.tokens, parsed.vocabulary.values
    if tokens[-1].word in _ARTICLES and len(tokens) - 1 not in parsed.taken:
        raise UnreadError(f'"{tokens[-1].text}" stands before nothing')
    for cue in parsed.cues:
        said = " ".join(token.text for token in tokens[cue.start : cue.end])
        if cue.start and (values.holds(said) or (said[0].isupper() and values.has_word(said))):
            raise UnreadError(f'"{said}" may be a value')
    is_measured = bool(parsed.conditions) or any(
        link.role == "column" and any(column.is_number for column in link.columns)
        for link in parsed.links
    )
    for place, token in enumerate(tokens):
        if is_measured and token.word in _DOING:
            continue
        if place in parsed.taken or token.kind == "quoted" or _is_in_phrase(parsed, place):
            continue
        # A capital opens a sentence, and "I" has one anywhere.
        is_name = token.text.isupper() and (place > 0 or len(token.text) > 1)
        is_name = is_name and token.word != "i" and tells_case(tokens)
        if token.word not in _EMPTY or is_name:
            raise UnreadError(f'"{token.text}" is neither in the table nor a known word')
        if values.holds(token.text) and (place or len(token.text) > 1):
            raise UnreadError(f'"{token.text}" may be a value')


def _is_in_phrase(parsed: Parsed, place: int) -> bool:
    """Whether a word ends a phrase that says nothing, as "work in" does not of people."""
    words = [token.word for token in parsed.tokens]
    if words[place] in _KINDS and any(
        link.end == place and link.role == "column" for link in parsed.links
    ):
        return True
    if parsed.vocabulary.is_of_persons and words[place] == "work":
        return bool({*words[place + 1 : place + 2]} & _PLACING)
    return any(tuple(words[: place + 1][-len(phrase) :]) == phrase for phrase in _PHRASES)


def check_asker(parsed: Parsed) -> None:
    """Refuse "my highest salary": which rows are the asker's, no table tells.

    :raises UnclearError: When the asker's rows may be meant.
    """
    for place, token in enumerate(parsed.tokens):
        if place in parsed.taken or token.kind != "word" or token.word not in _ASKER:
            continue
        before, after = (
            parsed.tokens[n].word if 0 <= n < len(parsed.tokens) else ""
            for n in (place - 1, place + 1)
        )
        wished = token.word in ("me", "us") and before in _GIVING
        asked = token.word == "i" and before in _ABLE and after in _TAKING
        # "What did it cost us?" asks for all of it.
        ours = token.word == "us" and before in SPENT
        if not (wished or asked or ours):
            raise UnclearError(f'it cannot be told which rows "{token.text}" means')


def check_moment(parsed: Parsed) -> None:
    """Refuse "at the start of 2023": what there was then is not what was dated so.

    :raises UnreadError: When a question asks for that.
    """
    named = {place for link in parsed.links for place in range(link.start, link.end)}
    for one in parsed.conditions:
        before = set(range(max(0, one.start - 2), one.start + 1)) - named
        if one.is_date and any(parsed.tokens[place].word in _ENDS for place in before):
            raise UnreadError("it asks what there was at a time")


def check_rows(parsed: Parsed) -> None:
    """Refuse "how many results have a student": each has, or it means another thing.

    :raises UnreadError: When rows are named twice.
    :raises UnclearError: When "in stock" may be the name of the rows.
    """
    rows = [link for link in parsed.links if link.role == "row"]
    for link in rows:
        said = [token.word for token in parsed.tokens[max(0, link.start - 1) : link.end]]
        if said == ["in", "stock"]:
            raise UnclearError("it may ask for all, or for what there is some of")
    for before, link in pairwise(rows):
        is_who = parsed.tokens[before.start].word == "who"
        is_named = parsed.vocabulary.is_named_row(link, parsed.tokens)
        if is_named and link.start > before.end and not is_who:
            raise UnreadError(f'"{parsed.text(link)}" has no place in the query')
