"""``expert init``: create a workspace with a settings file that explains itself."""

from pathlib import Path
from typing import Any

import click

from agent.errors import WorkspaceError
from agent.settings import FILE_NAME, Settings
from agent.workspace import Workspace

_HEAD = """\
# Settings of this expert. A line "# name = value" shows the default; take its # away to
# change the value. Where it says "(not set; …)" there is none: write one in its place.

"""
# By the type that JSON schema gives.
_KINDS = {"string": "a text in quotes", "integer": "a whole number", "number": "a number"}


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
            schema = type(value).model_json_schema()["properties"]
            for key, inner in type(value).model_fields.items():
                lines += _setting(
                    tomlkit,
                    key,
                    getattr(value, key),
                    inner.description or "",
                    chosen.get(f"{name}.{key}"),
                    schema[key],
                )
            sections.append("\n".join(line for line in lines if line))
        else:
            top += _setting(tomlkit, name, value, field.description or "", chosen.get(name), {})
    return _HEAD + "\n".join(top) + "\n\n" + "\n\n".join(sections) + "\n"


def _setting(
    tomlkit: Any, key: str, default: Any, about: str, chosen: str | None, schema: dict[str, Any]
) -> list[str]:
    value = chosen if chosen is not None else default
    if value is None:
        return [f"# {about}", f"# {key} = (not set; {_kind(schema)})"]
    shown = tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()
    hidden = "# " if chosen is None else ""
    return [f"# {about}", f"{hidden}{key} = {shown}"]


def _kind(schema: dict[str, Any]) -> str:
    """Say what may be written for a setting that need not be set, by its JSON schema."""
    one: dict[str, Any] = next(each for each in schema["anyOf"] if each["type"] != "null")
    kind = _KINDS[one["type"]]
    return f"{kind} from {one['minimum']} to {one['maximum']}" if "maximum" in one else kind
