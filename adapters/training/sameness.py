"""When two texts say or ask the same, as far as their words tell."""

import re
import unicodedata
from collections.abc import Sequence

from adapters.training.examples import Example

# Words that a question can lose or change and still be the same one.
_FILLERS = frozenset(
    re.findall(
        r"\w+",
        """a an and are at be been by can could did do does for from had has have how i if in is it
        its may me might must my of on or our please shall should tell that the their there these
        they this those to us was we were what when where which who whom whose why will with would
        you your""",
    )
)
_INTERROGATIVES = frozenset(["how", "when", "where", "which", "who", "whom", "whose", "why"])
_NEGATIONS = frozenset(
    ["cannot", "neither", "never", "no", "nobody", "none", "nor", "not", "nothing", "without"]
)
_ONES = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty"""
_TENS = "thirty forty fifty sixty seventy eighty ninety"
_NUMBERS = {
    **{word: str(number) for number, word in enumerate(_ONES.split(), 1)},
    **{word: str(10 * number) for number, word in enumerate(_TENS.split(), 3)},
}
_STEM = 6
# Signs that stay, since a sign of mathematics is no punctuation.
_MINUS, _POINT = "−", "∙"


class _Blanks(dict[int, str]):
    """Punctuation, blanks and controls as a blank each; what a word may hold as it is."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        kept = category[0] in "LMN" or category in ("Sm", "Sc", "So") or character in "#%&@*"
        self[code] = character if kept else " "
        return self[code]


_BLANKS = _Blanks()


def normalised(text: str) -> str:
    """Return a text's words alone, in lower case, without punctuation."""
    return " ".join(words_of(text)) or text.strip()


def words_of(text: str) -> list[str]:
    """Return a text's words in lower case; ``1,000`` is ``1000``, ``two`` is ``2``."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    # What is denied must not pass for what is said.
    folded = re.sub(r"n't\b", " not", folded).replace("can not", "cannot")
    folded = re.sub(r"(?<=\d),(?=\d{3}\b)|(?<=\d)\s+(?=[%°])", "", folded)
    folded = re.sub(r"(?<=\d)\.(?=\d)", _POINT, folded)
    folded = re.sub(r"(?<!\w)-(?=\d)", _MINUS, folded)
    return [_NUMBERS.get(word, word) for word in folded.translate(_BLANKS).split()]


def content_words(text: str) -> set[str]:
    """Return the words of a text that carry what it says, each once."""
    return set(words_of(text)) - _FILLERS


def prompt_key(example: Example) -> tuple[str, ...]:
    """Return what is alike for examples that ask the very same, word for word."""
    return (
        *(f"{m.role} {normalised(m.content)}" for m in example.messages[:-1]),
        *(normalised(passage) for passage in example.context),
    )


def question_keys(examples: Sequence[Example]) -> list[tuple[object, ...]]:
    """Return for each example what is alike for those that ask nearly the same.

    Order, inflection, articles and auxiliaries do not count; numbers, negations and question
    words do. A question that is asked over one passage and over another is two questions,
    unless it is asked without any too.
    """
    asked = [_asked(example) for example in examples]
    alone = {words for words, example in zip(asked, examples, strict=True) if not example.context}
    return [
        (words,) if words in alone else (words, *(normalised(text) for text in example.context))
        for words, example in zip(asked, examples, strict=True)
    ]


def _asked(example: Example) -> object:
    said = " ".join(message.content for message in example.messages if message.role == "user")
    if not content_words(said):
        return normalised(said)
    return frozenset(
        word if has_digit(word) else word[:_STEM]
        for word in words_of(said)
        if word not in _FILLERS or word in _INTERROGATIVES
    )


def agree(one: str, other: str) -> bool:
    """Return whether two answers may be wordings of one: the longer adds words to the shorter.

    Numbers and negations must be the same.
    """
    shorter, longer = sorted((content_words(one), content_words(other)), key=len)
    if not shorter or not shorter <= longer:
        return False
    return not any(has_digit(word) or word in _NEGATIONS for word in longer - shorter)


def has_digit(word: str) -> bool:
    """Return whether a word is or holds a number."""
    return any(character.isdigit() for character in word)
