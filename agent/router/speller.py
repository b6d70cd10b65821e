"""Mend words that nobody writes, so that a slip of the finger does not change the route."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from adapters.cache import write_whole
from agent.errors import RouterError
from pipelines.embed.embedder import Embedder

FILE = "words.json"
_WORD = re.compile(r"\b[A-Za-z][A-Za-z']*\b")
# A longer question has words enough that are spelt well.
_MOST_MENDED = 64
_LONG, _NEAR, _FAR = 5, 1, 2
_MOST_NEAR = 10
# Log-likelihoods: of an edit, and that what is written is a word, but not the one meant.
_EACH_EDIT, _OTHER_WORD = 3.0, 3.0
# How much the word before tells, and how often a word was seen that was not.
_BY_NEIGHBOUR, _UNSEEN = 0.7, 0.3
_MOST_PAIRS = 50_000
# How many words from a slip a word may be one too.
_BESIDE = 3
_SURE, _WORD_LIKE, _UNKNOWN = range(3)

Choice = tuple[str, float]
"""A word that may have been meant, and how likely what is written makes it, as a logarithm."""


def words_of(text: str) -> list[str]:
    """Return the words of a text that may be mended."""
    return _WORD.findall(text)


def reads_whole(embedder: Embedder, word: str) -> bool:
    """Return whether a word is one token to an encoder, as frequent words of its language are."""
    return embedder.has_token_states and embedder.count_tokens([word]) == [1]


class Speller:
    """Replaces words that are not known by those most likely meant.

    Likely is what differs by one or two edits, is frequent, and often stands behind the word
    before and before the word behind: the likeliest text as a whole is taken (Viterbi). Beside an
    unknown word a known one may be a slip too, and where one word alone is not known it differs by
    one edit. Edits are those of the optimal string
    alignment distance: a letter more, less, other or changed places.

    :param counts: How often each word was seen, in lower case.
    :param pairs: How often two words were seen side by side, written with a blank between them.
    """

    def __init__(self, counts: Mapping[str, int], pairs: Mapping[str, int] | None = None) -> None:
        self._counts, self._pairs = dict(counts), dict(pairs or {})
        self._total = max(1, sum(self._counts.values()))
        self._words: dict[int, list[str]] = {}
        for word in sorted(counts):
            self._words.setdefault(len(word), []).append(word)
        self._letters: dict[int, NDArray[np.uint32]] = {}
        self._memo: dict[tuple[str, int], list[Choice]] = {}

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Speller":
        """Return a speller that has seen texts."""
        counts: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        for text in texts:
            words = [word.lower() for word in _WORD.findall(text)]
            counts.update(words)
            pairs.update(f"{one} {other}" for one, other in pairwise(words))
        return cls(counts, dict(pairs.most_common(_MOST_PAIRS)))

    def mend(
        self,
        text: str,
        is_known: Callable[[str], bool] = lambda word: False,
        is_word: Callable[[str], bool] = lambda word: False,
        *,
        beside: bool = True,
    ) -> str:
        """Return a text with its unknown words mended, where a known one is near.

        :param is_known: Tells of further words that they are never mended.
        :param is_word: Tells of further words that they need no mending, but may be slips
            beside one.
        :param beside: Whether known words beside an unknown one may be slips too.
        """
        words = words_of(text)
        doubts = [self._doubt(word, is_known, is_word) for word in words]
        slips = [at for at, doubt in enumerate(doubts) if doubt == _UNKNOWN][:_MOST_MENDED]
        # An unknown word among known ones is as often rare as it is a slip.
        most = _FAR if len(slips) > 1 else _NEAR
        near = {at: found for at in slips if (found := self._near(words[at].lower(), most))}
        if not near:
            return text
        far = _BESIDE if beside else 0
        for at in {at for slip in near for at in range(slip - far, slip + far + 1)}:
            if 0 <= at < len(words) and doubts[at] == _WORD_LIKE:
                others = self._near(words[at], most)
                near[at] = [(words[at], 0.0), *((one, by - _OTHER_WORD) for one, by in others)]
        choices = [near.get(at, [(word.lower(), 0.0)]) for at, word in enumerate(words)]
        meant = zip(words, self._likeliest(choices), strict=True)
        said = iter([word if word.lower() == one else one for word, one in meant])
        return _WORD.sub(lambda match: next(said), text)

    def _doubt(
        self, word: str, is_known: Callable[[str], bool], is_word: Callable[[str], bool]
    ) -> int:
        # In capitals is written what is a name or a code.
        if word.isupper():
            return _SURE
        seen = word.lower() in self._counts
        if not seen and is_known(word):
            return _SURE
        if not seen and not is_word(word):
            return _UNKNOWN
        return _WORD_LIKE if word.islower() and len(word) > 1 else _SURE

    def _near(self, word: str, most: int) -> list[Choice]:
        """Return other words within some edits, the likeliest by themselves first."""
        edits = min(most, _NEAR if len(word) < _LONG else _FAR)
        if (word, edits) not in self._memo:
            if len(self._memo) > 10_000:
                self._memo.clear()
            found = process.extract(
                word, self._alike(word, edits), scorer=OSA.distance, score_cutoff=edits, limit=None
            )
            near = [(other, -_EACH_EDIT * far) for other, far, _ in found if far]
            near.sort(key=lambda one: -one[1] - math.log(self._counts[one[0]]))
            self._memo[word, edits] = near[:_MOST_NEAR]
        return self._memo[word, edits]

    def _alike(self, word: str, edits: int) -> list[str]:
        """Return the words that may be within some edits, each of which changes two letters."""
        letters = _letters([word])
        found: list[str] = []
        for length in range(max(2, len(word) - edits), len(word) + edits + 1):
            words = self._words.get(length, [])
            if not words:
                continue
            if length not in self._letters:
                self._letters[length] = _letters(words)
            others = np.bitwise_count(self._letters[length] ^ letters)
            found += [words[at] for at in np.flatnonzero(others <= 2 * edits)]
        return found

    def _likeliest(self, choices: Sequence[Sequence[Choice]]) -> list[str]:
        """Return of each word's choices the one in the likeliest text."""
        ways, came_from = {"": 0.0}, []
        for choice in choices:
            best = {
                word: max(
                    (before + self._behind(last, word), last) for last, before in ways.items()
                )
                for word, _ in choice
            }
            came_from.append({word: last for word, (_, last) in best.items()})
            ways = {word: best[word][0] + share for word, share in choice}
        word = max(ways, key=lambda one: ways[one])
        said = []
        for before in reversed(came_from):
            said.append(word)
            word = before[word]
        return said[::-1]

    def _behind(self, last: str, word: str) -> float:
        """Return the log-likelihood of a word behind another."""
        seen = self._counts.get(last, 0)
        beside = self._pairs.get(f"{last} {word}", 0) / seen if seen else 0.0
        alone = (self._counts.get(word, 0) + _UNSEEN) / self._total
        return math.log(_BY_NEIGHBOUR * beside + (1 - _BY_NEIGHBOUR) * alone)

    def save(self, path: Path) -> None:
        """Write what it has seen."""
        content = {"counts": self._counts, "pairs": self._pairs}
        write_whole(path, json.dumps(content).encode())

    @classmethod
    def load(cls, path: Path) -> "Speller":
        """Return the speller that was written to a file.

        :raises RouterError: When it cannot be read.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            # Before words were seen side by side there were none.
            return cls(content["counts"], content.get("pairs"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RouterError(
                f"the router in {path.parent} cannot be read ({error}): run `expert router fit`"
            ) from None


def _letters(words: Sequence[str]) -> NDArray[np.uint32]:
    """Return which letters words of one length have, a bit for each."""
    codes = np.array(words).view(np.uint32).reshape(len(words), -1)
    letters: NDArray[np.uint32] = np.bitwise_or.reduce(np.uint32(1) << (codes % 32), axis=1)
    return letters
