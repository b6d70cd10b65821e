"""Where a chat's questions come from: a person at a terminal, or lines of a file or pipe."""

import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

from agent.printable import printable

_PROMPT = "> "


class Questions(Protocol):
    """Where questions come from."""

    @property
    def interactive(self) -> bool:
        """Whether somebody sees each answer before the next question is asked."""
        ...

    def read(self) -> str:
        """Return the next question or command.

        :raises EOFError: When there is none left.
        :raises KeyboardInterrupt: When the line was given up.
        """
        ...


class LineQuestions:
    """Questions of a file or pipe, one a line; bytes that are no text are replaced.

    :param stream: Where to read.
    """

    interactive = False

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def read(self) -> str:
        """Return the next line."""
        line = self._stream.readline()
        if not line:
            raise EOFError
        return line


class TerminalQuestions:
    """Questions typed at a terminal, with history, editing over lines and completion.

    :param commands: Names that Tab completes, with their help.
    :param arguments: Words that Tab completes after a command, by its name.
    :param history: File of earlier questions; None to keep none.
    :param input: A terminal's input in place of standard input.
    :param output: A terminal's output in place of standard output.
    """

    interactive = True

    def __init__(
        self,
        commands: Mapping[str, str],
        arguments: Mapping[str, tuple[str, ...]],
        history: Path | None,
        *,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self._session: PromptSession[str] = PromptSession(
            FormattedText([("bold ansicyan", _PROMPT)]),
            history=InMemoryHistory() if history is None else _PrintableHistory(str(history)),
            completer=_CommandCompleter(commands, arguments),
            complete_while_typing=False,
            # A pasted block keeps its lines; Enter sends it all the same, see _keys.
            multiline=True,
            prompt_continuation=lambda width, line, wrapped: "" if wrapped else "… ".rjust(width),
            key_bindings=_keys(),
            input=input,
            output=output,
        )

    @property
    def history(self) -> History:
        """Earlier questions."""
        return self._session.history

    def read(self) -> str:
        """Let the user type a question."""
        with _interrupts_ignored():
            return self._session.prompt()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave Ctrl-C to the prompt, which takes it as a key as soon as it stands.

    Raised in the moment before, it would strand the event loop that is being made.
    """
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _PrintableHistory(FileHistory):
    """A history file that takes what is not text too: bytes pasted from elsewhere."""

    def store_string(self, string: str) -> None:
        super().store_string(printable(string))


class _CommandCompleter(Completer):
    """Completes commands and their arguments; questions are the user's own."""

    def __init__(
        self, commands: Mapping[str, str], arguments: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._commands = commands
        self._arguments = arguments
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, typed = text.partition(" ")
        if not space:
            for command, help_ in self._commands.items():
                if command.startswith(name):
                    yield Completion(command, -len(name), display_meta=help_)
        elif name in ("/save", "/save!"):
            yield from self._paths.get_completions(Document(typed), complete_event)
        else:
            for word in self._arguments.get(name, ()):
                if word.startswith(typed):
                    yield Completion(word, -len(typed))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def next_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
