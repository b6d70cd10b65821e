"""The suite of questions of several steps: of its documented form, and answered by what there is."""

import json
from collections import Counter
from functools import cache
from pathlib import Path

from agent.measure import plain
from agent.suite import read_suite
from pipelines.convert import convert_file

EXAMPLES = Path(__file__).parents[1] / "examples"
SUITE = EXAMPLES / "hops.jsonl"
ROWS = [json.loads(line) for line in SUITE.read_text(encoding="utf-8").splitlines()]


@cache
def text_of(name: str) -> str:
    (path,) = EXAMPLES.glob(f"*/documents/{name}")
    return plain(convert_file(path).text)


def test_it_is_a_suite_with_enough_of_each() -> None:
    assert read_suite(SUITE).errors == []
    counted = Counter(row["kind"] for row in ROWS)
    assert counted["comparison"] + counted["bridge"] >= 24
    assert counted["unanswerable"] >= 10
    assert 2 * sum(row["held_out"] for row in ROWS) >= len(ROWS)
    assert len({row["question"] for row in ROWS}) == len(ROWS)


def test_each_has_answers_just_where_it_is_to_be_answered() -> None:
    for row in ROWS:
        assert bool(row.get("accepted_all")) == (row["kind"] != "unanswerable"), row["id"]
        assert ("concludes" in row) == (row["kind"] == "comparison"), row["id"]


def test_every_accepted_word_stands_in_a_document_named() -> None:
    for row in ROWS:
        texts = [text_of(name) for name in row["gold_files"]]
        for accepted in row.get("accepted_all", ()):
            assert any(plain(accepted) in text for text in texts), (row["id"], accepted)


def test_no_question_is_of_the_routing_suite() -> None:
    lines = (EXAMPLES / "routing.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {json.loads(line)["question"] for line in lines}
    assert not asked & {row["question"] for row in ROWS}
