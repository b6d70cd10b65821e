from pathlib import Path

import pytest

from agent.errors import RouterError
from agent.router.speller import Speller

SEEN = ["how many days of annual leave", "annual leave of a trainee", "reset the press"]


def test_words_that_nobody_writes_are_mended():
    speller = Speller.of(SEEN)
    assert speller.mend("How many days of anual laeve?") == "How many days of annual leave?"


def test_known_words_numbers_and_far_ones_stay():
    speller = Speller.of(SEEN, known=["leaf"])
    for text in ("leaf", "E17", "Zürich 2024", "photosynthesis", "", "?!", "4an", "fürman", "anué"):
        assert speller.mend(text) == text


def test_words_in_capitals_and_further_known_ones_stay():
    speller = Speller.of(SEEN)
    assert speller.mend("ANUAL LEAF, anual LAEVE") == "ANUAL LEAF, annual LAEVE"
    assert speller.mend("anual leeve", lambda word: word == "leeve") == "annual leeve"


def test_the_more_frequent_of_two_near_words_is_taken():
    assert Speller({"cat": 1, "car": 50}).mend("caz") == "car"


def test_of_a_very_long_text_only_some_words_are_mended():
    mended = Speller.of(SEEN).mend("anual " * 100)
    assert mended.count("annual") == 64


def test_it_comes_back_from_its_file(tmp_path: Path):
    speller = Speller.of(SEEN, known=["leaf"])
    speller.save(tmp_path / "words.json")
    loaded = Speller.load(tmp_path / "words.json")
    assert loaded.mend("anual leaf") == "annual leaf"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"counts": ["leave"], "known": []}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str):
    (tmp_path / "words.json").write_text(content)
    with pytest.raises(RouterError, match=r"cannot be read .* run `expert router fit`"):
        Speller.load(tmp_path / "words.json")
