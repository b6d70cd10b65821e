"""Questions over what was found for them: cited where it answers, else refused."""

import json
import random
from pathlib import Path

import pytest

from agent.errors import LabError
from agent.lab import sources
from agent.lab.retrieved import Retrieved, gather, read_retrieved, rows_of
from agent.suite import SuiteQuestion
from agent.training_context import REFUSES
from agent.workspace import Workspace
from pipelines.citations import without_marks

FOUND = Retrieved(
    question="How long may I be ill without a note?",
    answer="Three days.",
    exact="three days",
    evidence=(
        ("Leave > Illness", "Staff need a note after three days of illness."),
        ("Leave > Annual leave", "Annual leave is 20 days."),
        ("Pay", "Pay comes on the last working day."),
    ),
    place=1,
)


def test_what_answers_is_cited_wherever_it_stands() -> None:
    places, lengths, refusals = set(), set(), 0
    for seed in range(200):
        (row,) = rows_of([FOUND], random.Random(seed))
        shown = row.messages[1]["content"].rsplit("\n\nQuestion: ", 1)[0].split("\n")
        text, marks = without_marks(row.messages[-1]["content"])
        lengths.add(len(shown))
        if text == REFUSES:
            refusals += 1
            assert not any("three days" in line for line in shown)
        else:
            assert text == "Three days"
            assert "three days" in shown[marks[0] - 1]
            places.add(marks[0])
    assert places == lengths == {1, 2, 3}
    assert 0 < refusals < 40


def test_what_nothing_answers_is_refused() -> None:
    nothing = Retrieved("Who won the cup?", None, "", FOUND.evidence, 0)
    for seed in range(20):
        (row,) = rows_of([nothing], random.Random(seed))
        assert row.messages[-1]["content"] == REFUSES


def test_questions_over_the_same_evidence_are_asked_over_the_same_part_of_it(
    tmp_path: Path,
) -> None:
    days = Retrieved("How much holiday is there?", "20 days", "20 days", FOUND.evidence, 2)
    nothing = Retrieved("Who pays for the note?", None, "", FOUND.evidence, 0)
    other = Retrieved("When is pay day?", "last working day", "last", FOUND.evidence[2:], 1)
    path = tmp_path / "found.jsonl"
    lines = [json.dumps(one.line()) + "\n" for one in (FOUND, days, nothing, other)]
    path.write_text("".join(lines), encoding="utf-8")
    group, alone = read_retrieved(path)
    assert (group, alone) == ([FOUND, days, nothing], [other])
    told = set()
    for seed in range(100):
        rows = rows_of(group, random.Random(seed))
        shown = {row.messages[1]["content"].rsplit("\n\nQuestion: ", 1)[0] for row in rows}
        assert len(shown) == 1
        assert rows[-1].messages[-1]["content"] == REFUSES
        for row, words in zip(rows[:2], ("three days", "20 days"), strict=True):
            text, marks = without_marks(row.messages[-1]["content"])
            lines = shown.copy().pop().split("\n")
            assert (text == REFUSES) == (words not in "".join(lines))
            assert text == REFUSES or words in lines[marks[0] - 1]
            told.add(text)
    assert {"Three days", "20 days", REFUSES} == told


def test_words_that_stand_elsewhere_too_are_not_refused() -> None:
    evidence = (("Leave", "Notes are due after three days."), ("Pay", "Three days, three days."))
    twice = Retrieved("How long?", "three days", "three days", evidence, 1)
    for seed in range(100):
        for row in rows_of([twice], random.Random(seed)):
            assert row.messages[-1]["content"] != REFUSES


def test_words_are_found_whatever_their_case() -> None:
    evidence = (("Leave", "Three days, and then a note."), ("Pay", "It comes in three days."))
    other = Retrieved("How long?", "three days", "Three Days", evidence, 1)
    for seed in range(100):
        for row in rows_of([other], random.Random(seed)):
            assert row.messages[-1]["content"] != REFUSES


def test_evidence_is_gathered_written_and_read_again(workspace: Workspace, tmp_path: Path) -> None:
    from agent.assemble import open_pipeline

    asked_before = "How many days of annual leave do full-time staff earn?"
    asked = [
        SuiteQuestion(
            question=asked_before,
            answer="25 days.",
            accepted=("25 days",),
            gold_files=("hr/leave.md",),
        ),
        SuiteQuestion(question="What is the capital of France?"),
        # Where else these words stand, nobody has said whether they answer.
        SuiteQuestion(question="annual leave", accepted=("25 days",), gold_files=("other.md",)),
        # Where these are answered is not known.
        SuiteQuestion(question="How much leave is there?", answer="25 days."),
        SuiteQuestion(question="How much leave is there?", accepted_all=("25", "12")),
        SuiteQuestion(
            question="And part-time staff?",
            history=({"question": asked_before, "answer": "25 days."},),
            answer="12 days.",
            accepted=("12 Days",),
            gold_files=("leave.md",),
        ),
    ]
    with open_pipeline(workspace) as pipeline:
        found = list(gather(pipeline, asked))
    assert [one.question for one in found] == [one.searched for one in (*asked[:2], asked[-1])]
    assert "annual leave" in found[2].question
    assert found[2].place > 0
    assert found[0].exact in found[0].evidence[found[0].place - 1][1]
    assert (found[1].answer, found[1].place) == (None, 0)
    path = tmp_path / "found.jsonl"
    path.write_text("".join(json.dumps(one.line()) + "\n" for one in found), encoding="utf-8")
    assert [one for group in read_retrieved(path) for one in group] == found


def test_written_questions_stand_beside_those_they_are_made_from(tmp_path: Path) -> None:
    from .conftest import squad_file

    squad = squad_file(tmp_path / "squad.json", 1)
    of = sources.key("Who led the workshop?")
    lines = [
        {"of": of, "question": "Who was at its head?", "answered": True},
        {"of": of, "question": "Who left the workshop?", "answered": False},
    ]
    path = tmp_path / "written.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (article,) = sources.squad(squad, written=sources.written(path))
    asked = {one.question: one for one in article.texts[0].asked}
    assert asked["Who was at its head?"].answer == "Ida Holm"
    assert asked["Who left the workshop?"].answer is None
    assert asked["Who left the workshop?"].piece == asked["Who led the workshop?"].piece
    path.write_text('{"question": "alone"}', encoding="utf-8")
    with pytest.raises(LabError, match="no written questions"):
        sources.written(path)
