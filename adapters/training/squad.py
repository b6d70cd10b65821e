"""How far an answer is the one wanted, as SQuAD counts it."""

import collections
import re
import string

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def f1(answer: str, wanted: str) -> float:
    """Return how far two answers share their words, as SQuAD counts it.

    Of two answers without a word but articles the one is all of the other.
    """
    told, asked = collections.Counter(_words(answer)), collections.Counter(_words(wanted))
    if not told or not asked:
        return float(told == asked)
    same = (told & asked).total()
    return 2 * same / (told.total() + asked.total())


def same_words(answer: str, wanted: str) -> bool:
    """Return whether two answers are the same but for case, articles and punctuation."""
    return _words(answer) == _words(wanted)


def _words(text: str) -> list[str]:
    plain = "".join(character for character in text.lower() if character not in string.punctuation)
    return _ARTICLES.sub(" ", plain).split()
