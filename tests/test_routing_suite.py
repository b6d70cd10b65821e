"""The questions the router is measured on."""

import html
import json
import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path, PurePosixPath

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ADAPTERS = {"hr": "hr-advisor", "maintenance": "maintenance-planner", "health": "health-desk"}
ROUTES = {
    "lookup": "retrieval",
    "know_how": "expert",
    "combined": "hybrid",
    "out_of_scope": "abstain",
}
PLAIN = {".md", ".html", ".csv", ".txt"}
FIELDS = {"id", "question", "route", "adapter", "kind", "answer", "accepted", "gold_files"}


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def _suite() -> list[dict]:
    return _lines(EXAMPLES / "routing.jsonl")


def _of(kind: str) -> list[dict]:
    return [row for row in _suite() if row["kind"] == kind]


def _normalised(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def _words(question: str) -> str:
    return re.sub(r"[^\w ]", "", _normalised(question)).strip()


@cache
def _text(path: Path) -> str:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".html":
        text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    return _normalised(text)


def _gold(row: dict) -> list[Path]:
    # A path is relative to the documents of its industry, which only an adapter names.
    owners = [name for name, adapter in ADAPTERS.items() if row["adapter"] in (None, adapter)]
    found = []
    for name in row["gold_files"]:
        assert ".." not in PurePosixPath(name).parts
        paths = [EXAMPLES / owner / "documents" / name for owner in owners]
        found += [path for path in paths if path.is_file()]
    return found


def _industry(row: dict) -> str:
    return _gold(row)[0].relative_to(EXAMPLES).parts[0]


def test_rows_have_the_documented_shape():
    for row in _suite():
        combined = row["kind"] == "combined"
        assert set(row) == (FIELDS | {"accepted_all"} if combined else FIELDS), row["id"]
        assert row["question"].strip()
        assert row["route"] == ROUTES[row["kind"]]
        assert (row["adapter"] is not None) == (row["route"] in ("expert", "hybrid"))
        assert bool(row["gold_files"]) == (row["kind"] in ("lookup", "combined"))
        assert bool(row["accepted"]) == (row["kind"] in ("lookup", "know_how"))
        assert (row["answer"] is None) == (row["kind"] == "out_of_scope")
        assert not combined or len(row["accepted_all"]) >= 2


def test_every_route_and_industry_has_its_share():
    assert Counter(row["route"] for row in _suite()) == {
        "retrieval": 54,
        "expert": 54,
        "hybrid": 30,
        "abstain": 42,
    }
    assert Counter(_industry(row) for row in _of("lookup")) == dict.fromkeys(ADAPTERS, 18)
    for kind, count in (("know_how", 18), ("combined", 10)):
        adapters = Counter(row["adapter"] for row in _of(kind))
        assert adapters == dict.fromkeys(ADAPTERS.values(), count)


def test_ids_and_questions_are_unique():
    for values in ([row["id"] for row in _suite()], [_words(row["question"]) for row in _suite()]):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_no_question_stands_in_another_example_file():
    elsewhere = {
        _words(row["question"]) for path in EXAMPLES.glob("*/*.jsonl") for row in _lines(path)
    }
    assert [row["id"] for row in _suite() if _words(row["question"]) in elsewhere] == []


def test_no_question_gives_its_answer_away():
    for row in _suite():
        asked = _normalised(row["question"])
        words = row["accepted"] + row.get("accepted_all", [])
        assert not [word for word in words if _normalised(word) in asked], row["id"]


def test_every_gold_file_exists_in_one_industry():
    for row in _suite():
        assert len(_gold(row)) == len(row["gold_files"]), row["id"]


def test_every_adapter_named_is_among_the_examples():
    cards = EXAMPLES.glob("*/adapter/adapter_card.json")
    names = {json.loads(card.read_text(encoding="utf-8"))["name"] for card in cards}
    assert {row["adapter"] for row in _suite()} == names | {None}


def test_gold_files_in_plain_text_contain_the_accepted_words():
    for row in _of("lookup") + _of("combined"):
        words = row["accepted"] or row["accepted_all"][1:]
        for path in _gold(row):
            if path.suffix in PLAIN:
                assert all(_normalised(word) in _text(path) for word in words), row["id"]


def test_what_an_adapter_should_know_was_trained():
    for industry, adapter in ADAPTERS.items():
        facts = {
            _normalised(row["answer"]) for row in _lines(EXAMPLES / industry / "know_how.jsonl")
        }
        for row in _of("know_how") + _of("combined"):
            if row["adapter"] == adapter:
                word = _normalised((row["accepted"] or row["accepted_all"])[0])
                assert any(word in fact for fact in facts), row["id"]
