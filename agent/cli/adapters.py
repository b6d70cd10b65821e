"""``expert adapters``: look at the adapters of a workspace, and bring them in and out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.adapter_display import (
    HEADS,
    card_facts,
    print_card,
    print_differences,
    print_table,
    row,
)
from agent.printable import one_line, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from adapters.models import ModelFiles
    from adapters.registry import RegisteredAdapter, Registry

_IMPORT_EXAMPLES = """\b
Examples:
  expert adapters import hr.tar.gz
  expert adapters import runs/hr-adapter --name hr --base-unchecked
"""
_EXPORT_EXAMPLES = """\b
Examples:
  expert adapters export hr hr.tar.gz
  expert adapters export hr@2 /srv/adapters/hr
  expert adapters export hr hr.zip --half
"""
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("adapters", epilog="Example: expert adapters list")
def command() -> None:
    """Look at, compare, import, export and remove adapters.

    An adapter is called by its NAME for the version in use, or by NAME@3 for a certain one.
    """


@command.command("list", epilog="Example: expert adapters list --json")
@click.argument("name", required=False, metavar="[NAME]")
@_JSON
@click.pass_obj
def list_adapters(workspace: Workspace, name: str | None, as_json: bool) -> None:
    """List the adapters, each in the version in use; of one that is named, all versions.

    * marks the version in use. "fresh" is the share of the documents that an adapter learned
    from which are unchanged in the index.
    """
    from agent.freshness import freshness_of

    registry = _registry(workspace)
    found, problems = registry.history(name) if name else registry.all()
    fresh = freshness_of(workspace, {adapter.reference: adapter.card for adapter in found})
    used = {registry.current(name)} if name else {adapter.version for adapter in found}
    marked = [(adapter, fresh[adapter.reference], adapter.version in used) for adapter in found]
    for problem in problems:
        click.echo(f"damaged: {one_line(problem)}", err=True)
    if as_json:
        facts = [card_facts(one, stale) | {"current": in_use} for one, stale, in_use in marked]
        click.echo(to_json({"adapters": facts}))
    elif marked:
        print_table([HEADS, *(row(*cells) for cells in marked)])
    elif not problems:
        click.echo("There are no adapters here. Make one with: expert train NAME data.jsonl")


@command.command("show", epilog="Example: expert adapters show hr@2")
@click.argument("reference", metavar="NAME[@VERSION]")
@_JSON
@click.pass_obj
def show(workspace: Workspace, reference: str, as_json: bool) -> None:
    """Show an adapter's card, its versions, and which of its documents have changed."""
    from agent.freshness import freshness_of

    registry = _registry(workspace)
    adapter = registry.get(reference)
    fresh = freshness_of(workspace, {"": adapter.card})[""]
    versions, current = registry.versions(adapter.name), registry.current(adapter.name)
    if as_json:
        more = {"current": adapter.version == current, "versions": versions}
        card = adapter.card.model_dump(mode="json")
        click.echo(to_json(card_facts(adapter, fresh) | more | {"card": card}))
        return
    print_card(adapter, fresh)
    others = ", ".join(f"{version}{'*' * (version == current)}" for version in versions)
    click.echo(f"  versions: {others}")
    click.echo(f"  folder: {adapter.folder}")


@command.command("diff", epilog="Example: expert adapters diff hr@2 hr@3")
@click.argument("first", metavar="NAME[@VERSION]")
@click.argument("second", required=False, metavar="[NAME[@VERSION]]")
@_JSON
@click.pass_obj
def diff(workspace: Workspace, first: str, second: str | None, as_json: bool) -> None:
    """Compare the cards of two versions; with one, compare it with the version before."""
    from adapters.differences import differences
    from adapters.errors import AdapterError

    registry = _registry(workspace)
    one = registry.get(first)
    if second is None:
        before = [number for number in registry.versions(one.name) if number < one.version]
        if not before:
            raise AdapterError(f"{one.reference} has no version before it: name two to compare")
        one, other = registry.get(f"{one.name}@{before[-1]}"), one
    else:
        other = registry.get(second)
    found = differences(one.card, other.card)
    if as_json:
        sources = {"added": found.added, "removed": found.removed, "changed": found.changed}
        ends = {"from": one.reference, "to": other.reference}
        click.echo(to_json({**ends, "fields": found.fields, "sources": sources}))
        return
    print_differences(one.reference, other.reference, found)


@command.command("rollback", epilog="Example: expert adapters rollback hr 2")
@click.argument("name")
@click.argument("version", required=False, type=click.IntRange(1, 9999))
@_JSON
@click.pass_obj
def rollback(workspace: Workspace, name: str, version: int | None, as_json: bool) -> None:
    """Use another version of an adapter: the one before, or the one named.

    No version is lost: a later one is used again in the same way.
    """
    adapter = _registry(workspace).rollback(name, version)
    _say(adapter, as_json, f"{adapter.reference} is in use now.")


