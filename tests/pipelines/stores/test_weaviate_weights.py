import math

import pytest

from pipelines.stores.weaviate_weights import WordWeights

SAMPLE = ["the pump"] * 5 + ["the leak"] * 3 + ["the"] * 12


def repeated(terms):
    counts = {}
    for word in WordWeights(SAMPLE, len(SAMPLE)).query(terms).split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def test_a_word_counts_as_much_as_it_does_in_fts5():
    counts = repeated(["pump", "leak", "unknown"])
    for word, found in (("pump", 5), ("leak", 3), ("unknown", 0)):
        odds = (20 - found + 0.5) / (found + 0.5)
        assert counts[word] == pytest.approx(40 * math.log(odds) / math.log(1 + odds), abs=0.5)


def test_a_word_in_most_documents_still_finds_them():
    assert repeated(["the"]) == {"the": 1}


def test_without_documents_every_word_counts_the_same():
    query = WordWeights([], 0).query(["a", "b"]).split()
    assert query.count("a") == query.count("b") > 0


def test_scores_are_on_fts5s_scale():
    assert WordWeights([], 0).score(40.0) == pytest.approx(2.2)


def test_in_a_large_index_common_words_are_left_out_where_others_remain():
    weights = WordWeights(SAMPLE, 40_000)
    assert set(weights.query(["the", "leak", "pump", "seal"]).split()) == {"seal"}
    assert set(weights.query(["the", "pump"]).split()) == {"the", "pump"}
