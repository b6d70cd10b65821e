"""The shipped reader on texts like those it has to read."""

import math

import pytest

from pipelines.read import Reader, Reading, Text, open_reader
from pipelines.sentences import sentence_spans


def text(context: str, content: str) -> Text:
    return Text(context, content, sentence_spans(content))


LEAVE = text(
    "Leave > Annual leave",
    "Full-time staff have 20 days of annual leave. Unused days lapse at the end of March.",
)
ROW = text("work orders", "Asset: D | Note: hydraulic hose replaced | Cost: 702.13")
ASKED = "How many days of annual leave do staff have?"


def best(readings: list[Reading]) -> Reading:
    return max(readings, key=lambda reading: reading.score)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return open_reader()


@pytest.mark.parametrize(
    ("question", "given", "answer"),
    [
        (ASKED, LEAVE, "20"),
        ("When do unused days lapse?", LEAVE, "March"),
        ("What did replacing the hydraulic hose cost?", ROW, "702.13"),
    ],
)
def test_it_finds_the_words_that_answer(
    reader: Reader, question: str, given: Text, answer: str
) -> None:
    (readings,) = reader.read(question, [given])
    assert len(readings) == len(given.sentences)
    found = best(readings)
    assert answer in given.content[found.start : found.end]
    assert found.end - found.start < 40
    assert found.score > 0


def test_a_reading_lies_in_its_sentence(reader: Reader) -> None:
    (readings,) = reader.read("When do unused days lapse?", [LEAVE])
    for reading, (start, end) in zip(readings, LEAVE.sentences, strict=True):
        assert start <= reading.start < reading.end <= end
    assert readings[1].score > readings[0].score


def test_a_text_about_something_else_scores_lower(reader: Reader) -> None:
    right, wrong = (best(readings) for readings in reader.read(ASKED, [LEAVE, ROW]))
    assert right.score > wrong.score + 3
    assert wrong.score < 0


def test_texts_together_are_read_as_they_are_alone(reader: Reader) -> None:
    together = reader.read(ASKED, [LEAVE, ROW, Text("", "", [(0, 0)])])
    alone = [*reader.read(ASKED, [LEAVE]), *reader.read(ASKED, [ROW])]
    for one, other in zip(together, alone, strict=False):
        assert [(r.start, r.end) for r in one] == [(r.start, r.end) for r in other]
        assert [r.score for r in one] == pytest.approx([r.score for r in other], abs=0.05)
    assert together[2] == [Reading(0, 0, -math.inf)]


def test_another_question_is_read_anew(reader: Reader) -> None:
    first = reader.read(ASKED, [LEAVE])
    assert reader.read("When do unused days lapse?", [LEAVE]) != first
    assert reader.read(ASKED, [LEAVE]) == first


def test_an_answer_is_never_taken_from_the_context(reader: Reader) -> None:
    given = text("Annual leave of 20 days", "See above.")
    ((reading,),) = reader.read("What is the title?", [given])
    assert 0 <= reading.start < reading.end <= len(given.content)


@pytest.mark.parametrize("question", ["", "?" * 500, "long " * 30_000, "\x00\x1b[31m", "東京は?"])
def test_any_question_is_read(reader: Reader, question: str) -> None:
    (readings,) = reader.read(question, [LEAVE])
    assert all(0 <= r.start <= r.end <= len(LEAVE.content) for r in readings)


def test_a_long_text_is_read_as_far_as_it_fits(reader: Reader) -> None:
    (readings,) = reader.read("How many days?", [text("", f"{LEAVE.content} " * 200)])
    assert len(readings) == 400
    assert math.isfinite(readings[0].score)
    assert readings[-1].score == -math.inf


def test_nothing_to_read(reader: Reader) -> None:
    assert reader.read(ASKED, []) == []
