from pipelines.stores.bm25 import COMMON_TEXTS, MOST_TERMS
from pipelines.stores.weaviate_terms import TermFrequencies

SAMPLE = ["the pump pump"] * 5 + ["the leak"] * 3 + ["the"] * 12


def test_in_a_small_index_every_term_counts():
    frequencies = TermFrequencies(COMMON_TEXTS, SAMPLE)
    assert frequencies.telling(["the", "pump", "seal"]) == ["seal", "pump", "the"]


def test_in_a_large_one_common_terms_count_only_where_there_are_no_others():
    frequencies = TermFrequencies(10 * COMMON_TEXTS, SAMPLE)
    assert frequencies.telling(["the", "leak", "seal", "pump"]) == ["seal", "leak", "pump"]
    assert frequencies.telling(["the"]) == ["the"]


def test_of_a_long_question_the_rarest_terms_count():
    terms = ["the", "pump", *(f"rare{n:03d}" for n in range(MOST_TERMS))]
    assert TermFrequencies(20, SAMPLE).telling(terms) == terms[2:]


def test_a_choice_has_to_be_made_in_large_indexes_and_of_long_questions_only():
    assert not TermFrequencies.matter(COMMON_TEXTS, ["a"] * MOST_TERMS)
    assert TermFrequencies.matter(COMMON_TEXTS + 1, ["a"])
    assert TermFrequencies.matter(1, ["a"] * (MOST_TERMS + 1))


def test_an_empty_index_has_no_common_terms():
    assert TermFrequencies(0, []).telling(["b", "a"]) == ["a", "b"]
