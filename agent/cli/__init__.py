"""The ``expert`` command: one file a subcommand, imported when it is called."""

import importlib
import os
import sys
import warnings
from typing import Any

import click

from adapters.errors import ExpertError
from agent.printable import printable

# Name → one-line help, so that `expert --help` imports no command.
_COMMANDS = {
    "init": "Create a workspace with its settings file.",
    "index": "Index folders, files and database tables.",
    "ask": "Answer a question, with its sources.",
    "chat": "Keep asking; follow-up questions know what was said.",
    "batch": "Answer a file of questions.",
    "route": "Show which route a question would take, and why.",
    "search": "Search the index and show the passages found.",
    "model": "Build, choose and look at the language model.",
    "train": "Train an adapter on questions and answers.",
    "adapters": "Look at, compare, import, export and remove adapters.",
    "router": "Look at, fit, teach, measure and roll back the router.",
    "lab": "Teach the lab model to read, and measure it.",
    "eval": "Ask your questions by every route, and report which is best.",
    "advise": "Say whether retrieval, fine-tuning or both fits your documents.",
    "trace": "List the last answers, and show how one came about.",
    "measure": "Measure answers on your questions, step by step.",
    "pipelines": "Show, draw or export the retrieval pipeline.",
    "config": "Show the settings in force.",
    "doctor": "Check what is installed and reachable, and what to do about gaps.",
    "demo": "Index the example industries; ask their documents and adapters.",
}
EXIT_FAILURE, EXIT_USAGE, EXIT_ABSTAINED, EXIT_INTERRUPTED = 1, 2, 3, 130


class _LazyGroup(click.Group):
    """A group that imports a command's module only to run it."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"agent.cli.{name}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            if near:
                hint = f"{error.message} Did you mean {near[0]!r}?"
                raise click.UsageError(hint, context) from None
            raise


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Start with `expert index FOLDER`, then `expert ask "your question"`.',
)
@click.option(
    "--workspace",
    "-w",
    metavar="FOLDER",
    help="Workspace to use. [default: $EXPERT_WORKSPACE or ./.expert]",
)
@click.version_option(package_name="phi-expert", prog_name="expert")
@click.pass_context
def cli(context: click.Context, workspace: str | None) -> None:
    """Make Phi-3 an expert of your own industry."""
    from agent.workspace import Workspace

    context.obj = Workspace.locate(workspace)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failure, 2 usage, 3 abstained, 130 interrupted.

    :param arguments: Arguments after the command's name; None for the process's own.
    """
    # A warning is one line, like an error, and not a place in the source.
    warnings.formatwarning = lambda message, *_, **__: f"expert: {printable(str(message))}\n"
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code. See :func:`main`."""
    try:
        result: Any = cli.main(arguments, prog_name="expert", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ExpertError as error:
        # It may name what somebody else named: a document, a line of a file.
        click.echo(f"expert: {printable(str(error))}", err=True)
        return EXIT_FAILURE
    except (click.Abort, KeyboardInterrupt):
        click.echo("expert: interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`expert search … | head`): nothing to report,
        # and Python must not report it either when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    return result if isinstance(result, int) else 0
