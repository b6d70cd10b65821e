"""``expert advise``: from a folder and a file of questions to a page, and on after a stop."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.training.progress import Progress
from agent.advise.answers import READING, WAYS
from agent.advise.room import Room
from agent.cli.advise import _Watch
from agent.cli.train_display import Lines
from agent.settings import Settings
from tests.agent.html_page import Page

Run = Callable[..., SimpleNamespace]
THINGS = ("badge", "locker", "parking", "canteen")


@pytest.fixture
def handbook(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give six documents and 28 questions about them in a folder of a difficult name."""
    monkeypatch.setenv("EXPERT_MODEL__NAME", str(tiny_model))
    monkeypatch.setenv("EXPERT_MODEL__MAX_NEW_TOKENS", "8")
    folder = tmp_path / "Mein Handbuch é"
    folder.mkdir()
    rows = []
    for site, name in enumerate(("Oslo", "Lima", "Cairo", "Perth", "Quito", "Turin")):
        lines = [f"# The site in {name}"]
        for number, thing in enumerate(THINGS):
            price = 100 + 17 * site + 3 * number
            lines.append(f"The {thing} in {name} costs {price} euros a year for each person.")
            rows.append(
                {
                    "question": f"How much is the {thing} in {name}?",
                    "answer": f"{price} euros a year.",
                    "accepted": [f"costs {price} euros"],
                    "gold_files": [f"{name}.md"],
                    "kind": thing,
                }
            )
        (folder / f"{name}.md").write_text("\n\n".join(lines) + "\n")
    rows += [{"question": f"Who won the cup in {year}?", "kind": "open"} for year in range(4)]
    (folder / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def arguments(handbook: Path, *more: str) -> tuple[str, ...]:
    return (
        "advise", "--documents", str(handbook), "--questions", str(handbook / "qa.jsonl"), *more
    )  # fmt: skip


def test_an_advice_is_interrupted_resumed_and_told(
    expert: Run, handbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in handbook.iterdir()}
    budget = ("--budget-minutes", "600")
    # A few steps each, and time for everything however slow the machine is.
    monkeypatch.setattr("agent.advise.run._TEACH", 0.00005)
    monkeypatch.setattr("agent.advise.run._LEAST_READING", 0.01)
    monkeypatch.setattr("agent.advise.teach._READING_EPOCHS", 0.1)

    class Interrupting(Lines):
        def __call__(self, progress: Progress) -> None:
            super().__call__(progress)
            if progress.stage == "training" and progress.step == 1:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("agent.cli.train_display.Lines", Interrupting)
        stopped = expert(*arguments(handbook, *budget))
    assert stopped.code == 130, stopped.err
    assert "at most about 600 minutes" in stopped.err
    assert "Stopped. Run the same command to go on." in stopped.err
    assert "24 questions with an answer are few" in stopped.err

    found = expert(*arguments(handbook, *budget))
    assert found.code == 0, found.err
    assert "Copying and indexing" not in found.err
    assert "Use retrieval." in found.out
    assert "questions that were not taught" in found.out

    folder = Path(".expert/runs/advise-qa")
    answers = (folder / "answers.jsonl").read_bytes()
    again = expert(*arguments(handbook, *budget, "--json", "--report", "advice.html"))
    assert (folder / "answers.jsonl").read_bytes() == answers
    _check_figures(again.json)

    page = Page(Path("advice.html").read_text(encoding="utf-8"))
    for heading in ("Use retrieval.", "When documents change", "Cost", "What to do next"):
        assert heading in page.text
    assert "expert index" in page.text
    assert not [v for _, each in page.tags for n, v in each.items() if n in ("src", "href")]
    # The user's own stays as it was.
    assert before == {path: path.read_bytes() for path in handbook.iterdir()}
    assert list(Path(".expert/adapters").iterdir()) == list(Path(".expert/index").iterdir()) == []


def _check_figures(told: dict) -> None:
    assert (told["outcome"], told["use"], told["more_questions"]) == ("use", "retrieval", 0)
    assert (told["questions"], told["documents"]) == (28, 6)
    assert (told["asked"], told["folds"]) == (28, 2)
    ways = told["ways"]
    assert set(ways) == {*WAYS, READING}
    assert ways["retrieval"]["right"] > 0.5 > ways["expert"]["right"]
    assert told["against"]["expert"]["interval"][0] > 0
    # One document of six is a fifth.
    assert told["costs"]["changed_documents"] == 1
    stale = ways["retrieval"]["when_changed"]
    assert stale["new"] > 0.5
    assert stale["old"] == 0
    assert abs(sum(stale[name] for name in ("new", "old", "withheld", "other")) - 1) < 1e-9


def test_other_input_is_not_mixed_with_what_was_begun(
    expert: Run, handbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.advise.run.advise", stop)
    assert expert(*arguments(handbook)).code == 130
    (handbook / "Oslo.md").write_text("# Another\n\nAnother text.\n")
    found = expert(*arguments(handbook))
    assert found.code == 1
    assert "was begun with other documents: give --fresh to begin anew, or another" in found.err
    assert expert(*arguments(handbook, "--fresh")).code == 130
    assert "other settings" in expert(*arguments(handbook, "--seed", "1")).err
    assert expert(*arguments(handbook, "--seed", "1", "--name", "other")).code == 130


def test_half_a_character_is_no_hindrance(
    expert: Run, handbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.advise.run.advise", stop)
    with (handbook / "qa.jsonl").open("a") as file:
        file.write('{"question": "Who is \\ud83d?", "answer": "Ann \\ud83d.", "note": "\\ud83d"}\n')
    found = expert(*arguments(handbook))
    assert (found.code, "Traceback" in found.err) == (130, False)


def test_files_that_cannot_be_read_are_counted_and_named_as_they_can_be_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = Room(tmp_path / "room", Settings())
    room.documents.mkdir(parents=True)
    for number in range(12):
        (room.documents / f"{number}\x1b[2J.pdf").write_bytes(b"%PDF-")
    assert len(_Watch(quiet=False).index(room).skipped) == 12
    told = capsys.readouterr().err
    assert told.count(".pdf: ") == 10
    assert told.endswith("  … and 2 more\n")
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no question"),
        ("question,answer\na,b\n", "holds no question: line 1: not JSON"),
        ('{"question": "Who?"}\n' * 30, "0 questions with an answer: 20 are needed"),
        ('{"question": "Who?", "answer": "Ann."}\n', "1 question with an answer: 20 are needed"),
        ('{"question": "Who?", "answer": "Ann."}\n' * 30, "the questions cannot be halved"),
    ],
)
def test_questions_that_say_nothing_are_refused(
    expert: Run, handbook: Path, content: str, said: str
) -> None:
    (handbook / "qa.jsonl").write_text(content)
    found = expert(*arguments(handbook))
    assert found.code == 1
    assert said in found.err
    assert "Traceback" not in found.err
    assert not Path(".expert").exists()


def test_bad_lines_are_named(expert: Run, handbook: Path) -> None:
    with (handbook / "qa.jsonl").open("a") as file:
        file.write("nonsense\n" + '{"answer": "x"}\n')
    for path in handbook.glob("*.md"):
        path.unlink()
    found = expert(*arguments(handbook))
    assert "qa.jsonl: line 29: not JSON" in found.err
    assert "qa.jsonl: line 30: question: field required; left out" in found.err
    # What is left of the folder is the file of questions.
    assert "holds no document that can be read" in found.err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--documents", "gone"), 1, "gone: no such folder"),
        (("--questions", "gone.jsonl"), 1, "gone.jsonl: No such file or directory"),
        (("--report", "gone/x.html"), 1, "cannot write gone/x.html: no such folder"),
        (("--name", "../x"), 1, "--name ../x: use letters"),
        (("--budget-minutes", "0"), 2, "0"),
        (("--model", "no-such-folder"), 1, "no-such-folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    expert: Run, handbook: Path, more: tuple[str, ...], code: int, said: str
) -> None:
    found = expert(*arguments(handbook, *more))
    assert found.code == code
    assert said in found.err
    assert "Traceback" not in found.err
