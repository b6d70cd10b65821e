from dataclasses import replace

import pytest

from pipelines.evidence import Evidence
from pipelines.labelled import NamedThings
from pipelines.sentences import sentence_spans

PAGE = (
    "Schoolroom\n\nPhone: 114\nWi-Fi password: heron\n\nReading room\n\nPhone: 115\n\n"
    "Lending\n\nThree weeks in the reading room.\n\nWho may call?\n\nPhone: 116"
)
HEADINGS = ("Schoolroom", "Reading room", "Lending", "Who may call?")


def piece(text: str = PAGE, headings: tuple[str, ...] = HEADINGS) -> Evidence:
    spans = sentence_spans(text)
    return Evidence(
        *("a.md", "1", None, "Village library", 0, len(text), None, text, 0.8),
        sentences=tuple((start, end, 0.5) for start, end in spans),
        headings=tuple((text.index(line), text.index(line) + len(line)) for line in headings),
    )


def left_out(question: str, *pieces: Evidence) -> list[str]:
    things = NamedThings(question, pieces)
    return [
        one.text[start:end]
        for one in pieces
        for start, end, _ in one.sentences
        if things.are_elsewhere(one, start, end)
    ]


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        (
            "What is the Wi-Fi password in the reading room?",
            ["Phone: 114", "Wi-Fi password: heron", "Phone: 116"],
        ),
        ("schoolroom's phone number?", ["Phone: 115", "Phone: 116"]),
        ("Phone number of the village library?", []),
        ("Whom may I call about lending?", []),
        (
            "Which phones do the schoolroom and the reading room have?",
            ["Phone: 116"],
        ),
    ],
)
def test_lines_of_another_thing_than_the_question_names_are_left_out(
    question: str, lines: list[str]
) -> None:
    assert left_out(question, piece()) == lines


def test_a_thing_named_in_another_document_leaves_nothing_out() -> None:
    library = piece()
    hall = replace(piece("Hall\n\nPhone: 117", ("Hall",)), document="b.md", context="")
    assert left_out("What is the phone number of the hall?", library, hall) == []


def test_what_a_passage_stands_under_names_its_first_lines() -> None:
    rest = replace(piece("Phone: 118\nRooms: 2", ()), context="Village library > Depot")
    question = "Which Wi-Fi password does the depot have?"
    assert left_out(question, piece(), rest) == [
        "Phone: 114",
        "Wi-Fi password: heron",
        "Phone: 115",
        "Phone: 116",
    ]
