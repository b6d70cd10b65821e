import pytest

from pipelines.evidence import Evidence
from pipelines.faq import answers_in, asks, behind_mark
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


def test_what_stands_under_a_question_up_to_the_next_one_answers_it() -> None:
    found = {PAGE[start:end]: score for (start, end), score in answers_in(piece()).items()}
    assert found == {
        "Yes, on a lead.": 0.01,
        "Not on Fridays.": 0.01,
        "The yard is closed.": 0.01,
        "A: The club does.": 0.05,
        "It has a fund.": 0.05,
    }


def test_a_long_section_under_a_question_answers_others_too() -> None:
    page = "Who pays?\n\n" + " ".join(f"The club pays for boat {number}." for number in range(20))
    sentences = tuple((start, end, 0.5) for start, end in sentence_spans(page))
    long = Evidence("a.md", "1", None, "", 0, len(page), None, page, 0.8, sentences)
    assert answers_in(long) == {}


@pytest.mark.parametrize(
    ("text", "is_question"),
    [("Who pays?", True), ("**Who pays?** ", True), ("“Why?”", True), ("It is (why?).", False)],
)
def test_it_asks_what_ends_with_a_question_mark(text: str, is_question: bool) -> None:
    assert asks(text) is is_question


def test_the_mark_of_an_answer_is_left_out() -> None:
    at = PAGE.index("A: The club")
    assert PAGE[behind_mark(PAGE, at) :].startswith("The club")
    assert [behind_mark(text, 0) for text in ("A dog", "Apples", "A. Brown, since May")] == [0] * 3
