"""``expert chat``: keep asking."""

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from agent.cli.ask import standard_input
from agent.workspace import Workspace

if TYPE_CHECKING:
    from agent.chat_input import TerminalQuestions

_EXAMPLES = """\b
Examples:
  expert chat
  expert chat --answerer phi3
  expert chat < questions.txt
"""


@click.command("chat", epilog=_EXAMPLES)
@click.option(
    "--answerer",
    type=click.Choice(["quote", "phi3"]),
    help="Quote the documents, or let the language model write. [default: what measured better]",
)
@click.pass_obj
def command(workspace: Workspace, answerer: str | None) -> int:
    """Ask questions one after another; follow-up questions know what was said.

    /help in the chat lists its commands. What is said is kept in the workspace's folder
    "chats". Without a terminal, questions are read line by line.
    """
    if workspace.settings.retrieval.pipeline is None and not workspace.has_adapters:
        workspace.require_index()

    from rich.console import Console
    from rich.text import Text

    from agent.chat import Chat
    from agent.chat_expert import Asked, ChatExpert
    from agent.chat_input import LineQuestions
    from agent.chat_log import ChatLog
    from agent.chat_screen import keys_held_back
    from agent.printable import one_line

    def open_expert(name: str | None) -> Asked:
        from agent.expert import Expert

        expert = Expert(workspace, answerer=name)
        expert.warm_up()
        return expert

    def describe(name: str | None) -> str:
        return describe_answerer(workspace, name)

    interactive = sys.stdin is not None and sys.stdin.isatty()
    questions = _terminal(workspace) if interactive else LineQuestions(standard_input())
    console = Console(highlight=False)
    chat = Chat(
        ChatExpert(open_expert, answerer),
        questions,
        console,
        log=ChatLog(workspace.path),
        describe=describe,
        problems=None if interactive else Console(highlight=False, stderr=True),
    )
    if interactive:
        welcome = (
            f"Ask about the documents of {one_line(str(workspace.path))}. "
            "/help lists the commands, Ctrl-D leaves."
        )
        console.print(Text(welcome, style="dim"))
    with contextlib.closing(chat), keys_held_back():
        chat.run()
    return int(chat.failed and not interactive)


def _terminal(workspace: Workspace) -> "TerminalQuestions":
    """Return the questions typed at this terminal, with those of earlier chats."""
    from agent.chat_commands import COMMANDS
    from agent.chat_input import TerminalQuestions
    from agent.chat_log import HISTORY, private_file
    from agent.errors import WorkspaceError

    history = None
    try:
        history = private_file(workspace.path / HISTORY)
    except WorkspaceError as error:
        click.echo(f"expert: {error}; this chat will not be remembered", err=True)
    return TerminalQuestions(
        {f"/{name}": command.help for name, command in COMMANDS.items()},
        {f"/{name}": command.arguments for name, command in COMMANDS.items()},
        history,
    )


def describe_answerer(workspace: Workspace, name: str | None) -> str:
    """Say which answerer is in force, why, and which language model it uses.

    :param name: The answerer chosen by hand; None for what the settings choose.
    """
    from agent.answerers import Choice, chosen_answerer

    choice = Choice(name, "chosen here") if name else chosen_answerer(workspace)
    model = (
        f"the language model {workspace.settings.model.name}"
        if choice.name == "phi3"
        else "sentences of the documents, no language model"
    )
    return f"{choice.name}: {model} ({choice.reason})"
