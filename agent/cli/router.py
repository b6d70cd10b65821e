"""``expert router``: look at, fit, teach, measure and roll back the router."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.workspace import Workspace

if TYPE_CHECKING:
    from agent.suite import SuiteQuestion

_EXAMPLES = """\b
Examples:
  expert router show
  expert router fit
  expert router learn --suite questions.jsonl
  expert router eval --suite questions.jsonl --report router.html
  expert router explain "how many days of annual leave?"
  expert router rollback

\b
A line of a suite; `route` is where it should go, and without `accepted` nothing answers it:
  {"question": "How long is probation?", "accepted": ["six months"], "route": "expert"}
"""


@click.group("router", epilog=_EXAMPLES)
def command() -> None:
    """Look at, fit, teach, measure and roll back the router."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def show(workspace: Workspace, as_json: bool) -> None:
    """Show the router in use: what it knows, what was learned, what routes cost."""
    from agent.router.outcomes import FILE, OutcomeStore
    from agent.router.versions import DEFAULT, Versions
    from agent.routes import Routes

    with closing(Routes(workspace)) as routes:
        router = routes.router
        memory = router.memory
        versions = Versions(workspace.path / "router")
        path = workspace.path / "router" / FILE
        count = 0
        if path.is_file():
            with OutcomeStore(path) as store:
                count = store.count()
        facts: dict[str, Any] = {
            "router_version": router.version,
            "versions": versions.all(),
            "routes": list(router.routes),
            "adapters": {
                known.reference: len(known.questions) for known in memory.adapters.values()
            },
            "passages": len(memory.passages),
            "index": memory.index,
            "embedder": memory.fingerprint,
            "outcomes": count,
            "costs": dict(router.policy.costs),
            "cost_weight": router.policy.cost_weight,
            "notes": versions.notes(router.version),
        }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    _rows(
        {
            "router": f"{router.version}, as it ships"
            if router.version == DEFAULT
            else f"{router.version}, {len(facts['versions'])} made here",
            "routes": ", ".join(facts["routes"]),
            "adapters": ", ".join(
                f"{name} ({n} questions)" for name, n in facts["adapters"].items()
            )
            or "none",
            "index": facts["index"] or "none",
            "outcomes": f"{count:,} kept",
            "costs": ", ".join(f"{route} {cost:g}" for route, cost in facts["costs"].items()),
        }
    )


