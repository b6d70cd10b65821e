"""``expert model``: build, choose and look at the language model."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.errors import SettingsError
from agent.printable import one_line, to_json
from agent.settings import ENV_PREFIX, FILE_NAME, settings_file
from agent.workspace import Workspace

if TYPE_CHECKING:
    from adapters.models import ModelFacts

_VARIABLE = f"{ENV_PREFIX}MODEL__NAME"
_USE_EXAMPLES = """\b
Examples:
  expert model use microsoft/Phi-3-mini-4k-instruct
  expert model use /models/phi-3-mini
  expert model use lab
"""


@click.group("model", epilog="Example: expert model use microsoft/Phi-3-mini-4k-instruct")
def command() -> None:
    """Build, choose and look at the language model that writes answers."""


@command.command("build", epilog="Example: expert model build lab")
@click.argument("name", type=click.Choice(["lab", "lab-bare"]))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def build(name: str, as_json: bool) -> None:
    """Build the lab model: a small one for trying out and for tests, made offline.

    It takes some seconds, once. Use Phi-3-mini for work. lab-bare is the model as it comes,
    before it was taught to read.
    """
    _show(_found(name, silent=as_json), as_json, "The lab model is ready.")


@command.command("use", epilog=_USE_EXAMPLES)
@click.argument("name", metavar="ID|FOLDER|lab")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def use(workspace: Workspace, name: str, as_json: bool) -> None:
    """Choose the language model and note it in the settings file.

    A model of the hub is fetched: its size, this disk and this memory are compared first,
    and its revision is kept from then on.
    """
    from adapters.fitting import by_model
    from adapters.registry import Registry

    facts = _found(name, silent=as_json)
    # A folder is meant from wherever the command is run, and a branch as it is now.
    chosen = f"{facts.name}@{facts.revision}" if facts.revision and "@" in name else facts.name
    path = _write(workspace, chosen)
    _show(facts, as_json, f"{chosen} is the model now; {path} says so.")
    if _VARIABLE in os.environ and os.environ[_VARIABLE] != chosen:
        click.echo(f"{_VARIABLE} is set and wins: {os.environ[_VARIABLE]}", err=True)
    _, others = by_model(Registry(workspace.adapters_folder).all()[0], chosen)
    if others:
        names = ", ".join(sorted(adapter.name for adapter in others))
        click.echo(
            f"No question goes to {names} now, trained on another model: train anew with "
            "`expert train`",
            err=True,
        )


@command.command("list", epilog="Example: expert model list --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def list_models(workspace: Workspace, as_json: bool) -> None:
    """List the models that are on this machine."""
    from adapters.errors import ModelError
    from adapters.models import facts_of, find_local, local_models

    used = workspace.settings.model.name
    found = local_models()
    if not any(_is_same(model.name, used) for model in found):
        try:
            found.append(find_local(used))
        except ModelError as error:
            click.echo(f"the model in use is missing: {one_line(str(error))}", err=True)
    rows = [(facts_of(model), _is_same(model.name, used)) for model in found]
    if as_json:
        models = [{**_contract(facts), "used": in_use} for facts, in_use in rows]
        click.echo(to_json({"models": models}))
        return
    for facts, in_use in rows:
        click.echo(f"{'*' if in_use else ' '} {one_line(facts.name)}: {_summary(facts)}")
    if not rows:
        click.echo("No model is on this machine. Begin with: expert model build lab")


@command.command("info", epilog="Example: expert model info lab --json")
@click.argument("name", required=False, metavar="[ID|FOLDER|lab]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def info(workspace: Workspace, name: str | None, as_json: bool) -> None:
    """Show what is known of a model; of the one in use when none is named."""
    from adapters.models import facts_of, find_local

    _show(facts_of(find_local(name or workspace.settings.model.name)), as_json, "")


@command.command("path", epilog="Example: expert model path lab")
@click.argument("name", required=False, metavar="[ID|FOLDER|lab]")
@click.pass_obj
def path(workspace: Workspace, name: str | None) -> None:
    """Print the folder of a model; of the one in use when none is named."""
    from adapters.models import find_local

    click.echo(find_local(name or workspace.settings.model.name).folder)


def _found(name: str, *, silent: bool) -> "ModelFacts":
    from adapters.models import facts_of, find_model

    with _bar(silent) as progress:
        return facts_of(find_model(name, progress=progress))


@contextmanager
def _bar(silent: bool) -> Iterator[Callable[[int, int], None]]:
    """Give a progress bar on standard error, for terminals only."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(stderr=True)
    hidden = silent or not console.is_terminal
    columns = (TextColumn("Building the model"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task("", total=None, visible=False)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield advance


def _write(workspace: Workspace, name: str) -> Path:
    """Write the model's name into the settings file in force; return its path."""
    import tomlkit

    from adapters.cache import write_whole

    target = settings_file(workspace.path)
    if target is None:
        workspace.create()
        target = workspace.path / FILE_NAME
    # Read as settings too, so that a file at fault is reported before it is touched.
    workspace.settings  # noqa: B018
    text = target.read_text(encoding="utf-8-sig") if target.exists() else ""
    document = tomlkit.parse(text)
    section: Any = document.setdefault("model", tomlkit.table())
    section["name"] = name
    file = target.resolve()
    try:
        mode = file.stat().st_mode if file.exists() else None
        write_whole(file, tomlkit.dumps(document).encode())
        if mode is not None:
            file.chmod(stat.S_IMODE(mode))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"cannot write {target}: {reason}") from None
    return target


def _is_same(name: str, used: str) -> bool:
    return name in (used, used.partition("@")[0], str(Path(used).expanduser().absolute()))


def _show(facts: "ModelFacts", as_json: bool, done: str) -> None:
    if as_json:
        click.echo(to_json(_contract(facts)))
        return
    if done:
        click.echo(done)
    click.echo(f"{facts.name}: {_summary(facts)}")
    click.echo(f"in {facts.folder}")
    if facts.name == "lab":
        click.echo(
            "It is for trying out and for tests; for work: expert model use ID of Phi-3-mini"
        )


def _summary(facts: "ModelFacts") -> str:
    parts = [
        f"{facts.parameters / 1e6:,.0f} million parameters",
        f"{facts.bytes / 1e9:.2f} GB in {facts.dtype}",
        f"reads {facts.context_length:,} tokens",
    ]
    if facts.licence:
        parts.append(one_line(facts.licence))
    if facts.revision:
        parts.append(f"revision {facts.revision[:12]}")
    return ", ".join(parts)


def _contract(facts: "ModelFacts") -> dict[str, Any]:
    return {
        "name": facts.name,
        "path": str(facts.folder),
        "parameters": facts.parameters,
        "bytes": facts.bytes,
        "context_length": facts.context_length,
        "dtype": facts.dtype,
        "revision": facts.revision,
        "licence": facts.licence,
    }
