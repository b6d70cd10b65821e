"""Close calls between passages, settled by the real reader."""

from haystack import Document

from pipelines.close_calls import settle
from pipelines.retrieve import SCORES

QUESTION = "How many days may be carried over into the next year?"
TALKS = "Carrying days over into the next year needs the consent of the manager."
ANSWERS = "Leave that was not taken: up to five days may be carried over to January."
OTHER = "Salaries are paid on the last working day of the month."


def ranked(*scored):
    return [
        Document(id=text, content=text, score=score, meta={SCORES: {"bm25": 1.0, "late": score}})
        for text, score in scored
    ]


def test_the_passage_that_holds_the_answer_goes_before_one_that_only_sounds_like_it():
    found = settle(QUESTION, ranked((TALKS, 2.0), (ANSWERS, 1.5), (OTHER, -3.0)), margin=1.0)
    assert [document.content for document in found] == [ANSWERS, TALKS, OTHER]


def test_scores_keep_their_places():
    found = settle(QUESTION, ranked((TALKS, 2.0), (ANSWERS, 1.5), (OTHER, -3.0)), margin=1.0)
    assert [document.score for document in found] == [2.0, 1.5, -3.0]
    assert [document.meta[SCORES] for document in found] == [
        {"bm25": 1.0, "late": score} for score in (2.0, 1.5, -3.0)
    ]


def test_a_clear_first_is_not_read():
    documents = ranked((TALKS, 2.0), (ANSWERS, 0.5))
    assert settle(QUESTION, documents, margin=1.0) is documents


def test_what_comes_after_the_first_few_stays():
    rest = [(f"{OTHER} {n}", 1.0 - n / 10) for n in range(4)]
    found = settle(QUESTION, ranked((TALKS, 2.0), (ANSWERS, 1.9), *rest), margin=1.0)
    assert [document.content for document in found[3:]] == [text for text, _ in rest[1:]]


def test_one_passage_none_and_empty_ones():
    assert settle(QUESTION, [], margin=1.0) == []
    one = ranked((TALKS, 1.0))
    assert settle(QUESTION, one, margin=1.0) == one
    empty = settle(QUESTION, ranked(("", 1.0), ("", 1.0)), margin=1.0)
    assert [document.content for document in empty] == ["", ""]
