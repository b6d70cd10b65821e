"""What is learned is true to what is shown: answers stand where they are cited, else refused."""

import random

import pytest

from agent.lab import sources
from agent.lab.compose import Row, rows, show
from agent.lab.data import Files
from agent.training_context import REFUSES
from pipelines.citations import without_marks
from pipelines.phi3 import SYSTEM


def _shown(row: Row) -> list[str]:
    evidence = row.messages[1]["content"].rsplit("\n\nQuestion: ", 1)[0]
    return evidence.split("\n")


@pytest.fixture
def made(files: Files) -> list[Row]:
    assert files.squad2 is not None
    articles = list(sources.squad(files.squad2, kind="squad2"))
    return [
        row
        for seed in range(30)
        for article in articles
        for about in rows(article, random.Random(seed))
        for row in about
    ]


def test_an_answer_stands_in_the_source_that_it_cites(made: list[Row]) -> None:
    answered = [row for row in made if row.messages[-1]["content"] != REFUSES]
    assert len(answered) > 100
    for row in answered:
        text, marks = without_marks(row.messages[-1]["content"])
        assert len(marks) == 1
        assert text in _shown(row)[marks[0] - 1]


def test_what_is_not_shown_is_refused(made: list[Row]) -> None:
    refused = [row for row in made if row.messages[-1]["content"] == REFUSES]
    plain = [
        row
        for row in refused
        if row.kind == "squad2" and "led the workshop" in row.messages[1]["content"].lower()
    ]
    assert plain
    assert all("Ida Holm led" not in "\n".join(_shown(row)) for row in plain)
    assert any("found the mill" in row.messages[1]["content"].lower() for row in refused)


def test_a_question_changed_to_mislead_is_refused(made: list[Row]) -> None:
    swapped = [row for row in made if row.kind == "swapped"]
    assert swapped
    assert all(row.messages[-1]["content"] == REFUSES for row in swapped)
    questions = {row.messages[1]["content"].rsplit("Question: ", 1)[1] for row in swapped}
    assert not questions & {"When was the workshop in Lund founded?", "Who led the workshop?"}


def test_rows_are_the_products_own_prompt_of_one_to_six_sources(made: list[Row]) -> None:
    assert all(row.messages[0]["content"] == SYSTEM for row in made)
    assert {len(_shown(row)) for row in made} <= set(range(1, 7))
    assert len({len(_shown(row)) for row in made}) > 2


def test_places_say_where_each_shown_sentence_is(files: Files) -> None:
    (article, *_) = sources.squad(files.squad)
    for seed in range(20):
        shown = show(article, 0, random.Random(seed))
        for piece, place in shown.places.items():
            assert article.texts[0].pieces[piece] in shown.evidence[place - 1].text
