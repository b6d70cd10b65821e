"""A conversation: questions and commands in, answers with their sources out."""

import contextlib
import traceback
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from adapters.errors import ExpertError
from agent.chat_commands import run_command
from agent.chat_expert import ChatExpert
from agent.chat_log import ChatLog
from agent.chat_screen import Streamed
from agent.cli.display import print_reply, print_text, shortened
from agent.errors import WorkspaceError
from agent.follow_up import Turn
from agent.printable import one_line, printable

if TYPE_CHECKING:
    from agent.chat_input import Questions
    from agent.expert import Reply

_SPARE_LINES = 2


class Chat:
    """A chat: reads, answers and remembers until it is left.

    :param expert: Answers; opened in the background.
    :param questions: Where questions and commands come from.
    :param console: Where answers go; on a terminal they are streamed and coloured.
    :param log: Keeps what is said; None to keep nothing.
    :param describe: Says which answerer is in force, given the one chosen here or None.
    :param problems: Where to say what is wrong; the console by default.
    :param pager: Shows what is longer than the screen.
    """

    def __init__(
        self,
        expert: ChatExpert,
        questions: "Questions",
        console: Console,
        *,
        log: ChatLog | None = None,
        describe: Callable[[str | None], str] = lambda name: name or "the default answerer",
        problems: Console | None = None,
        pager: Callable[[str], None] = click.echo_via_pager,
    ) -> None:
        self.console = console
        self.replies: list[Reply] = []
        # Not of the log itself, which is given up when it cannot be written.
        self.workspace = log.workspace if log else None
        self.reply_id = ""
        self.leaving = False
        self.failed = False
        self._expert = expert
        self._questions = questions
        self._log = log
        self._describe = describe
        self._problems = problems or console
        self._pager = pager
        self._turns: list[Turn] = []

    @property
    def last(self) -> "Reply | None":
        """The last reply of the conversation."""
        return self.replies[-1] if self.replies else None

    def run(self) -> None:
        """Answer until there are no more questions, or the user leaves."""
        while not self.leaving:
            try:
                self.take(self._questions.read())
            except KeyboardInterrupt:
                if not self._questions.interactive:
                    raise
            except EOFError:
                return

    def take(self, line: str) -> None:
        """Answer a question or run a command; Ctrl-C ends that, not the chat.

        :param line: What was typed.
        """
        line = printable(line).rstrip()
        if not line.strip():
            return
        try:
            # A pasted block may begin with a path, say: commands are of one line.
            if line.startswith("/") and "\n" not in line:
                run_command(self, line)
            else:
                self._ask(line.strip())
        except ExpertError as error:
            self.complain(str(error))
        except KeyboardInterrupt:
            if not self._questions.interactive:
                raise
            print_text(self.console, Text("cancelled", style="dim"))
        except Exception as error:
            # A fault in one answer must not take the conversation with it.
            self.complain(f"unexpected {type(error).__name__}: {error}")
            self._keep("failed", question=line, error=traceback.format_exc())

    def _ask(self, question: str) -> None:
        if not self._questions.interactive:
            print_text(self.console, Text(f"> {shortened(question)}"))
        with Streamed(self.console) as streamed:
            try:
                reply = self._expert.get().ask(
                    question, history=self._turns, on_text=streamed.on_text
                )
            except KeyboardInterrupt:
                self._keep("cancelled", question=question, answer=streamed.text or None)
                if streamed.text:
                    print_text(self.console, Text(streamed.text, style="dim"))
                raise
            except ExpertError as error:
                self._keep("failed", question=question, error=str(error))
                raise
        self.replies.append(reply)
        self.reply_id = uuid.uuid4().hex
        self._turns.append(_turn(reply))
        self._keep("answer", **reply.to_dict())
        print_reply(self.console, reply, panel=True)
        self.console.print()

    def complain(self, problem: str) -> None:
        """Say in one line what is wrong."""
        self.failed = True
        print_text(self._problems, Text(one_line(problem), style="red"))

    def show(self, draw: Callable[[Console], None]) -> None:
        """Print something, page by page where it is longer than the screen.

        :param draw: Prints it.
        """
        if not self.console.is_terminal:
            draw(self.console)
            return
        with self.console.capture() as captured:
            draw(self.console)
        shown = captured.get()
        if shown.count("\n") > self.console.height - _SPARE_LINES:
            self._pager(shown)
        else:
            draw(self.console)

    def switch(self, answerer: str) -> None:
        """Let another answerer answer from now on.

        :raises ExpertError: When it cannot be opened; the present one stays.
        """
        if answerer != self._expert.answerer:
            with Streamed(self.console, f"opening {answerer}"):
                self._expert.switch(answerer)

    def answerer(self) -> str:
        """Say which answerer is in force."""
        return self._describe(self._expert.answerer)

    def forget(self) -> None:
        """Forget the conversation; its record stays."""
        if self.replies:
            self._keep("cleared")
        self.replies.clear()
        self._turns.clear()

    def _keep(self, event: str, **content: object) -> None:
        if self._log is None:
            return
        try:
            self._log.add(event, **content)
        except WorkspaceError as error:
            # Said once: a full disk is no reason to stop answering.
            self._log = None
            self.complain(f"{error}; the conversation is not kept from here on")

    def close(self) -> None:
        """Close the expert."""
        with contextlib.suppress(KeyboardInterrupt):
            self._expert.close()


def _turn(reply: "Reply") -> Turn:
    """Return what a follow-up question may lean on."""
    answer = reply.answer
    gist = None
    if answer.text is not None and answer.highlights:
        start, end = answer.highlights[0]
        gist = answer.text[start:end]
    return Turn(reply.question, reply.searched, answer.text, gist)
