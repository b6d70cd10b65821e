"""``expert pipelines``: show, draw or export the retrieval pipeline in force."""

from pathlib import Path
from typing import Any

import click

from agent.workspace import Workspace


@click.group("pipelines")
def command() -> None:
    """Show, draw or export the retrieval pipeline in force."""


@command.command("show", epilog="Example: expert pipelines show")
@click.pass_obj
def show(workspace: Workspace) -> None:
    """List the components in order, with their settings and connections."""
    from rich.console import Console
    from rich.markup import escape
    from rich.tree import Tree

    definition = _definition(workspace)
    tree = Tree("retrieval pipeline")
    for name in _order(definition):
        part = definition["components"][name]
        branch = tree.add(f"[bold]{escape(name)}[/] {part['type'].rsplit('.', 1)[-1]}")
        for key, value in part["init_parameters"].items():
            if not isinstance(value, dict) or "init_parameters" not in value:
                branch.add(f"[dim]{escape(key)} = {escape(str(value))}")
            else:
                branch.add(f"[dim]{escape(key)}: {value['type'].rsplit('.', 1)[-1]}")
        for edge in definition["connections"]:
            if edge["sender"].split(".")[0] == name:
                branch.add(f"→ {escape(edge['receiver'])}  [dim]({edge['sender'].split('.')[1]})")
    Console(highlight=False).print(tree)


@command.command("draw", epilog="Example: expert pipelines draw > pipeline.mmd")
@click.pass_obj
def draw(workspace: Workspace) -> None:
    """Print the pipeline as a Mermaid diagram, which Markdown viewers draw.

    Nothing is sent to a drawing service.
    """
    definition = _definition(workspace)
    lines = ["graph TD"]
    for name, part in definition["components"].items():
        lines.append(f'    {name}["<b>{name}</b><br>{part["type"].rsplit(".", 1)[-1]}"]')
    for edge in definition["connections"]:
        sender, output = edge["sender"].split(".")
        lines.append(f"    {sender} -- {output} --> {edge['receiver'].split('.')[0]}")
    click.echo("\n".join(lines))


@command.command("export", epilog="Example: expert pipelines export -o mine.yaml")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write. [default: standard output]",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_obj
def export(workspace: Workspace, output: Path | None, force: bool) -> None:
    """Write the pipeline as YAML, to change and name in the setting retrieval.pipeline."""
    import yaml

    text = yaml.safe_dump(_definition(workspace), sort_keys=False, allow_unicode=True)
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists() and not force:
        raise click.UsageError(f"{output} exists already; --force replaces it")
    output.write_text(text, encoding="utf-8")
    click.echo(f'Wrote {output}; use it with the setting retrieval.pipeline = "{output}"')


def _definition(workspace: Workspace) -> dict[str, Any]:
    from agent.assemble import open_pipeline

    with open_pipeline(workspace) as pipeline:
        return pipeline.to_dict()


def _order(definition: dict[str, Any]) -> list[str]:
    """Return the components' names, each after those that feed it."""
    from graphlib import TopologicalSorter

    graph: dict[str, set[str]] = {name: set() for name in definition["components"]}
    for edge in definition["connections"]:
        graph[edge["receiver"].split(".")[0]].add(edge["sender"].split(".")[0])
    return list(TopologicalSorter(graph).static_order())
