"""What Weaviate is asked for, so that words weigh what they do in the embedded store.

Both score by BM25 with the same k1 and b, yet with other inverse document frequencies: the
embedded store's, as FTS5's, is log((N - n + 0.5) / (n + 0.5)), which leaves nothing to a
word in half of the documents, and Weaviate's is log(1 + that), which does. A word repeated
in a question counts as often, so each is repeated in proportion to what it should count.
How common the words are is estimated from a sample.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from pipelines.stores.bm25 import COMMON_SHARE, COMMON_TEXTS, K1, MOST_TERMS

# Steps in which a word's weight is expressed. Over 600 SQuAD questions and 5,608 passages,
# 40 steps give the same first five passages for .84 of them, 20 for .79, and none for .37.
_STEPS = 40


class TermFrequencies:
    """How common terms are in an index.

    :param total: How many documents it has.
    :param sample: The terms of some of them, separated by blanks; an even choice.
    """

    def __init__(self, total: int, sample: Iterable[str]) -> None:
        self._total = total
        self._sampled = 0
        self._found: Counter[str] = Counter()
        for terms in sample:
            self._found.update(set(terms.split()))
            self._sampled += 1

    def query(self, terms: Sequence[str]) -> str:
        """Return the text to search for: the telling ones of some distinct terms, repeated."""
        return " ".join(term for term in self._telling(terms) for _ in range(self._times(term)))

    @staticmethod
    def score(score: float) -> float:
        """Return the score of a search for :meth:`query` on the embedded store's scale."""
        return score * (K1 + 1) / _STEPS

    def _telling(self, terms: Sequence[str]) -> list[str]:
        limit = max(COMMON_TEXTS, COMMON_SHARE * self._total)
        share = self._total / max(1, self._sampled)
        telling = [term for term in terms if self._found[term] * share <= limit] or terms
        return sorted(telling, key=lambda term: (self._found[term], term))[:MOST_TERMS]

    def _times(self, term: str) -> int:
        found = self._found[term]
        odds = (self._sampled - found + 0.5) / (found + 0.5)
        # A word too common to count still finds its documents, as in the embedded store.
        return max(1, round(_STEPS * max(0.0, math.log(odds)) / math.log1p(odds)))
