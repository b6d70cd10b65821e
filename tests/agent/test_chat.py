"""A chat without a terminal: the real expert over a small index, and a scripted user."""

import io
import json
import signal
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import Input, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from adapters.card import AdapterCard, BaseModelRef
from adapters.errors import ModelError
from adapters.lora_files import CONFIG, TARGETS, WEIGHTS
from adapters.registry import Registry
from agent.chat import Chat
from agent.chat_commands import COMMANDS
from agent.chat_expert import Asked, ChatExpert
from agent.chat_input import LineQuestions, TerminalQuestions
from agent.chat_log import ChatLog, private_file
from agent.expert import Expert
from agent.router.outcomes import Outcome, OutcomeStore
from agent.ways import OUT_OF_SCOPE
from agent.workspace import Workspace

LEAVE = "How many days of annual leave do full-time staff earn?"


class Script:
    """A user who types lines; an exception among them is raised as a key would."""

    def __init__(self, lines: Iterable[str | type[BaseException]], interactive: bool) -> None:
        self._lines = iter(lines)
        self.interactive = interactive

    def read(self) -> str:
        line = next(self._lines, EOFError)
        if not isinstance(line, str):
            raise line
        return line


class Talk:
    """A finished chat with what it showed."""

    def __init__(self, chat: Chat, shown: str, paged: list[str]) -> None:
        self.chat = chat
        self.shown = shown
        self.paged = paged


@pytest.fixture
def talk(own_workspace: Workspace, word_answerer: object) -> Callable[..., Talk]:
    """Hold a chat over the small index."""

    def hold(
        *lines: str | type[BaseException],
        interactive: bool = True,
        terminal: bool = False,
        height: int = 40,
        open_: Callable[[str | None], Asked] | None = None,
    ) -> Talk:
        paged: list[str] = []
        console = Console(
            file=io.StringIO(),
            force_terminal=terminal,
            width=100,
            height=height,
            highlight=False,
            _environ={},
        )
        chat = Chat(
            ChatExpert(open_ or (lambda name: Expert(own_workspace, answerer=name))),
            Script(lines, interactive),
            console,
            log=ChatLog(own_workspace.path),
            pager=paged.append,
        )
        try:
            chat.run()
        finally:
            chat.close()
        return Talk(chat, console.file.getvalue(), paged)

    return hold


def _log(workspace: Workspace) -> list[dict]:
    (path,) = (workspace.path / "chats").glob("*.jsonl")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_conversation(talk: Callable[..., Talk], own_workspace: Workspace) -> None:
    done = talk(
        LEAVE, "", "And part-time staff?", "Who won the cup in 1998?", "/quit", "never read"
    )
    first, second, third = done.chat.replies
    assert first.answer.text == "Full-time staff earn 25 days of annual leave a year."
    assert second.searched == "And part-time staff? (days annual leave full-time earn)"
    assert third.answer.abstained
    shown = " ".join(done.shown.split())
    assert "Full-time staff earn 25 days of annual leave a year. [1] Leave" in shown
    assert f"hr/leave.md, characters {first.answer.citations[0].start}–" in shown
    assert f"searched as: {second.searched}" in shown
    assert "searched as: How many" not in shown
    assert f"No answer: {OUT_OF_SCOPE}. Nearest place:" in shown
    assert "confidence 0.90 · quote" in shown

    events = _log(own_workspace)
    assert [event["event"] for event in events] == ["answer"] * 3
    assert events[1]["searched"] == second.searched
    assert {key: events[0][key] for key in first.to_dict()} == first.to_dict()


