"""``expert config``: the settings in force and where they come from."""

import json
import os
from typing import Any

import click

from agent.settings import ENV_PREFIX, setting_keys, settings_file
from agent.workspace import Workspace

_MASK = "********"


@click.group("config")
def command() -> None:
    """Show the settings in force."""


@command.command("show", epilog="Example: expert config show --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def show(workspace: Workspace, as_json: bool) -> None:
    """Show every setting, its value and where that comes from; secrets are masked."""
    path = settings_file(workspace.path)
    content = workspace.settings.model_dump(mode="python")
    in_file = _keys_in(path)
    rows = {}
    for key in setting_keys():
        value: Any = content
        for part in key.split("."):
            value = value[part]
        if hasattr(value, "get_secret_value"):
            value = _MASK
        variable = ENV_PREFIX + key.upper().replace(".", "__")
        source = (
            "environment" if variable in os.environ else ("file" if key in in_file else "default")
        )
        rows[key] = {"value": _plain(value), "source": source}
    if as_json:
        click.echo(json.dumps({"file": str(path) if path else None, "settings": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading)
    for key, row in rows.items():
        shown = "" if row["value"] is None else json.dumps(row["value"], ensure_ascii=False)
        table.add_row(key, shown, str(row["source"]))
    console = Console()
    console.print(f"workspace {workspace.path}, settings file {path or 'none'}\n", highlight=False)
    console.print(table)


def _keys_in(path: Any) -> set[str]:
    import tomllib

    if path is None:
        return set()
    content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    return {
        name
        for key, value in content.items()
        for name in ([f"{key}.{inner}" for inner in value] if isinstance(value, dict) else [key])
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, os.PathLike) else value