@command.command("remove", epilog="Example: expert adapters remove hr@1")
@click.argument("reference", metavar="NAME[@VERSION]")
@click.option("--all", "everything", is_flag=True, help="Remove all versions of NAME.")
@click.option("--force", is_flag=True, help="Remove a version although it is in use.")
@_JSON
@click.pass_obj
def remove(
    workspace: Workspace, reference: str, everything: bool, force: bool, as_json: bool
) -> None:
    """Remove a version of an adapter, or all of them, for good."""
    removed = _registry(workspace).remove(reference, everything=everything, force=force)
    if as_json:
        click.echo(to_json({"removed": removed}))
    else:
        click.echo(f"Removed {', '.join(removed)}.")


@command.command("import", epilog=_IMPORT_EXAMPLES)
@click.argument("path", type=click.Path(path_type=Path), metavar="FOLDER|ARCHIVE")
@click.option("--name", help="What to call it. [default: what its card or its path says]")
@click.option(
    "--base-unchecked",
    is_flag=True,
    help="It was trained on the model in use, though it has no card to tell.",
)
@_JSON
@click.pass_obj
def import_(
    workspace: Workspace, path: Path, name: str | None, base_unchecked: bool, as_json: bool
) -> None:
    """Take in an adapter that was exported elsewhere, or made by plain PEFT.

    PATH is a folder, a .zip or a .tar.gz. It must hold safetensors of all four projections of
    every layer, for the model in use; anything else is refused. It becomes the version in use.
    """
    from adapters.intake import import_adapter
    from adapters.models import find_local

    workspace.create()
    base = find_local(workspace.settings.model.name)
    registry = _registry(workspace)
    adapter = import_adapter(registry, path, base, name=name, unchecked=base_unchecked)
    model = one_line(adapter.card.base.name)
    _say(adapter, as_json, f"{adapter.reference} is in use now, with {model}.")
    if adapter.version > 1 and not as_json:
        click.echo(f"To undo: expert adapters rollback {adapter.name}")


@command.command("export", epilog=_EXPORT_EXAMPLES)
@click.argument("reference", metavar="NAME[@VERSION]")
@click.argument("path", type=click.Path(path_type=Path), metavar="FOLDER|ARCHIVE")
@click.option("--half", is_flag=True, help="In half precision: half as large.")
@_JSON
@click.pass_obj
def export(workspace: Workspace, reference: str, path: Path, half: bool, as_json: bool) -> None:
    """Write an adapter to a folder, or to an archive that ends in .zip or .tar.gz.

    Plain PEFT and vLLM load the folder as it is.
    """
    from adapters.export import export_adapter

    adapter = export_adapter(_registry(workspace), reference, path, half=half)
    if as_json:
        click.echo(to_json({"adapter": adapter.reference, "path": str(path.absolute())}))
    else:
        click.echo(f"{adapter.reference} is in {path}.")


@command.command("verify", epilog="Example: expert adapters verify hr")
@click.argument("references", nargs=-1, metavar="[NAME[@VERSION]…]")
@_JSON
@click.pass_context
def verify(context: click.Context, references: tuple[str, ...], as_json: bool) -> None:
    """Check that adapters are as they were published; all versions of all when none is named.

    Exits with 1 when one is not. Where its model is on this machine, that is checked too.
    """
    registry = _registry(context.obj)
    checked = list(references) or [
        f"{name}@{version}" for name in registry.names() for version in registry.versions(name)
    ]
    problems: list[str] = []
    unknown: set[str] = set()
    for reference in checked:
        base = _base_of(registry, reference, unknown)
        problems += registry.verify(reference, base)
    if as_json:
        content = {"checked": checked, "problems": problems, "models_missing": sorted(unknown)}
        click.echo(to_json(content))
    else:
        for problem in problems:
            click.echo(one_line(problem))
        for name in sorted(unknown):
            click.echo(f"{one_line(name)} is not on this machine: not compared with it", err=True)
        click.echo(f"{len(checked)} checked, {len(problems)} problems")
    if problems:
        context.exit(1)


def _registry(workspace: Workspace) -> "Registry":
    from adapters.registry import Registry

    return Registry(workspace.adapters_folder)


def _base_of(registry: "Registry", reference: str, unknown: set[str]) -> "ModelFiles | None":
    """Return the model that an adapter was trained on; None, and its name noted, if not here."""
    from adapters.errors import AdapterError, ModelError
    from adapters.models import find_local

    try:
        base = registry.get(reference).card.base
    except AdapterError:
        # Told of by the verification itself.
        return None
    try:
        return find_local(f"{base.name}@{base.revision}" if base.revision else base.name)
    except ModelError:
        unknown.add(base.name)
        return None


def _say(adapter: "RegisteredAdapter", as_json: bool, text: str) -> None:
    if as_json:
        click.echo(to_json({"name": adapter.name, "version": adapter.version}))
    else:
        click.echo(text)