@command.command("fit")
@click.option(
    "--labelled",
    type=click.Path(path_type=Path, dir_okay=False),
    help='Further questions, a JSONL file: {"question": …, "adapter": "hr"}, null for none.',
)
@click.option("--tune", is_flag=True, help="Tune the encoder's last layers, too: takes minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def fit_command(workspace: Workspace, labelled: Path | None, tune: bool, as_json: bool) -> None:
    """Fit the router to the adapters and documents of the workspace.

    Without it the router already compares questions with what adapters were trained on and
    with the documents; fitting adds a classifier of the adapters' domains.
    """
    from agent.router.fit import fit
    from agent.routes import Routes

    with closing(Routes(workspace)) as routes, _progress("Fitting") as told:
        # The router's own may be damaged, and is not opened.
        fitted = fit(workspace, routes.embedder, labelled=labelled, tune=tune, progress=told)
    for number, reason in fitted.errors:
        click.echo(f"expert: {labelled}: line {number}: {reason}; left out", err=True)
    for line in fitted.left:
        click.echo(f"expert: {line}", err=True)
    if as_json:
        facts = {
            "router_version": fitted.version,
            "questions": fitted.questions,
            "left_out": len(fitted.errors),
            "tuned": fitted.tuned,
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    counts = [f"{name} {count}" for name, count in fitted.questions.items() if name]
    click.echo(f"Router {fitted.version} is in use. Questions: {', '.join(counts) or 'none'}")


@command.command("learn")
@click.option("--suite", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def learn_command(workspace: Workspace, suite: Path, as_json: bool) -> None:
    """Answer a suite by every route, learn which serves, and use it if that is better.

    What was tried is kept: run it again after an interruption and it goes on. What /good and
    /bad said in a chat of the same index and adapters is learned from too.
    """
    from agent.router.learn import learn, rated, try_routes
    from agent.routes import Routes

    given = _questions(suite)
    questions = [question for question in given if question.is_judged]
    if len(questions) < len(given):
        left = len(given) - len(questions)
        click.echo(
            f"expert: {suite}: {left} of {len(given)} questions have an `answer` but nothing "
            "`accepted` to judge one by; left out",
            err=True,
        )
    with closing(Routes(workspace)) as routes:
        with _progress("Trying routes") as told:
            outcomes = try_routes(
                workspace, routes.router, routes, questions, lambda n: told(n, len(questions))
            )
        said = rated(workspace, routes.router, routes)
        learned = learn(workspace, routes.router, [*said, *outcomes])
        routes_there = routes.router.routes
    found = learned.comparison
    shares = {
        route: sum(one.score for one in outcomes if one.route == route) / len(questions)
        for route in routes_there
    }
    facts = {
        "router_version": learned.version,
        "promoted": learned.promoted,
        "difference": found.difference,
        "interval": [found.low, found.high],
        "p_better": found.p_better,
        "learned": learned.learned,
        "held_out": learned.held_out,
        "success": shares,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    for route, share in shares.items():
        click.echo(f"{route:>10}: right on {share:.1%} of {len(questions)} questions")
    verdict = "is in use" if learned.promoted else "is not better and stays unused"
    click.echo(
        f"Router {learned.version} {verdict}: {found.difference:+.3f} of success less cost on "
        f"{learned.held_out} questions held out (95 % from {found.low:+.3f} to {found.high:+.3f})"
    )


@command.command("eval")
@click.option("--suite", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML report."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def eval_command(workspace: Workspace, suite: Path, report: Path | None, as_json: bool) -> None:
    """Measure the router on a suite: where questions went, and where they should have gone."""
    from agent.router.learn import evaluate
    from agent.router.outcomes import FILE, OutcomeStore
    from agent.router.report import write_report
    from agent.routes import Routes

    questions = _questions(suite)
    kept = []
    with closing(Routes(workspace)) as routes:
        path = workspace.path / "router" / FILE
        if path.is_file():
            with OutcomeStore(path) as store:
                kept = store.all("suite")
        with _progress("Routing") as told:
            found = evaluate(
                workspace,
                routes.router,
                questions,
                routes=routes if routes.has_documents else None,
                outcomes=kept,
                done=lambda n: told(n, len(questions)),
            )
    if report is not None:
        write_report(report, found)
    figures = found.figures()
    if as_json:
        intervals = {f"{name}_interval": list(ends) for name, ends in found.intervals().items()}
        click.echo(json.dumps({"router_version": found.router_version, **figures, **intervals}))
        return
    _rows({name.replace("_", " "): f"{value:.3f}" for name, value in figures.items()})
    for route, (success, cost) in found.fixed_routes().items():
        click.echo(f"always {route}: right {success:.3f} at cost {cost:.2f}")
    if report is not None:
        click.echo(f"Report: {report}")


@command.command("explain")
@click.argument("question")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def explain_command(workspace: Workspace, question: str, as_json: bool) -> None:
    """Show why QUESTION takes its route, and what would send it elsewhere."""
    from agent.cli.route import show_decision
    from agent.planning import Planner
    from agent.printable import one_line, printable
    from agent.router.explain import explain
    from agent.routes import Routes

    question = printable(question)
    with closing(Routes(workspace)) as routes:
        (decision,) = Planner(routes, None, None).decide([question], [False])
        found = explain(routes.router, question, decision)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
        return
    show_decision(decision)
    for title, lines in {
        "weighed most": [f"{said} {v:.2f} ({w:+.2f})" for _, said, v, w in found.weighed],
        "nearest trained questions": [
            f"{cosine:.2f} {adapter}: {one_line(text)}" for adapter, text, cosine in found.examples
        ],
        "would go elsewhere": [
            f"{one.route}, were {one.said} {one.then:.2f} instead of {one.now:.2f}"
            for one in found.changes
        ],
    }.items():
        if lines:
            click.echo(f"{title}:")
            for line in lines:
                click.echo(f"  {line}")


@command.command("rollback")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def rollback(workspace: Workspace, as_json: bool) -> None:
    """Go back to the router that was in use before."""
    from agent.router.versions import Versions

    version = Versions(workspace.path / "router").rollback()
    click.echo(
        json.dumps({"router_version": version}) if as_json else f"Router {version} is in use."
    )


def _questions(suite: Path) -> "list[SuiteQuestion]":
    from agent.suite import read_suite

    read = read_suite(suite)
    for line, reason in read.errors:
        click.echo(f"expert: {suite}: line {line}: {reason}; left out", err=True)
    return read.questions


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give what shows on a terminal how far it is."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _rows(rows: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(value))
    console = Console(highlight=False)
    console.print(table, soft_wrap=not console.is_terminal)
