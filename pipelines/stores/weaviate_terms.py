"""Which of a question's terms Weaviate is asked for: those that the embedded store counts.

Both score by the same BM25; see :mod:`pipelines.stores.bm25`. The embedded store leaves
very common terms out, and here a sample tells which those are.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from pipelines.stores.bm25 import COMMON_SHARE, COMMON_TEXTS, K1, MOST_TERMS


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

    @staticmethod
    def matter(total: int, terms: Sequence[str]) -> bool:
        """Say whether a choice among the terms has to be made at all."""
        return total > COMMON_TEXTS or len(terms) > MOST_TERMS

    def telling(self, terms: Sequence[str]) -> list[str]:
        """Return the terms to search for; never none of them."""
        limit = max(COMMON_TEXTS, COMMON_SHARE * self._total)
        share = self._total / max(1, self._sampled)
        telling = [term for term in terms if self._found[term] * share <= limit] or terms
        return sorted(telling, key=lambda term: (self._found[term], term))[:MOST_TERMS]


def bm25_score(score: float) -> float:
    """Return Weaviate's score of a document as the embedded store's, which has k1 + 1 in it."""
    return score * (K1 + 1)
