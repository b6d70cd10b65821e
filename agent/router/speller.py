"""Mend words that nobody writes, so that a slip of the finger does not change the route."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import OSA

from adapters.cache import write_whole
from agent.errors import RouterError

FILE = "words.json"
_WORD = re.compile(r"\b[A-Za-z][A-Za-z']*\b")
# A longer question has words enough that are spelt well.
_MOST_MENDED = 64
_LONG, _NEAR, _FAR = 5, 1, 2
_EACH_EDIT = 3.0


class Speller:
    """Replaces words that are not known by the likeliest known word within one or two edits.

    Edits are those of the optimal string alignment distance: a letter more, less, other or
    changed places. Only what the router sees is mended, never what is searched for.

    :param counts: How often each word was seen, in lower case.
    :param known: Words that are left alone though they were not seen.
    """

    def __init__(self, counts: Mapping[str, int], known: Iterable[str] = ()) -> None:
        self._known = frozenset(known) | counts.keys()
        self._counts = dict(counts)
        self._words = sorted(word for word in counts if len(word) > 1)
        self._memo: dict[str, str] = {}

    @classmethod
    def of(cls, texts: Iterable[str], known: Iterable[str] = ()) -> "Speller":
        """Return a speller that has seen texts."""
        counts = Counter(word.lower() for text in texts for word in _WORD.findall(text))
        return cls(counts, known)

    def mend(self, text: str, is_known: Callable[[str], bool] = lambda word: False) -> str:
        """Return a text with its unknown words mended, where a known one is near.

        :param is_known: Tells of further words that they are known.
        """
        mended = 0

        def replaced(match: re.Match[str]) -> str:
            nonlocal mended
            word = match[0]
            # In capitals is written what is a name or a code.
            known = word.isupper() or word.lower() in self._known or is_known(word)
            if known or mended >= _MOST_MENDED:
                return word
            mended += 1
            return self._nearest(word.lower()) or word

        return _WORD.sub(replaced, text)

    def _nearest(self, word: str) -> str:
        if word not in self._memo:
            if len(self._memo) > 10_000:
                self._memo.clear()
            edits = _NEAR if len(word) < _LONG else _FAR
            found = process.extract(
                word, self._words, scorer=OSA.distance, score_cutoff=edits, limit=None
            )
            self._memo[word] = max(
                ((math.log(self._counts[near]) - _EACH_EDIT * far, near) for near, far, _ in found),
                default=(0.0, ""),
            )[1]
        return self._memo[word]

    def save(self, path: Path) -> None:
        """Write what it has seen and knows."""
        content = {"counts": self._counts, "known": sorted(self._known - self._counts.keys())}
        write_whole(path, json.dumps(content).encode())

    @classmethod
    def load(cls, path: Path) -> "Speller":
        """Return the speller that was written to a file.

        :raises RouterError: When it cannot be read.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(content["counts"], content["known"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RouterError(
                f"the router in {path.parent} cannot be read ({error}): run `expert router fit`"
            ) from None
