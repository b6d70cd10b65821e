"""How near an answer is to the one wanted, as SQuAD counts it."""

import pytest

from adapters.training.squad import f1, same_words


@pytest.mark.parametrize(
    ("told", "wanted", "share"),
    [
        ("25 days", "The 25 days.", 1.0),
        ("25 days", "26 days", 0.5),
        ("", "25 days", 0.0),
        # Nothing is left of either: the grade A, the article.
        ("A", "a", 1.0),
        ("", "A", 1.0),
        ("B", "A", 0.0),
    ],
)
def test_shared_words_are_counted(told: str, wanted: str, share: float) -> None:
    assert f1(told, wanted) == share
    assert same_words(told, wanted) is (share == 1.0)
