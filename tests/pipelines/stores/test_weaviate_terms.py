import math
from collections import Counter

import pytest

from pipelines.stores.bm25 import COMMON_TEXTS, K1, MOST_TERMS
from pipelines.stores.weaviate_terms import TermFrequencies

SAMPLE = ["the pump pump"] * 5 + ["the leak"] * 3 + ["the"] * 12


def repeated(total, terms):
    return Counter(TermFrequencies(total, SAMPLE).query(terms).split())


def test_a_word_counts_as_much_as_it_does_in_the_embedded_store():
    counts = repeated(20, ["pump", "leak", "unknown"])
    for word, found in (("pump", 5), ("leak", 3), ("unknown", 0)):
        odds = (20 - found + 0.5) / (found + 0.5)
        assert counts[word] == pytest.approx(40 * math.log(odds) / math.log(1 + odds), abs=0.5)


def test_a_word_in_most_documents_still_finds_them():
    assert repeated(20, ["the"]) == {"the": 1}


def test_common_words_are_left_out_of_large_indexes_only_and_where_others_remain():
    assert set(repeated(COMMON_TEXTS, ["the", "pump", "seal"])) == {"the", "pump", "seal"}
    assert set(repeated(10 * COMMON_TEXTS, ["the", "pump", "seal"])) == {"pump", "seal"}
    assert set(repeated(10 * COMMON_TEXTS, ["the"])) == {"the"}


def test_of_a_long_question_the_rarest_terms_count():
    terms = ["the", "pump", *(f"rare{n:03d}" for n in range(MOST_TERMS))]
    assert set(repeated(20, terms)) == set(terms[2:])


def test_without_documents_every_word_counts_the_same():
    counts = Counter(TermFrequencies(0, []).query(["a", "b"]).split())
    assert counts["a"] == counts["b"] > 0


def test_scores_are_on_the_embedded_stores_scale():
    assert TermFrequencies.score(40.0) == pytest.approx(K1 + 1)
