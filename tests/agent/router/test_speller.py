from pathlib import Path

import pytest

from agent.errors import RouterError
from agent.router.speller import Speller, reads_whole
from pipelines.embed.opening import open_embedder

SEEN = ["how many days of annual leave", "annual leave of a trainee", "reset the press"]


def test_words_that_nobody_writes_are_mended():
    speller = Speller.of(SEEN)
    assert speller.mend("How many days of anual laeve?") == "How many days of annual leave?"


def test_known_words_numbers_and_far_ones_stay():
    speller = Speller.of(SEEN)
    for text in ("leaf", "E17", "Zürich 2024", "photosynthesis", "", "?!", "4an", "fürman", "anué"):
        assert speller.mend(text, lambda word: word == "leaf") == text


def test_words_in_capitals_and_further_known_ones_stay():
    speller = Speller.of(SEEN)
    assert speller.mend("ANUAL LEAF, anual LAEVE") == "ANUAL LEAF, annual LAEVE"
    often = Speller.of(SEEN * 100)
    assert often.mend("anual leeve", lambda word: word == "leeve") == "annual leeve"
    assert often.mend("anual leeve", is_word=lambda word: word == "leeve") == "annual leave"
    assert often.mend("how leeve", is_word=lambda word: word == "leeve") == "how leeve"


def test_the_more_frequent_of_two_near_words_is_taken():
    assert Speller({"cat": 1, "car": 50}).mend("caz") == "car"


def test_the_word_beside_tells_which_near_word_is_meant():
    speller = Speller.of(["pay my bill", "a red ball", "a red ball"])
    assert speller.mend("pay my bxll") == "pay my bill"
    assert speller.mend("a red bxll") == "a red ball"


def test_beside_a_slip_a_known_word_may_be_one_too():
    speller = Speller.of([*["days of annual leave"] * 50, "this or that"])
    assert speller.mend("days or anual leave") == "days of annual leave"
    assert speller.mend("days or anual leave", beside=False) == "days or annual leave"
    assert speller.mend("days or annual leave") == "days or annual leave"
    assert speller.mend("days or annual leave of Przybylski") == (
        "days or annual leave of Przybylski"
    )


def test_what_the_encoder_reads_whole_is_a_word():
    embedder = open_embedder("minilm")
    assert reads_whole(embedder, "Weather")
    assert not reads_whole(embedder, "waether")


def test_of_a_very_long_text_only_some_words_are_mended():
    mended = Speller.of(SEEN).mend("anual " * 100)
    assert mended.count("annual") == 64


def test_it_comes_back_from_its_file(tmp_path: Path):
    speller = Speller.of(["pay the bill", "a red ball", "a red ball"])
    speller.save(tmp_path / "words.json")
    loaded = Speller.load(tmp_path / "words.json")
    assert loaded.mend("the bxll") == speller.mend("the bxll") == "the bill"


def test_a_file_of_before_has_words_alone(tmp_path: Path):
    (tmp_path / "words.json").write_text('{"counts": {"annual": 2}, "known": ["leaf"]}')
    assert Speller.load(tmp_path / "words.json").mend("anual") == "annual"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"counts": ["leave"]}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str):
    (tmp_path / "words.json").write_text(content)
    with pytest.raises(RouterError, match=r"cannot be read .* run `expert router fit`"):
        Speller.load(tmp_path / "words.json")


def test_a_word_that_is_far_from_any_is_mended_beside_another_slip_only() -> None:
    speller = Speller.of(["how is a vacation request made"])
    assert speller.mend("how is a vacatin request made") == "how is a vacation request made"
    assert speller.mend("how is a vactin request made") == "how is a vactin request made"
    assert speller.mend("how is a vactin reqest made") == "how is a vacation request made"