def test_every_command_answers_before_anything_was_asked(talk: Callable[..., Talk]) -> None:
    done = talk("/sources", "/sources 2", "/route", "/model", "/clear", "/save x", "/save", "/help")
    lines = done.shown.splitlines()
    assert lines[:3] == ["nothing was asked yet"] * 3
    assert lines[3:6] == [
        "the default answerer",
        "The conversation is forgotten.",
        "nothing was said yet",
    ]
    assert lines[6] == "say where to: /save FILE"
    assert all(f"/{name}" in done.shown for name in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/source", "unknown command /source: did you mean /sources?"),
        ("/rout 2", "unknown command /rout: did you mean /route?"),
        ("/q", "unknown command /q: did you mean /quit?"),
        ("/HELP", "unknown command /HELP: did you mean /help?"),
        ("/", "unknown command /: /help lists the commands"),
        ("/etc/passwd is what?", "unknown command /etc/passwd: /help lists the commands"),
        ("/x\x1b[2J", "unknown command /x: /help lists the commands"),
        ("/model gpt", "no answerer gpt: choose quote or phi3"),
    ],
)
def test_a_wrong_command_is_one_line(typed: str, said: str, talk: Callable[..., Talk]) -> None:
    assert talk(typed).shown.splitlines() == [said]


def test_sources_open_their_passage(talk: Callable[..., Talk]) -> None:
    done = talk(LEAVE, "/sources", "/sources 1", "/sources 2", "/sources one")
    after = done.shown.partition("quote ·")[2]
    assert after.count("[1] Leave") == 2
    assert "│ Unused leave is carried over until March." in after
    assert "there is no source 2: choose 1" in after
    assert "there is no source one: choose 1" in after


def test_the_cited_stretch_is_set_off_and_long_passages_are_paged(
    talk: Callable[..., Talk],
) -> None:
    quote = "Full-time staff earn 25 days of annual leave a year."
    done = talk(LEAVE, "/sources 1", terminal=True)
    assert f"\x1b[1;33m{quote}\x1b[0m" in done.shown
    assert "Full-time staff earn \x1b[1;33m25 days\x1b[0m of annual leave" in done.shown
    assert "╭─" in done.shown
    assert " Sources " in done.shown
    assert done.paged == []

    low = talk(LEAVE, "/sources 1", terminal=True, height=6)
    (page,) = low.paged
    assert f"\x1b[1;33m{quote}\x1b[0m" in page


def test_of_an_abstention_the_nearest_place_can_be_opened(talk: Callable[..., Talk]) -> None:
    done = talk("Where do visitors drive trains?", "/sources 1", "/route")
    assert done.chat.last is not None
    assert done.chat.last.answer.abstained
    assert "│ Visitors park behind the north gate of the warehouse." in done.shown
    reason = "route: abstain (the documents found do not answer this)"
    assert reason in " ".join(done.shown.split())


def test_nothing_that_was_typed_reaches_the_terminal_raw(talk: Callable[..., Talk]) -> None:
    done = talk("Where do visitors park \x1b]0;mine\x07 \u202ecars?", "/sources 1", "/route")
    assert "Visitors park behind the north gate of the warehouse." in done.shown
    assert "asked: Where do visitors park cars?" in done.shown
    assert not set("\x1b\x07\u202e") & set(done.shown)


def test_route_shows_how_the_last_question_was_answered(talk: Callable[..., Talk]) -> None:
    done = talk(LEAVE, "And part-time staff?", "/route")
    shown = done.shown.rpartition("asked: ")[2]
    assert shown.startswith("And part-time staff?\nsearched as: And part-time staff? (days annual")
    assert "route: retrieval\nanswerer: quote\nconfidence: 0.90\ntime: route " in shown
    assert "chosen because: passages of the index are about it (cosine 0.30)" in shown
    assert "tokens: prompt 7, completion 3" in shown


def _outcomes(workspace: Workspace) -> list[Outcome]:
    with OutcomeStore(workspace.path / "router/outcomes.sqlite") as store:
        return store.all()


