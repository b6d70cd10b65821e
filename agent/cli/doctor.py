"""``expert doctor``: what is installed and reachable, and what to do about gaps."""

import json
from dataclasses import asdict

import click

from agent.workspace import Workspace

_SIGNS = {"ok": "[green]✓[/]", "gap": "[yellow]–[/]", "problem": "[red]✗[/]"}


@click.command("doctor", epilog="Example: expert doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(workspace: Workspace, as_json: bool) -> int:
    """Check what is installed and reachable, and what to do about each gap.

    Exits with 1 when something that the settings ask for does not work.
    """
    from agent.doctor import diagnose

    if as_json:
        checks = list(diagnose(workspace))
        click.echo(json.dumps({"checks": [asdict(check) for check in checks]}))
    else:
        from rich.console import Console
        from rich.markup import escape

        console = Console(highlight=False, soft_wrap=True)
        checks = []
        for check in diagnose(workspace):
            checks.append(check)
            advice = f" → [bold]{escape(check.advice)}[/]" if check.advice else ""
            console.print(f"{_SIGNS[check.state]} {check.name}: {escape(check.detail)}{advice}")
    return int(any(check.state == "problem" for check in checks))
