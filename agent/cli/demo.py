"""``expert demo``: index the example industries and ask questions of them."""

import json
from pathlib import Path

import click

from agent.errors import WorkspaceError
from agent.workspace import Workspace

_EXAMPLES = Path(__file__).parents[2] / "examples"


@click.command("demo", epilog="Example: expert --workspace .demo demo")
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    default=_EXAMPLES,
    help="Folder of example industries. [default: the one beside the source code]",
)
@click.pass_obj
def command(workspace: Workspace, examples: Path) -> None:
    """Index the example industries and ask a few questions of each."""
    from rich.console import Console

    from agent.assemble import open_indexer
    from agent.cli.display import print_reply
    from agent.cli.index import print_report, progress_bar
    from agent.expert import Expert
    from pipelines.index import merge_reports

    industries = sorted(path.parent for path in examples.glob("*/questions.jsonl"))
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
    with Expert(workspace) as expert:
        for industry in industries:
            console.rule(f"[bold]{industry.name}", align="left")
            for question in _demo_questions(industry / "questions.jsonl"):
                console.print(f"\n[bold cyan]? {question}")
                print_reply(console, expert.ask(question))
    console.rule(align="left")
    flag = f" --workspace {workspace.path}" if workspace.path.name != ".expert" else ""
    console.print(
        "\nNext:\n"
        f'  expert{flag} ask "your own question"\n'
        f"  expert{flag} chat         # keep asking\n"
        "  expert index FOLDER     # your own documents, in a workspace of their own\n"
        "  expert doctor           # what is installed and reachable"
    )


def _demo_questions(path: Path) -> list[str]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [line["question"] for line in lines if line.get("demo")]


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
