"""``expert chat`` as it is called: lines of a pipe here, a terminal below."""

import io
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.lab import lab_model
from agent.router.outcomes import OutcomeStore
from agent.workspace import Workspace

Expert = Callable[..., object]
LEAVE = "How many days of annual leave do full-time staff earn?"


@pytest.fixture
def chat(
    expert: Expert,
    own_workspace: Workspace,
    word_answerer: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Expert:
    """Run ``expert chat`` with lines on standard input."""

    def run(*lines: str, options: tuple[str, ...] = ()) -> object:
        content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        return expert("--workspace", str(own_workspace.path), "chat", *options)

    return run


def test_lines_are_answered_one_by_one(chat: Expert, own_workspace: Workspace) -> None:
    result = chat(LEAVE, "", "And part-time staff?", "/route")
    assert result.code == 0
    assert result.err == ""
    blocks = result.out.split("\n\n")
    assert blocks[0].splitlines()[:3] == [
        f"> {LEAVE}",
        "Full-time staff earn 25 days of annual leave a year.",
        "[1] Leave > Annual leave",
    ]
    assert blocks[1].splitlines()[:2] == [
        "> And part-time staff?",
        "searched as: And part-time staff? (days annual leave full-time earn)",
    ]
    assert blocks[2].startswith("asked: And part-time staff?\n")
    assert "\x1b" not in result.out
    (record,) = (own_workspace.path / "chats").iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert not (own_workspace.path / "chat_history").exists()


def test_problems_go_to_standard_error_and_into_the_exit_code(chat: Expert) -> None:
    result = chat("/sorces", LEAVE)
    assert result.code == 1
    assert result.err == "unknown command /sorces: did you mean /sources?\n"
    assert "25 days" in result.out


def test_answers_are_rated_in_a_pipe_too(chat: Expert, own_workspace: Workspace) -> None:
    result = chat(LEAVE, "/good", "What colour is the moon?", "/bad")
    assert result.code == 0
    assert "Kept as a good answer.\n" in result.out
    with OutcomeStore(own_workspace.path / "router/outcomes.sqlite") as store:
        kept = [(each.question, each.route, each.score) for each in store.all("chat")]
    assert kept == [(LEAVE, "retrieval", 1.0), ("What colour is the moon?", "abstain", 0.0)]
    early = chat("/good")
    assert (early.code, early.err) == (1, "there is no answer yet\n")


def test_an_abstention_is_no_failure(chat: Expert) -> None:
    result = chat("Who won the football world cup in 1998?")
    assert result.code == 0
    assert "No answer: neither the documents nor an adapter seem to be about this." in result.out


def test_nothing_to_read_is_nothing_to_do(chat: Expert) -> None:
    result = chat()
    assert (result.code, result.out, result.err) == (0, "", "")


def test_bytes_that_are_no_text_and_very_long_lines(chat: Expert) -> None:
    result = chat("annual \udcff\x1b[31m leave days", "annual leave " * 8000, "/help")
    assert result.code == 0
    assert result.out.count("25 days of annual leave") == 2
    assert max(map(len, result.out.splitlines())) < 300
    assert "\x1b" not in result.out


def test_the_answerer_in_force_is_told_with_its_reason(chat: Expert) -> None:
    result = chat("/model", "/model phi3", "/model quote")
    lines = result.out.splitlines()
    assert lines[0].startswith("quote: sentences of the documents, no language model (the default")
    assert lines[1] == "phi3: the language model lab (chosen here)"
    assert lines[2] == "quote: sentences of the documents, no language model (chosen here)"
    assert chat("/model", options=("--answerer", "phi3")).out.startswith("phi3: ")


def test_chatting_before_indexing_says_what_to_do(expert: Expert) -> None:
    result = expert("chat")
    assert (result.code, result.out) == (1, "")
    assert result.err.endswith("run `expert index PATH` first\n")


def test_an_adapter_is_enough_to_chat_with(expert: Expert, monkeypatch: pytest.MonkeyPatch) -> None:
    lab_model()
    folder = Path(__file__).parents[3] / "examples" / "hr" / "adapter"
    assert expert("adapters", "import", str(folder)).code == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/help\n")))
    result = expert("chat")
    assert (result.code, result.err) == (0, "")
