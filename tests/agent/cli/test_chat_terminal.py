"""``expert chat`` on a real terminal: a pseudo one, with its keys and signals."""

import fcntl
import os
import select
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.workspace import Workspace

LEAVE = "How many days of annual leave do full-time staff earn?"
PROGRAM = """
import fcntl, importlib.util, termios, time
from contextlib import contextmanager

# Ctrl-C reaches those whose terminal it is.
fcntl.ioctl(0, termios.TIOCSCTTY, 0)

import agent.expert
from agent.cli import main

spec = importlib.util.spec_from_file_location("conftest", {conftest!r})
conftest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conftest)

@contextmanager
def open_answerer(workspace, name=None):
    answerer = conftest.WordAnswerer()
    answerer.before = lambda: time.sleep(5 * ("slowly" in answerer.asked[-1]))
    yield answerer

agent.routes.open_answerer = open_answerer
main(["--workspace", {workspace!r}, "chat"])
"""


class Terminal:
    """A pseudo terminal with the chat on it, and what it has shown."""

    def __init__(self, workspace: Workspace) -> None:
        self.controller, user = os.openpty()
        fcntl.ioctl(user, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        conftest = Path(__file__).parents[1] / "conftest.py"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM.format(conftest=str(conftest), workspace=str(workspace.path)),
            ],
            stdin=user,
            stdout=user,
            stderr=user,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )
        os.close(user)
        self.shown = ""
        self._read = 0

    def type(self, keys: str) -> None:
        os.write(self.controller, keys.encode())

    def wait_for(self, text: str) -> str:
        """Wait until the text is shown, behind what was waited for before."""
        deadline = time.monotonic() + 60
        while (at := self.shown.find(text, self._read)) < 0:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown!r}"
            if select.select([self.controller], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.controller, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    assert text in self.shown[self._read :], self.shown
        before, self._read = self.shown[self._read : at], at + len(text)
        return before

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.controller)[3] & termios.ECHO)


@pytest.fixture
def terminal(own_workspace: Workspace) -> Iterator[Terminal]:
    terminal = Terminal(own_workspace)
    yield terminal
    terminal.process.kill()
    terminal.process.wait()
    os.close(terminal.controller)


def test_a_chat_with_keys_and_signals(terminal: Terminal, own_workspace: Workspace) -> None:
    terminal.wait_for("Ctrl-D leaves.")
    terminal.wait_for("> ")
    terminal.type(f"{LEAVE}\r")
    terminal.wait_for("\x1b[1;33m25 days\x1b[0m")
    terminal.wait_for("confidence 0.90")

    # Pressed before the prompt stands, in a line, and in an answer: the chat goes on.
    terminal.type("\x03\x03")
    terminal.type("half a line\x03")
    terminal.type("Where, slowly, do visitors park?\r")
    terminal.wait_for("Visitors")
    assert not terminal.echoes
    terminal.type("\x03")
    terminal.wait_for("cancelled")

    terminal.type("What about part-time staff?\r")
    terminal.wait_for("searched as: What about part-time staff? (days annual")
    terminal.wait_for("confidence")
    terminal.type("\x1b[200~two lines\nof annual leave\x1b[201~\r")
    terminal.wait_for("confidence")
    terminal.type("/sources 1\r")
    terminal.wait_for("characters")

    terminal.type("\x04")
    assert terminal.process.wait(30) == 0
    assert "Traceback" not in terminal.shown
    history = own_workspace.path / "chat_history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+two lines\n+of annual leave\n" in history.read_text()
    (record,) = (own_workspace.path / "chats").iterdir()
    text = record.read_text()
    assert text.count('"event": "answer"') == 3
    assert text.count('"event": "cancelled"') == 1


def test_leaving_at_once_waits_for_nobody(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("\x04")
    assert terminal.process.wait(30) == 0
    assert "Traceback" not in terminal.shown
