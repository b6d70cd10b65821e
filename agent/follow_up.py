"""Complete a follow-up question from the conversation, so that it can be searched for.

By rules, not by a model: they cost nothing, never invent a topic, and what they made is
shown. A question that stands by itself is left alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
# "Is there …", "there is …": says that something exists and points nowhere.
_EXISTENCE = re.compile(
    r"\b(?:is|are|was|were|be)\s+there\b|\bthere(?:\s+(?:is|are|was|were|be)\b|['’]s\b)",
    re.IGNORECASE,
)
_MOST_TOPIC_WORDS = 12
# An answer this short is a name or a number that a pronoun may stand for.
_MOST_ANSWER_WORDS = 6


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


def standalone(question: str, history: Sequence[Turn]) -> str:
    """Return a question with the topic it takes for granted.

    :param question: The question.
    :param history: The conversation so far, oldest first.
    :returns: The question itself where it stands alone, or there is no conversation.
    """
    if not history or not is_follow_up(question):
        return question
    last = history[-1]
    own = {word.casefold() for word in _words(question)}
    topic = [word for word in _topic(last.searched) if word.casefold() not in own]
    points = any(word in _POINTING for word in own)
    if points and last.gist and len(_words(last.gist)) <= _MOST_ANSWER_WORDS:
        known = own | {word.casefold() for word in topic}
        topic += [word for word in _topic(last.gist) if word.casefold() not in known]
    if not topic:
        return question
    return f"{question.rstrip()} ({' '.join(topic[:_MOST_TOPIC_WORDS])})"


def is_follow_up(question: str) -> bool:
    """Say whether a question leans on what was said before."""
    if _OPENINGS.match(question):
        return True
    words = [word.casefold() for word in _words(_EXISTENCE.sub(" ", question))]
    own = sum(word not in _COMMON and word not in _POINTING for word in words)
    if any(word in _POINTING for word in words):
        return own < _ENOUGH_WORDS
    return own < _FEW_WORDS and not _DEFINITION.fullmatch(question)


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
