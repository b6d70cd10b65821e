"""Make Weaviate weigh a question's words as FTS5 does.

Both score by BM25, yet with other inverse document frequencies: FTS5's is
log((N - n + 0.5) / (n + 0.5)), which leaves nothing to a word in half of the documents,
and Weaviate's is log(1 + that), which does. A word repeated in a question counts as often,
so each is repeated in proportion to what it should count.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

# Steps in which a word's weight is expressed; more made no difference that was measured.
_STEPS = 40
# The embedded store leaves words out that are in more passages than this and than this
# share of them, where a question has others.
_COMMON, _COMMON_SHARE = 5_000, 0.1
# FTS5's BM25 has the factor k1 + 1, which Weaviate leaves out.
_FACTOR = 1.2 + 1.0


class WordWeights:
    """How common words are, from a sample of an index.

    :param sample: The terms of some documents, separated by blanks; an even choice.
    :param total: How many documents there are in all.
    """

    def __init__(self, sample: Iterable[str], total: int) -> None:
        self._total = total
        self._frequencies: Counter[str] = Counter()
        self._documents = 0
        for terms in sample:
            self._frequencies.update(set(terms.split()))
            self._documents += 1

    def query(self, terms: Sequence[str]) -> str:
        """Return the text to search for, of a question's distinct terms."""
        telling = [term for term in terms if not self._is_common(term)] or terms
        return " ".join(term for term in telling for _ in range(self._times(term)))

    @staticmethod
    def score(score: float) -> float:
        """Return a score of a search for :meth:`query` on the scale of FTS5's."""
        return score * _FACTOR / _STEPS

    def _is_common(self, term: str) -> bool:
        share = self._frequencies[term] / max(1, self._documents)
        return share * self._total > max(_COMMON, _COMMON_SHARE * self._total)

    def _times(self, term: str) -> int:
        found = self._frequencies[term]
        odds = (self._documents - found + 0.5) / (found + 0.5)
        # A word too common to count still finds its documents, as it does in FTS5.
        return max(1, round(_STEPS * max(0.0, math.log(odds)) / math.log1p(odds)))
