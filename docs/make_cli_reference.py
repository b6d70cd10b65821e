"""Write docs/cli.md from the commands' own help; a test compares the two."""

from collections.abc import Iterator
from pathlib import Path

import click

from agent.cli import cli


def reference() -> str:
    """Return the whole command reference as Markdown."""
    parts = ["# Commands\n", "Made from the commands' own help by `make docs`.\n"]
    for path, command in _walk("expert", cli, None):
        # A command remembers the names of its help option from whoever asked first.
        context = click.Context(
            command,
            info_name=path,
            terminal_width=90,
            max_content_width=90,
            help_option_names=["-h", "--help"],
        )
        parts.append(f"## {path}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _walk(
    path: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path, parent=parent)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _walk(f"{path} {name}", inner, context)


if __name__ == "__main__":
    Path(__file__).with_name("cli.md").write_text(reference(), encoding="utf-8")