def test_good_and_bad_keep_what_became_of_an_answer(
    talk: Callable[..., Talk], own_workspace: Workspace
) -> None:
    done = talk(LEAVE, "/good", "And part-time staff?", "/good", "/bad", "Where do trains park?")
    assert done.shown.count("Kept as a good answer.\n") == 2
    assert done.shown.count("Kept as a bad answer.\n") == 1
    first, second = _outcomes(own_workspace)
    reply = done.chat.replies[0]
    assert (first.question, first.score, first.route) == (LEAVE, 1.0, "retrieval")
    assert first.latency_ms == reply.timings_ms["total"] > 0
    assert (first.source, first.adapter, first.adapters) == ("chat", None, {})
    assert (first.propensity, first.cost, first.router_version) == (1.0, 1.0, "default")
    # The last word counts, and of a follow-up what it was completed to.
    assert (second.question, second.score) == (done.chat.replies[1].searched, 0.0)


def test_a_rating_names_the_router_and_the_adapters(
    talk: Callable[..., Talk], own_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which adapters it can be used with is known only of a model that is here.
    monkeypatch.setenv("EXPERT_MODEL__NAME", "owner/tiny")
    made = own_workspace.path / "made"
    made.mkdir()
    lora = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": list(TARGETS)}
    (made / CONFIG).write_text(json.dumps(lora | {"base_model_name_or_path": "tiny"}))
    (made / WEIGHTS).touch()
    card = AdapterCard(
        name="hr",
        base=BaseModelRef(name="tiny", fingerprint="0" * 64),
        rank=2,
        alpha=4,
        target_modules=TARGETS,
        created="2026-03-01T12:00:00Z",
    )
    for _ in range(2):
        Registry(own_workspace.adapters_folder).publish(made, card)
    done = talk(LEAVE, "/route", "/good", open_=lambda name: Expert(own_workspace))
    assert "chosen because" in done.shown
    assert "Kept as a good answer." in done.shown
    (outcome,) = _outcomes(own_workspace)
    assert (outcome.router_version, outcome.route) == ("default", "retrieval")
    assert outcome.features["found"] > 0.5
    assert outcome.adapters == {"hr": "hr@2"}
    assert outcome.index_version


def test_a_rating_that_cannot_be_kept_is_one_line(
    talk: Callable[..., Talk], own_workspace: Workspace
) -> None:
    assert talk("/good", "/bad").shown.splitlines() == ["there is no answer yet"] * 2
    assert talk(LEAVE, "/clear", "/bad").shown.splitlines()[-1] == "there is no answer yet"
    path = own_workspace.path / "router/outcomes.sqlite"
    path.parent.mkdir(exist_ok=True)
    path.write_text("this is no database " * 100)
    done = talk(LEAVE, "/good", LEAVE)
    assert f"cannot open the outcomes in {path}" in done.shown.replace("\n", "")
    assert len(done.chat.replies) == 2


def test_clear_forgets_and_the_record_stays(
    talk: Callable[..., Talk], own_workspace: Workspace
) -> None:
    done = talk(LEAVE, "/clear", "And part-time staff?", "/sources 9")
    (reply,) = done.chat.replies
    assert reply.searched == reply.question
    assert [event["event"] for event in _log(own_workspace)] == ["answer", "cleared", "answer"]


def test_save_writes_markdown_and_overwrites_only_when_told(
    talk: Callable[..., Talk], tmp_path: Path
) -> None:
    path = tmp_path / "talk of today.md"
    done = talk(LEAVE, f"/save {path}", "Where do *visitors* drive?", f"/save {path}")
    assert f"{path} exists: `/save! {path}` replaces it" in done.shown.replace("\n", "")
    text = path.read_text()
    assert f"## {LEAVE}\n\nFull-time staff earn **25 days** of annual leave a year.\n\n" in text
    assert "1. Leave \\> Annual leave: hr/leave.md, characters " in text
    assert "visitors" not in text

    talk(LEAVE, "Where do *visitors* drive?", f"/save! {path}")
    withheld = "## Where do \\*visitors\\* drive?\n\nNo answer: the documents found do not"
    assert withheld in path.read_text()
    talk(LEAVE, f"/save {path} !")
    assert "visitors" not in path.read_text()
    failed = talk(LEAVE, f"/save {tmp_path}/no/such/folder/x.md")
    assert "cannot write" in failed.shown


def test_ctrl_c_gives_up_the_line_or_the_answer_and_keeps_the_chat(
    talk: Callable[..., Talk], word_answerer: object, own_workspace: Workspace
) -> None:
    def press_once() -> None:
        word_answerer.before = lambda: None
        signal.raise_signal(signal.SIGINT)

    word_answerer.before = press_once
    done = talk(KeyboardInterrupt, LEAVE, LEAVE, terminal=True)
    assert len(done.chat.replies) == 1
    assert "\x1b[2mFull-time\x1b[0m" in done.shown
    assert "cancelled" in done.shown
    cancelled, answered = _log(own_workspace)
    assert (cancelled["event"], cancelled["answer"]) == ("cancelled", "Full-time")
    assert answered["event"] == "answer"


def test_an_answer_is_streamed_on_a_terminal_only(
    talk: Callable[..., Talk], own_workspace: Workspace
) -> None:
    told: list[bool] = []

    class Listening(Expert):
        def ask(self, question, *, history=(), on_text=None):
            told.append(on_text is not None)
            return super().ask(question, history=history, on_text=on_text)

    for terminal in (True, False):
        talk(LEAVE, terminal=terminal, open_=lambda name: Listening(own_workspace))
    assert told == [True, False]


def test_an_error_is_one_line_and_the_chat_goes_on(
    talk: Callable[..., Talk], word_answerer: object, own_workspace: Workspace
) -> None:
    faults = iter([ModelError("the model is gone: fetch it"), ValueError("bad\x1b[2J\nnews")])

    def fail() -> None:
        if (fault := next(faults, None)) is not None:
            raise fault

    word_answerer.before = fail
    done = talk(LEAVE, LEAVE, LEAVE)
    lines = done.shown.splitlines()
    assert lines[:2] == ["the model is gone: fetch it", "unexpected ValueError: bad news"]
    assert len(done.chat.replies) == 1
    events = _log(own_workspace)
    assert [event["event"] for event in events] == ["failed", "failed", "answer"]
    assert "Traceback" in events[1]["error"]


def test_an_expert_that_cannot_be_opened_is_tried_again(
    talk: Callable[..., Talk], own_workspace: Workspace
) -> None:
    tries: list[str | None] = []

    def open_(name: str | None) -> Asked:
        tries.append(name)
        if len(tries) == 1:
            raise ModelError("no such model: choose another")
        return Expert(own_workspace, answerer=name)

    done = talk(LEAVE, LEAVE, open_=open_)
    assert done.shown.startswith("no such model: choose another\n")
    assert len(done.chat.replies) == 1


def test_the_answerer_can_be_switched_and_stays_when_the_other_fails(
    talk: Callable[..., Talk], own_workspace: Workspace
) -> None:
    opened: list[str | None] = []
    closed: list[str | None] = []

    class Named(Expert):
        def close(self) -> None:
            closed.append(self.name)
            super().close()

    def open_(name: str | None) -> Asked:
        opened.append(name)
        if name == "phi3":
            raise ModelError("the model does not fit")
        expert = Named(own_workspace, answerer=name)
        expert.name = name
        return expert

    done = talk("/model quote", "/model quote", "/model phi3", LEAVE, "/model", open_=open_)
    assert opened == [None, "quote", "phi3"]
    assert closed == [None, "quote"]
    assert done.shown.splitlines()[:3] == ["quote", "quote", "the model does not fit"]
    assert done.shown.splitlines()[-1] == "quote"


def test_leaving_closes_an_expert_that_is_still_being_opened(own_workspace: Workspace) -> None:
    go, closed = threading.Event(), threading.Event()

    class Slow(Expert):
        def close(self) -> None:
            super().close()
            closed.set()

    def open_(name: str | None) -> Asked:
        go.wait(30)
        return Slow(own_workspace, answerer=name)

    expert = ChatExpert(open_)
    threading.Timer(0.1, go.set).start()
    expert.close()
    assert closed.wait(30)


def test_lines_of_a_pipe_are_answered_plainly(talk: Callable[..., Talk]) -> None:
    done = talk(f"{LEAVE}\n", "And part-time staff?\r\n", interactive=False)
    assert done.shown.startswith(f"> {LEAVE}\nFull-time staff earn 25 days")
    assert "> And part-time staff?\n" in done.shown
    assert done.chat.failed is False
    with pytest.raises(KeyboardInterrupt):
        talk(KeyboardInterrupt, interactive=False)


def test_lines_are_read_until_their_end() -> None:
    lines = LineQuestions(io.StringIO("one\n\ntwo"))
    assert [lines.read() for _ in range(3)] == ["one\n", "\n", "two"]
    with pytest.raises(EOFError):
        lines.read()


def test_a_chat_that_cannot_be_kept_goes_on(
    talk: Callable[..., Talk], own_workspace: Workspace
) -> None:
    (own_workspace.path / "chats").write_text("a file, not a folder")
    done = talk(LEAVE, LEAVE)
    assert len(done.chat.replies) == 2
    assert done.shown.count("the conversation is not kept from here on") == 1


def test_two_chats_of_the_same_second_have_two_records(own_workspace: Workspace) -> None:
    for _ in range(3):
        ChatLog(own_workspace.path).add("answer", question="\x9b2J")
    paths = list((own_workspace.path / "chats").iterdir())
    assert len(paths) == 3
    assert all("\x9b" not in path.read_text() for path in paths)


def _terminal(pipe: Input, history: Path | None = None) -> TerminalQuestions:
    return TerminalQuestions(
        {f"/{name}": command.help for name, command in COMMANDS.items()},
        {f"/{name}": command.arguments for name, command in COMMANDS.items()},
        history,
        input=pipe,
        output=DummyOutput(),
    )


def _completions(typed: str) -> list[str]:
    with create_pipe_input() as pipe:
        completer = _terminal(pipe)._session.completer
        found = completer.get_completions(Document(typed), CompleteEvent())
        return [completion.text for completion in found]


class TestTyping:
    """The terminal's side, typed into a pipe."""

    def type(self, keys: str, count: int, history: Path | None = None) -> list[str]:
        with create_pipe_input() as pipe:
            pipe.send_text(keys)
            questions = _terminal(pipe, history)
            return [questions.read() for _ in range(count)]

    def test_enter_asks_and_alt_enter_begins_a_line(self) -> None:
        assert self.type("one\x1b\rtwo\rthree\r", 2) == ["one\ntwo", "three"]

    def test_a_pasted_block_is_one_question(self) -> None:
        assert self.type("\x1b[200~line one\nline two\n\x1b[201~\r", 1) == ["line one\nline two\n"]

    def test_ctrl_c_and_ctrl_d(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.type("half a questi\x03", 1)
        with pytest.raises(EOFError):
            self.type("\x04", 1)

    def test_history_is_kept_privately_and_comes_back(self, tmp_path: Path) -> None:
        path = tmp_path / "history"
        path.write_text("")
        path.chmod(0o644)
        self.type("first\x1b\rline\rsecond \x00\r", 2, private_file(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "\0" not in path.read_text()
        assert self.type("\x1b[A\x1b[A\x1b[A\r", 1, path) == ["first\nline"]

    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            ("/", [f"/{name}" for name in COMMANDS]),
            ("/s", ["/sources", "/save"]),
            ("/model ", ["quote", "phi3"]),
            ("/model p", ["phi3"]),
            ("how ", []),
            ("first\n/s", []),
        ],
    )
    def test_tab_completes_commands(self, typed: str, offered: list[str]) -> None:
        assert _completions(typed) == offered

    def test_tab_completes_files_to_save_to(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "notes.md").touch()
        monkeypatch.chdir(tmp_path)
        assert _completions("/save no") == ["tes.md"]
        assert _completions("/save! ") == ["notes.md"]
