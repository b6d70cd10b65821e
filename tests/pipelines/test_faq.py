import pytest

from pipelines.evidence import Evidence
from pipelines.faq import answered, asks, behind_mark
from pipelines.sentences import sentence_spans

PAGE = (
    "The shop opens at nine.\n\nMay I bring a dog?\n\nYes, on a lead. Not on Fridays.\n\n"
    "The yard is closed.\n\nQ: Who pays? A: The club does. It has a fund.\n\nParking\n\nBehind."
)
HEADINGS = ("May I bring a dog?", "Parking")


def piece() -> Evidence:
    spans = sentence_spans(PAGE)
    return Evidence(
        *("a.md", "1", None, "", 0, len(PAGE), None, PAGE, 0.8),
        sentences=tuple((start, end, number / 100) for number, (start, end) in enumerate(spans)),
        headings=tuple((PAGE.index(line), PAGE.index(line) + len(line)) for line in HEADINGS),
    )


def test_what_stands_under_a_question_up_to_the_next_paragraph_answers_it() -> None:
    found = {PAGE[start:end]: score for (start, end), score in answered(piece()).items()}
    assert found == {
        "Yes, on a lead.": 0.01,
        "Not on Fridays.": 0.01,
        "A: The club does.": 0.05,
        "It has a fund.": 0.05,
    }


@pytest.mark.parametrize(
    ("text", "is_question"),
    [("Who pays?", True), ("**Who pays?** ", True), ("“Why?”", True), ("It is (why?).", False)],
)
def test_it_asks_what_ends_with_a_question_mark(text: str, is_question: bool) -> None:
    assert asks(text) is is_question


def test_the_mark_of_an_answer_is_left_out() -> None:
    at = PAGE.index("A: The club")
    assert PAGE[behind_mark(PAGE, at) :].startswith("The club")
    assert behind_mark("A dog", 0) == behind_mark("Apples", 0) == 0
