"""The data build: the same bytes for a seed, each set in it, nothing held out learned from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.training.read import read_examples
from agent.errors import LabError
from agent.lab.data import ABOUT, HELD_OUT, TRAIN, Files, build
from agent.lab.sources import key


def test_the_same_seed_gives_the_same_bytes(files: Files, tmp_path: Path) -> None:
    first, second = build(files, tmp_path / "a", seed=3), build(files, tmp_path / "b", seed=3)
    other = build(files, tmp_path / "c", seed=4)
    assert first == second
    assert (tmp_path / "a" / TRAIN).read_bytes() == (tmp_path / "b" / TRAIN).read_bytes()
    assert first.sha256 != other.sha256


def test_each_set_is_learned_from(files: Files, tmp_path: Path) -> None:
    built = build(files, tmp_path / "out")
    kinds = {"squad", "squad2", "tables", "reports", "studies", "topics", "elsewhere"}
    assert kinds <= set(built.learned)
    assert 0 < built.refused < sum(built.learned.values())
    about = json.loads((tmp_path / "out" / ABOUT).read_text(encoding="utf-8"))
    assert about["sources"]["squad2"]["licence"] == "SQuAD 2.0, CC BY-SA 4.0"


def test_the_trainer_reads_it_and_no_held_out_article_is_learned(
    files: Files, tmp_path: Path
) -> None:
    build(files, tmp_path / "out")
    learned = read_examples(tmp_path / "out" / TRAIN)
    measured = read_examples(tmp_path / "out" / HELD_OUT)
    assert not learned.problems
    assert not measured.problems
    # The article is in both files.
    titled = [row.messages[1].content for row in learned.examples]
    assert any("Old works 1:" in text for text in titled)
    assert not any("Old works 2:" in text for text in titled)
    assert not any("Old works 0:" in row.messages[1].content for row in measured.examples)


def test_some_texts_are_asked_on_those_with_further_questions_first(
    files: Files, tmp_path: Path
) -> None:
    further = {"of": key("Who bought the mill?"), "question": "Who sold it?", "answered": False}
    written = tmp_path / "written.jsonl"
    written.write_text(json.dumps(further), encoding="utf-8")
    alone = Files(squad=files.squad, written=written)
    build(alone, tmp_path / "all")
    # Each of the three articles has one text with a further question, and one without.
    build(alone, tmp_path / "some", most_texts=3)
    asked = {
        name: {
            row.messages[1].content.rsplit("Question: ", 1)[1].rstrip("?").lower()
            for row in read_examples(tmp_path / name / TRAIN).examples
        }
        for name in ("all", "some")
    }
    assert "who led the workshop" in asked["all"]
    assert "who led the workshop" not in asked["some"]
    assert "who sold it" in asked["some"]


def test_misleading_questions_are_shown_as_often_as_asked(files: Files, tmp_path: Path) -> None:
    once, thrice = (
        build(files, tmp_path / str(times), times=times).learned["squad2"] for times in (1, 3)
    )
    assert 2 * once < thrice


def test_one_set_suffices(files: Files, tmp_path: Path) -> None:
    alone = build(Files(squad=files.squad), tmp_path / "out")
    assert set(alone.learned) <= {"squad", "swapped"}


def test_a_missing_file_is_named(files: Files, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="nowhere"):
        build(replace(files, topics=tmp_path / "nowhere.jsonl"), tmp_path / "out")
