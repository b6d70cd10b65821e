"""``expert ask``: answer a question, with its sources."""

import io
import sys
from typing import TextIO

import click

from agent.cli import EXIT_ABSTAINED
from agent.printable import printable, to_json
from agent.workspace import Workspace

_EXAMPLES = """\b
Examples:
  expert ask "how many days of annual leave?"
  expert ask "how many days of annual leave?" --json
  echo "who approves travel?" | expert ask -
  expert ask --adapter hr "who approves travel?"
  expert ask --route hybrid "who approves travel?"
"""
# More than any question, and little enough to hold.
_MOST_CHARACTERS = 1_000_000


@click.command("ask", epilog=_EXAMPLES)
@click.argument("question")
@click.option(
    "--answerer",
    type=click.Choice(["quote", "phi3"]),
    help="Quote the documents, or let the language model write. [default: what measured better]",
)
@click.option(
    "--adapter",
    metavar="NAME[@VERSION]",
    help="Let this adapter answer from what it has learned, or write on the route hybrid.",
)
@click.option(
    "--route",
    type=click.Choice(["retrieval", "expert", "hybrid"]),
    help="Take this route. [default: what the router chooses]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace,
    question: str,
    answerer: str | None,
    adapter: str | None,
    route: str | None,
    as_json: bool,
) -> int:
    """Answer a question, with the places that the answer rests on.

    The router chooses how: from the documents, or not at all, and where there are adapters also
    by one from what it has learned, or by both. QUESTION is read from standard input when it
    is "-". Exits with 3 when there is no answer.
    """
    if adapter is not None and answerer is not None:
        raise click.UsageError("--adapter writes by itself: leave --answerer out")
    if route not in (None, "retrieval") and answerer is not None:
        raise click.UsageError("--answerer goes with --route retrieval")
    if route == "retrieval" and adapter is not None:
        raise click.UsageError("--adapter goes with --route expert or hybrid")
    question = printable(_read() if question == "-" else question).strip()
    if not question:
        raise click.UsageError("the question is empty")

    from agent.expert import Expert

    if as_json:
        with Expert(workspace, answerer=answerer, adapter=adapter, route=route) as expert:
            reply = expert.ask(question)
        click.echo(to_json(reply.to_dict()))
    else:
        from rich.console import Console

        from agent.chat_screen import Streamed
        from agent.cli.display import print_reply

        console = Console(highlight=False)
        with (
            Streamed(console) as streamed,
            Expert(workspace, answerer=answerer, adapter=adapter, route=route) as expert,
        ):
            reply = expert.ask(question, on_text=streamed.on_text)
        print_reply(console, reply)
    return EXIT_ABSTAINED if reply.answer.abstained else 0


def standard_input() -> TextIO:
    """Return standard input as text; bytes that are none are replaced."""
    if sys.stdin is None:  # closed by the caller
        return io.StringIO()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    return sys.stdin


def _read() -> str:
    text = standard_input().read(_MOST_CHARACTERS + 1)
    if len(text) > _MOST_CHARACTERS:
        raise click.UsageError(f"the question is longer than {_MOST_CHARACTERS:,} characters")
    return text
