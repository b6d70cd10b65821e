"""``expert init``: create a workspace with a settings file that explains itself."""

from pathlib import Path
from typing import Any

import click

from agent.errors import WorkspaceError
from agent.settings import FILE_NAME, Settings
from agent.workspace import Workspace


@click.command("init", epilog="Example: expert init --store weaviate")
@click.option("--store", type=click.Choice(["sqlite", "weaviate"]), default="sqlite")
@click.option("--embedder", default="minilm", metavar="MODEL", show_default=True)
@click.option("--force", is_flag=True, help="Replace an existing settings file.")
@click.pass_obj
def command(workspace: Workspace, store: str, embedder: str, force: bool) -> None:
    """Create a workspace with its settings file.

    It works without: `expert index` creates what it needs, with the default settings.
    """
    path = workspace.path / FILE_NAME
    if path.exists() and not force:
        raise WorkspaceError(f"{path} exists already; --force replaces it")
    if Path(FILE_NAME).is_file():
        raise WorkspaceError(f"./{FILE_NAME} is in force here already: edit or remove it")
    workspace.create()
    path.write_text(_template({"store": store, "embedder.model": embedder}), encoding="utf-8")
    click.echo(f"Workspace {workspace.path} is ready; its settings are in {path}.")
    click.echo("Next: expert index FOLDER")


def _template(chosen: dict[str, str]) -> str:
    """Write every setting with its description, commented out unless chosen."""
    import tomlkit

    top, sections = [], []
    defaults = Settings.model_construct()
    for name, field in Settings.model_fields.items():
        value = getattr(defaults, name)
        if hasattr(value, "model_fields_set"):
            lines = [f"# {field.description}" if field.description else "", f"[{name}]"]
            for key, inner in type(value).model_fields.items():
                lines += _setting(
                    tomlkit,
                    key,
                    getattr(value, key),
                    inner.description or "",
                    chosen.get(f"{name}.{key}"),
                )
            sections.append("\n".join(line for line in lines if line))
        else:
            top += _setting(tomlkit, name, value, field.description or "", chosen.get(name))
    head = "# Settings of this expert. A line in comments shows the default.\n"
    return head + "\n".join(top) + "\n\n" + "\n\n".join(sections) + "\n"


def _setting(tomlkit: Any, key: str, default: Any, about: str, chosen: str | None) -> list[str]:
    value = chosen if chosen is not None else default
    shown = (
        '""'
        if value is None
        else tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()
    )
    hidden = "# " if chosen is None else ""
    return [f"# {about}", f"{hidden}{key} = {shown}"]
