"""Complete a follow-up question from the conversation, so that it can be searched for.

By rules, not by a model: they cost nothing, never invent a topic, and what they made is
shown. A question that stands by itself is left alone.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_WORD = re.compile(r"[^\W_][\w'’-]*")


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_POINTING = _set(
    "it its itself they them their theirs he him his she her hers this that these those there "
    "then one ones same such former latter both either neither"
)
_OPENINGS = re.compile(
    r"\s*(?:and|but|or|so|also|plus|ok(?:ay)?|then|what about|how about|why not|what else|"
    r"anything else|who else|where else|in that case|otherwise)\b",
    re.IGNORECASE,
)
_COMMON = _set(
    "a an the of in on at to for from by with about as into over under between is are was were be "
    "been being do does did have has had can could will would shall should may might must not no "
    "i you we us our your my me mine ours yours what which who whom whose when where why how many "
    "much long often far there here please tell say give show and or but so if than too very just "
    "also any some all each every other else more most get got does happen happens need needs use "
    "used work works"
)
# Fewer words of its own than this do not make a topic, unless they ask what a word means.
_FEW_WORDS = 2
# With as many, a question holds what its pronouns stand for: "may I shut down my laptop when
# it was hacked?". Of the 307 standalone questions of the examples, 114 have such a pronoun.
_ENOUGH_WORDS = 5
_DEFINITION = re.compile(
    r"\s*(?:what|who)(?:['’]s|\s+(?:is|are|was|were))\s+(?:an?\s+)?(?!the\b)[^\W_][\w'’-]*\s*\??\s*"
    r"|\s*what\s+does\s+(?:an?\s+)?[^\W_][\w'’-]*\s+(?:mean|stand\s+for)\s*\??\s*",
    re.IGNORECASE,
)
# With a verb and one thing that is named as such, "how long is probation?" stands alone; "what is
# the deadline?" and "how many days do I get?" do not say of what.
_VERBS = _set(
    "am is are was were do does did can could may might must shall should will would has have had"
)
_AMOUNTS = _set(
    "second seconds minute minutes hour hours day days week weeks month months year years time "
    "times euro euros dollar dollars pound pounds percent money people copies pages"
)
# "Is there …", "there is …": says that something exists and points nowhere.
_EXISTENCE = re.compile(
    r"\b(?:is|are|was|were|be)\s+there\b|\bthere(?:\s+(?:is|are|was|were|be)\b|['’]s\b)",
    re.IGNORECASE,
)
_MOST_TOPIC_WORDS = 12
# An answer this short is a name or a number that a pronoun may stand for.
_MOST_ANSWER_WORDS = 6

# A question that asks this much is none of a table.
_MOST_CHARACTERS = 500
_COUNTING = re.compile(r"\bhow many\s+", re.IGNORECASE)
_DENYING = _set("not no never nor neither without except")


def _values(leads: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:(?P<lead>(?i:{leads}))\s)?(?P<value>{value})(?![\w%]|[.,]\d)")


_DATE = r"(?:\d{1,2}\s)?(?:[A-Z][a-z]+\s(?:\d{1,2},?\s)?)?(?:1[89]|2[01])\d\d(?:-\d\d){0,2}"
_NUMBER = r"[$€£¥₹]?\d[\d,]*(?:\.\d+)?%?"
_DATES = _values(
    "in|on|of|for|during|since|from|between|before|after|until",
    rf"{_DATE}(?:\s(?:and|to|until)\s{_DATE})?",
)
_NUMBERS = _values(
    "over|above|exceeding|under|below|between|exactly|up to|at (?:least|most)|"
    "(?:more|greater|higher|less|lower|fewer) than",
    rf"{_NUMBER}(?:\sand\s{_NUMBER})?",
)
_RANKS = _values(
    "the",
    r"(?:most|least)(?:\s(?:common|costly|expensive|frequent|often|recent))?|fewest|average|total|"
    r"m(?:ax|in)(?:imum)?|first|last|(?:high|low|larg|small|bigg|great|long|short|cheap|dear|costli"
    r"|lat|new|earli|old)est",
)
_NAMES = _values(
    "in|at|on|of|for|from|by|with|to",
    r"(?:the\s)?(?:[A-Z][\w&'’-]*(?:\s[A-Z][\w&'’-]*)*|[^\W\d][\w&'’-]*)",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation with its answer.

    :param question: As it was asked.
    :param searched: As it was searched for.
    :param answer: The answer; None for an abstention.
    :param gist: The words of the answer that are the very answer, if known.
    """

    question: str
    searched: str
    answer: str | None = None
    gist: str | None = None


