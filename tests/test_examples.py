"""The example collections and the questions asked of them."""

import json
import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from pipelines.convert import convert_file

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
INDUSTRIES = ("hr", "maintenance", "health")
FORMATS = {"md", "html", "docx", "pdf", "csv", "xlsx"}


def _documents(industry: str) -> Path:
    return EXAMPLES / industry / "documents"


@cache
def _questions(industry: str) -> list[dict]:
    lines = (EXAMPLES / industry / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _normalised(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


@cache
def _text(path: Path) -> str:
    return _normalised(convert_file(path).text)


def _lookups() -> list[object]:
    return [
        pytest.param(industry, question, id=question["id"])
        for industry in INDUSTRIES
        for question in _questions(industry)
        if question["kind"] == "lookup"
    ]


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_questions_have_the_documented_shape(industry):
    questions = _questions(industry)
    for question in questions:
        assert set(question) == {
            "id",
            "question",
            "answer",
            "accepted",
            "gold_files",
            "kind",
            "format",
        }
        assert question["question"].strip()
        assert question["answer"].strip()
        if question["kind"] == "lookup":
            assert question["accepted"]
            assert question["gold_files"]
            assert question["format"] in FORMATS
            assert question["format"] == PurePosixPath(question["gold_files"][0]).suffix[1:]
        else:
            assert question["kind"] == "unanswerable"
            assert question["accepted"] == question["gold_files"] == []
            assert question["format"] is None
    for field in ("id", "question"):
        repeated = [v for v, n in Counter(q[field] for q in questions).items() if n > 1]
        assert repeated == []


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_there_are_enough_questions_over_enough_files(industry):
    kinds = Counter(question["kind"] for question in _questions(industry))
    assert kinds["lookup"] >= 35
    assert kinds["unanswerable"] >= 15
    asked = {name for question in _questions(industry) for name in question["gold_files"]}
    present = {path.suffix for path in _documents(industry).rglob("*") if path.is_file()}
    assert {PurePosixPath(name).suffix for name in asked} == present
    assert len(asked) >= 20


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_gold_files_exist_below_the_documents(industry):
    root = _documents(industry)
    for question in _questions(industry):
        for name in question["gold_files"]:
            assert ".." not in PurePosixPath(name).parts
            assert (root / name).is_file(), name


@pytest.mark.parametrize(("industry", "question"), _lookups())
def test_no_question_gives_its_answer_away(industry, question):
    asked = _normalised(question["question"])
    assert not [a for a in question["accepted"] if _normalised(a) in asked]


@pytest.mark.parametrize(("industry", "question"), _lookups())
def test_every_gold_file_contains_an_accepted_answer(industry, question):
    accepted = [_normalised(answer) for answer in question["accepted"]]
    found: set[str] = set()
    for name in question["gold_files"]:
        text = _text(_documents(industry) / name)
        here = {answer for answer in accepted if answer in text}
        assert here, name
        found |= here
    assert found == set(accepted)


def test_the_collections_stay_small_enough_to_clone():
    files = [path for path in EXAMPLES.rglob("*") if path.is_file()]
    # Adapters have a limit of their own.
    size = sum(path.stat().st_size for path in files if path.parent.name != "adapter")
    assert size < 15_000_000
