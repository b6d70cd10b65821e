"""``expert demo``: index the example industries, and ask their documents and adapters."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.errors import WorkspaceError
from agent.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

_EXAMPLES = Path(__file__).parents[2] / "examples"
_ASKED, _ADAPTER = "demo.jsonl", "adapter"


@click.command("demo", epilog="Example: expert --workspace .demo demo")
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    default=_EXAMPLES,
    help="Folder of example industries. [default: the one beside the source code]",
)
@click.pass_obj
def command(workspace: Workspace, examples: Path) -> None:
    """Index the example industries and ask a few questions of each.

    The router chooses who answers: quotes from the documents, an adapter that has learned what
    no document says, or nobody. Some are answered by the language model from the documents.
    """
    from rich.console import Console

    from agent.assemble import open_indexer
    from agent.cli.index import print_report, progress_bar
    from pipelines.index_report import merge_reports

    industries = sorted(path.parent for path in examples.glob(f"*/{_ASKED}"))
    if not industries:
        raise WorkspaceError(f"no examples in {examples}: give their folder with --examples")
    _refuse_other_documents(workspace, [path / "documents" for path in industries])
    console = Console(highlight=False)
    with (
        workspace.index_lock(),
        progress_bar() as progress,
        open_indexer(workspace, progress) as indexer,
    ):
        reports = [indexer.index_paths([path / "documents"]) for path in industries]
    print_report(merge_reports(reports))
    _take_adapters(workspace, industries)
    _ask(workspace, industries, console)
    flag = f" --workspace {workspace.path}" if workspace.path.name != ".expert" else ""
    console.print(
        "\nNext:\n"
        f'  expert{flag} ask "your own question"\n'
        f"  expert{flag} chat         # keep asking\n"
        f"  expert{flag} adapters list\n"
        "  expert index FOLDER     # your own documents, in a workspace of their own\n"
        "  expert doctor           # what is installed and reachable"
    )


def _take_adapters(workspace: Workspace, industries: Sequence[Path]) -> None:
    """Register the adapters that come with the industries, where they are not there already."""
    from adapters.card import AdapterCard
    from adapters.intake import import_adapter
    from adapters.models import find_local
    from adapters.registry import Registry

    registry = Registry(workspace.adapters_folder)
    there = {adapter.name: adapter.card.files for adapter in registry.all()[0]}
    for folder in (path / _ADAPTER for path in industries):
        card = AdapterCard.read(folder)
        if there.get(card.name) != card.files:
            import_adapter(registry, folder, find_local(workspace.settings.model.name))


def _ask(workspace: Workspace, industries: Sequence[Path], console: "Console") -> None:
    """Ask each industry's questions: by the router's choice, or by the answerer they name."""
    from agent.cli.display import print_reply
    from agent.expert import Expert

    with ExitStack() as opened:
        experts: dict[str | None, Expert] = {}
        for industry in industries:
            console.rule(f"[bold]{industry.name}", align="left")
            for line in (industry / _ASKED).read_text(encoding="utf-8").splitlines():
                one = json.loads(line)
                answerer = one.get("answerer")
                if answerer not in experts:
                    made = Expert(workspace, answerer=answerer)
                    experts[answerer] = opened.enter_context(made)
                console.print(f"\n[bold cyan]? {one['question']}")
                print_reply(console, experts[answerer].ask(one["question"]))
    console.rule(align="left")


def _refuse_other_documents(workspace: Workspace, folders: list[Path]) -> None:
    from pipelines.catalog import Catalog

    path = workspace.index_folder / "catalog.sqlite"
    if not path.exists():
        return
    with Catalog(path, read_only=True) as catalog:
        others = {entry.root for entry in catalog.entries()} - {str(f.resolve()) for f in folders}
    if others:
        raise WorkspaceError(
            f"workspace {workspace.path} holds documents of {min(others)}: "
            "use another one, `expert --workspace .demo demo`"
        )
