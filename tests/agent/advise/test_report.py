"""An advice told: its words, its page, and what is read back of a run that was cut off."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agent.advise.answers import WAYS, Answers
from agent.advise.changed import ChangedFact, ChangedFacts
from agent.advise.documents import Documents
from agent.advise.facts import Change
from agent.advise.report import write_advice
from agent.advise.result import Advice
from agent.advise.room import Room
from agent.advise.words import headline, minutes, next_commands, reasons
from agent.errors import AdviceError
from agent.settings import Settings
from agent.suite import SuiteQuestion
from tests.agent.html_page import Page

EVIL = "<script>alert('x')</script> & \"more\"\x1b[2J \u202eeci"
STATE: dict[str, Any] = {
    "folds": 1,
    "reading_minutes": 0.0,
    "reindex_s": 2.0,
    "indexed": {"seconds": 8.0, "bytes": 2_000_000, "documents": 10, "skipped": []},
    "trained": {"fold-1": {"rows": 12, "steps": 9, "took": 120.0, "options": "--method lora"}},
}


def line(stage: str, way: str, place: int, right: float, text: str | None = "25 days") -> str:
    """Give an answer as it is kept."""
    citation = {
        "document": EVIL, "title": None, "page": 3, "start": 0, "end": 1, "quote": EVIL, "score": 1
    }  # fmt: skip
    told = {
        "key": {"stage": stage, "fold": 1, "way": way, "place": place},
        "alone": place < 3,
        "reply": {
            "route": way, "adapter": None, "ms": 100.0 * (place + 1), "text": text,
            "confidence": 0.5, "reason": None if text else EVIL, "answerer": "quote",
            "citations": [citation], "usage": {},
        },
        "judged": {
            "tried": [way], "cost": 1.0, "right": right, "exact": 0.0, "f1": right / 2,
            "cited": [True], "grounded": True,
        },
    }  # fmt: skip
    return json.dumps(told) + "\n"


def advice_of(tmp_path: Path, right: dict[str, int], *, asked: int = 24) -> Advice:
    """Give the advice of ways that are right on so many of the questions asked."""
    questions = [
        SuiteQuestion(question=EVIL, answer=EVIL, accepted=("25 days",), id=str(n))
        for n in range(asked)
    ]
    room = Room(tmp_path / "room", Settings(), dict(STATE))
    shutil.rmtree(room.folder, ignore_errors=True)
    room.folder.mkdir()
    with room.answers.open("w") as file:
        for place in range(asked):
            for way in WAYS:
                file.write(line("new", way, place, float(place < right[way]), EVIL))
        for place in range(4):
            file.write(line("taught", "expert", place, 1.0))
            for way in WAYS:
                text = {"expert": "25 days", "retrieval": "76 days"}.get(way)
                file.write(line("changed", way, place, 0.0, text))
    facts = tuple(
        ChangedFact(n, "25 days", Change("25", "76", "", "days"), ("a.md",)) for n in range(4)
    )
    return Advice(
        room,
        Documents(tmp_path, ()),
        questions,
        Answers(room, questions),
        ChangedFacts(facts, ("a.md", "b.md")),
    )


@pytest.fixture(autouse=True)
def _adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.advise.room.TrialWorkspace.adapter_bytes", lambda *_: 5_000_000)


RETRIEVAL = {"retrieval": 20, "expert": 2, "hybrid": 9, "router": 19}


def test_words_for_whoever_decides(tmp_path: Path) -> None:
    advice = advice_of(tmp_path, RETRIEVAL)
    assert headline(advice) == "Use retrieval."
    told = list(reasons(advice))
    assert told[0] == "Retrieval answers 83% rightly of 24 questions that were not taught."
    assert told[1].startswith("The adapter alone: 8% rightly, 75 points fewer (95 % interval ")
    assert told[1].endswith("): more than chance.")
    assert told[3].startswith("The router over all: 79% rightly, 4 points fewer, which may be ch")
    assert "When 20% of the documents change and are indexed again (2.0 s), of 4" in " ".join(told)
    assert "the adapter alone tells 0% as they are now, 100% as they were, 0% otherwise" in told[-2]
    assert "(about 4.0 minutes on all 24) and 5.0 MB" in told[-1]
    # The first waits for the model.
    assert advice.answers.seconds_alone("retrieval") == pytest.approx(0.25)


def test_what_is_to_be_trained_is_a_command(tmp_path: Path) -> None:
    advice = advice_of(tmp_path, {"retrieval": 2, "expert": 3, "hybrid": 21, "router": 3})
    assert headline(advice) == "Use both together."
    commands = [command for command, _ in next_commands(advice, "qa.jsonl")]
    assert f"expert train NAME {advice.training_data} --method lora" in commands
    assert 'expert ask --route hybrid "…"' in commands


def test_too_few_questions_say_how_many_more(tmp_path: Path) -> None:
    advice = advice_of(tmp_path, {"retrieval": 5, "expert": 0, "hybrid": 6, "router": 0}, asked=10)
    told = advice.to_dict()
    assert (told["outcome"], told["use"], told["begin_with"]) == ("open", None, "retrieval")
    assert headline(advice).startswith(f"Cannot say yet: about {told['more_questions']} more")
    with pytest.raises(AdviceError, match="only 4 questions were asked by every way"):
        advice_of(tmp_path, RETRIEVAL, asked=4)


def test_no_way_is_of_use(tmp_path: Path) -> None:
    advice = advice_of(tmp_path, dict.fromkeys(WAYS, 1))
    assert headline(advice) == "None of the ways is of use on these questions yet."
    assert advice.to_dict()["use"] is None


def test_the_page_is_whole_self_contained_and_never_raw(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_advice(path, advice_of(tmp_path, RETRIEVAL), f"{EVIL}.jsonl")
    page = Page(path.read_text(encoding="utf-8"))
    for heading in ("Answered rightly, by each way", "When documents change", "The worst answers"):
        assert heading in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    assert not [v for _, each in page.tags for n, v in each.items() if n in ("src", "href")]
    assert sum(each.get("class") == "asked" for _, each in page.tags) == 3


def test_an_answer_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    advice = advice_of(tmp_path, RETRIEVAL)
    whole = advice.room.answers.read_bytes()
    advice.room.answers.write_bytes(whole + b'{"key": {"sta')
    again = Answers(advice.room, advice.questions)
    assert again.places("new", WAYS) == list(range(24))
    assert advice.room.answers.read_bytes() == whole


@pytest.mark.parametrize("damaged", [b"\x00\x00\n", b'{"key": {}}\n', b"[]\n"])
def test_a_line_that_is_damaged_is_named(tmp_path: Path, damaged: bytes) -> None:
    advice = advice_of(tmp_path, RETRIEVAL)
    first, *others = advice.room.answers.read_bytes().splitlines(keepends=True)
    advice.room.answers.write_bytes(b"".join([first, damaged, *others]))
    with pytest.raises(AdviceError, match=r"answers\.jsonl, line 2 cannot be read: remove that l"):
        Answers(advice.room, advice.questions)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0.25, "250 ms"), (9.96, "10.0 s"), (61.0, "61 s"), (150.0, "2.5 minutes")],
)
def test_times_are_read_by_people(seconds: float | None, said: str) -> None:
    assert minutes(seconds) == said
