"""Whether evidence backs an answer, by its words alone.

It shares nothing with what answers are checked by when they are given, so that neither
method's blind spots hide in the other's.
"""

import re
import unicodedata
from collections.abc import Sequence

from pipelines.evidence import Evidence
from pipelines.sentences import sentence_spans

_LEAST = 0.6
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 4


def _listed(words: str) -> list[str]:
    return words.split()


# Of the words so long, those that say nothing by themselves.
_EMPTY = frozenset(
    _listed(
        "about above after again also although always another because been before being below "
        "between both cannot could does doing done down during each either else even ever "
        "every from have having here hers into itself just like many more most much must "
        "neither never only other ours over rather same shall should since some such than "
        "that their theirs them themselves then there these they this those though through "
        "thus under until upon very what when where whether which while whom whose will with "
        "within without would your yours "
    )
)


def is_backed(answer: str, evidence: Sequence[Evidence], conclusion: str | None = None) -> bool:
    """Say whether one piece of evidence backs each sentence of an answer.

    It does when all the sentence's numbers and names stand in it, and six of ten of the words
    that carry its meaning.

    :param answer: The answer, without marks of citations.
    :param evidence: What it may rest on.
    :param conclusion: Its last sentence, where that only compares what stands before it: its
        numbers have to be there.
    """
    if conclusion is not None and answer.endswith(conclusion):
        answer = answer.removesuffix(conclusion).rstrip()
        if not _Words(conclusion).numbers <= _Words(answer).numbers:
            return False
    pieces = [_Words(f"{piece.context}\n{piece.text}") for piece in evidence]
    spans = sentence_spans(answer) or [(0, len(answer))]
    sentences = [_Words(answer[start:end]) for start, end in spans]
    return all(any(piece.backs(sentence) for piece in pieces) for sentence in sentences)


class _Words:
    def __init__(self, text: str) -> None:
        text = unicodedata.normalize("NFKC", text)
        self.numbers = {number.replace(",", "") for number in _NUMBER.findall(text)}
        words = _WORD.findall(text)
        self.all = {word.casefold() for word in words}
        self.content = {word for word in self.all if len(word) >= _SHORTEST} - _EMPTY
        # The first word's capital says nothing, unless others follow it.
        self.names = {
            word.casefold()
            for place, word in enumerate(words)
            if (word[0].isupper() and place and len(word) > 1) or word[1:].isupper()
        }

    def backs(self, sentence: "_Words") -> bool:
        shared = len(sentence.content & self.all)
        return (
            sentence.numbers <= self.numbers
            and sentence.names <= self.all
            and shared >= _LEAST * len(sentence.content)
        )