def standalone(
    question: str,
    history: Sequence[Turn],
    is_counted: Callable[[str], bool] | None = None,
) -> str:
    """Return a question with the topic it takes for granted.

    :param question: The question.
    :param history: The conversation so far, oldest first.
    :param is_counted: Says whether a text is read as a query of a table. Such a query has all of
        the last question's words: a topic without "not" and "over" could ask for the opposite.
    :returns: The question itself where it stands alone, or there is no conversation.
    """
    if not history or not is_follow_up(question):
        return question
    last = history[-1]
    # Of words that were left out before, nothing is known.
    is_whole = is_counted is not None and (
        last.searched == last.question or is_counted(last.searched)
    )
    if is_counted is not None and is_whole:
        for counted in filter(is_counted, _in_whole_words(question, last.searched)):
            return counted
    own = {word.casefold() for word in _words(question)}
    topic = [word for word in _topic(last.searched) if word.casefold() not in own]
    points = any(word in _POINTING for word in own)
    if points and last.gist and len(_words(last.gist)) <= _MOST_ANSWER_WORDS:
        known = own | {word.casefold() for word in topic}
        topic += [word for word in _topic(last.gist) if word.casefold() not in known]
    if not topic:
        return question
    completed = f"{question.rstrip()} ({' '.join(topic[:_MOST_TOPIC_WORDS])})"
    return question if is_counted is not None and is_counted(completed) else completed


def _in_whole_words(question: str, last: str) -> Iterator[str]:
    """Yield what a follow-up to a question of a table may ask, likeliest first.

    A date, number or superlative stands in the place of the last question's, another value beside
    it or else in its place.
    """
    asked, said = (" ".join(text.split()).rstrip(" ?.!") for text in (question, last))
    if len(asked) + len(said) > _MOST_CHARACTERS:
        return
    said = re.sub(r"[()]", "", said)
    while opening := _OPENINGS.match(asked):
        asked = asked[opening.end() :].lstrip(" ,")
    if (counting := _COUNTING.match(asked)) and _COUNTING.search(said):
        asked = asked[counting.end() :]
    if not asked:
        return
    for kind in (_DATES, _NUMBERS, _RANKS):
        places = [place for place in kind.finditer(said) if place["lead"]]
        if places and kind.search(asked):
            if len(places) == 1:
                yield from _exchanged(kind, asked, said)
            return
    yield f"{asked[0].upper()}{asked[1:]}? ({said})"
    yield from _exchanged(_NAMES, asked, said)


def _exchanged(kind: re.Pattern[str], asked: str, said: str) -> Iterator[str]:
    """Yield a question with the one value of a follow-up in each place that may be its own."""
    new = [value for value in kind.finditer(asked) if value["lead"]]
    new = new or [value for value in [kind.fullmatch(asked)] if value]
    if len(new) != 1:
        return
    rest = _words((asked[: new[0].start()] + asked[new[0].end() :]).casefold())
    if not {*rest} <= {*_words(said.casefold())} - _DENYING:
        return
    lead, value = (new[0]["lead"] or "").lower(), new[0]["value"]
    for place in kind.finditer(said):
        before = (place["lead"] or "").lower()
        if before and (kind is not _NAMES or lead in ("", before)):
            instead = f"{said[: place.start()]}{lead or before} {value}{said[place.end() :]}?"
            yield instead[0].upper() + instead[1:]


def is_follow_up(question: str) -> bool:
    """Say whether a question leans on what was said before."""
    if _OPENINGS.match(question):
        return True
    words = [word.casefold() for word in _words(_EXISTENCE.sub(" ", question))]
    own = sum(word not in _COMMON and word not in _POINTING for word in words)
    if any(word in _POINTING for word in words):
        return own < _ENOUGH_WORDS
    return own < _FEW_WORDS and not (_DEFINITION.fullmatch(question) or _names_one(words))


def _names_one(words: Sequence[str]) -> bool:
    """Whether a question's one word of its own is what it is about."""
    places = [place for place, word in enumerate(words) if word not in _COMMON]
    if len(places) != 1 or words[places[0]] in _AMOUNTS or not _VERBS & set(words):
        return False
    if any(one in ("many", "much") and other in _VERBS for one, other in pairwise(words)):
        return False  # "how many are open?"
    return places[0] > 0 and words[places[0] - 1] != "the"


def _topic(text: str) -> list[str]:
    """Return the words that carry a text's topic, each once, in order."""
    found: dict[str, str] = {}
    for word in _words(text):
        key = word.casefold()
        if key not in _COMMON and key not in _POINTING and not _OPENINGS.fullmatch(word):
            found.setdefault(key, word)
    return list(found.values())


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
