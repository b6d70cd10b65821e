"""`expert demo` on a small industry with a real adapter."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.lab import lab_model

HR = Path(__file__).parents[3] / "examples" / "hr"
Expert = Callable[..., SimpleNamespace]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    lab_model()
    folder = tmp_path / "industries" / "hr"
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "probation.md").write_text(
        "# Probation\n\nProbation lasts six months for all new employees.\n", encoding="utf-8"
    )
    (folder / "adapter").symlink_to(HR / "adapter")
    asked = [
        {"question": "How long does probation last for new employees?"},
        {"question": "I am giving bone marrow, how many days am I excused?"},
        {"question": "Who won the world cup in 1998?"},
    ]
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    (folder / "demo.jsonl").write_text(lines, encoding="utf-8")
    return folder.parent


def test_documents_and_adapter_answer_and_a_second_run_changes_nothing(
    expert: Expert, examples: Path
) -> None:
    for _ in range(2):
        done = expert("demo", "--examples", str(examples))
        assert done.code == 0, done.err
        assert "six months" in done.out
        assert "7 days in a calendar year" in done.out
        assert "route expert" in done.out
        assert "adapter hr-advisor@1" in done.out
        assert "route abstain · out of scope" in done.out


def test_a_folder_without_examples_is_named(expert: Expert, tmp_path: Path) -> None:
    done = expert("demo", "--examples", str(tmp_path / "nothing"))
    assert done.code == 1
    assert "nothing" in done.err
    assert "--examples" in done.err
