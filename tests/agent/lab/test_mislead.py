"""Questions changed by rule ask for what the text does not say, one thing changed at a time."""

import random

from agent.lab.mislead import misled
from agent.lab.sources import Article, Asked, Text

GOLD = "The largest mill in Ystad was built by Karl Berg in 1907 with timber from Lund."
OTHER = "Ida Holm later bought it in 1930, and its owner was fined for dumping ashes there."
TEXT = Text("Mills", (GOLD, OTHER), ())
ARTICLE = Article("squad", (TEXT,))
ASKED = Asked("Who built the largest mill in Ystad in 1907?", "Karl Berg", 0)


def changes(asked: Asked) -> set[str]:
    found = {misled(asked, ARTICLE, GOLD, (GOLD, OTHER), random.Random(n)) for n in range(300)}
    return {question for question in found if question is not None}


def test_names_numbers_and_opposites_are_changed() -> None:
    found = changes(ASKED)
    assert "Who built the smallest mill in Ystad in 1907?" in found
    assert "Who built the largest mill in Ystad in 1930?" in found
    assert any("Ystad" not in question for question in found)
    assert ASKED.question not in found


def test_the_answer_is_never_asked_for_by_name() -> None:
    assert not any("Karl" in question for question in changes(ASKED))


def test_a_verb_is_denied() -> None:
    assert "What wasn't fined?" in changes(Asked("What was fined?", "owner", 0))


def test_a_word_of_the_text_takes_the_place_of_another_of_its_ending() -> None:
    asked = Asked("What timber was it of?", "Lund", 0)
    assert "What later was it of?" in changes(asked)


def test_a_question_without_anything_to_change_stays_out() -> None:
    assert changes(Asked("Why?", "ashes", 1)) == set()
