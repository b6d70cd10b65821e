"""``expert lab``: teach the lab model to read, and measure it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from agent.printable import to_json
from agent.workspace import Workspace

_DATA_EXAMPLES = """\b
Example:
  expert lab data lab-data --squad train-v1.1.json.gz --squad2 dev-v2.0.json.gz
"""
_TRAIN_EXAMPLES = """\b
Examples:
  expert lab train lab-data lab-run --budget-minutes 120
  expert lab train lab-data lab-run --budget-minutes 120 --resume
"""
_EVAL_EXAMPLES = """\b
Examples:
  expert lab eval --squad dev-v2.0.json.gz --held-out
  expert lab eval --squad dev-v2.0.json.gz --held-out --model lab-bare --delta lab-run
"""
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group("lab", epilog="Example: expert lab eval --squad dev-v2.0.json.gz --held-out")
def command() -> None:
    """Teach the lab model to read sources, and measure how well it does."""


@command.command("data", epilog=_DATA_EXAMPLES)
@click.argument("target", type=_FOLDER)
@click.option("--squad", type=_FILE, required=True, help="SQuAD 1.1's training file.")
@click.option("--squad2", type=_FILE, help="A SQuAD 2.0 file; a third of its articles is held out.")
@click.option(
    "--tables",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of WikiTableQuestions.",
)
@click.option("--reports", type=_FILE, help="A TAT-QA file.")
@click.option("--studies", type=_FILE, help="A PubMedQA file.")
@click.option("--topics", type=_FILE, help="MedQuAD as JSON lines.")
@click.option("--elsewhere", type=_FILE, help="Dolly's open questions as JSON lines.")
@click.option("--written", type=_FILE, help="Further questions on SQuAD's texts, JSON lines.")
@click.option("--retrieved", type=_FILE, help="What `lab evidence` wrote.")
@click.option("--texts", type=click.IntRange(1), help="Ask on so many texts of SQuAD 1.1 only.")
@click.option(
    "--times",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Show misleading and retrieved questions so often, over other evidence each time.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def data(
    target: Path, texts: int | None, times: int, seed: int, as_json: bool, **files: Any
) -> None:
    """Build the rows to learn reading from in TARGET, the same bytes for the same seed."""
    from agent.cli.train_display import counting
    from agent.lab.data import Files, build

    with counting("Making rows of articles") as on_progress:
        built = build(
            Files(**files),
            target,
            seed=seed,
            most_texts=texts,
            times=times,
            on_progress=on_progress,
        )
    if not built.measured:
        click.echo(
            "expert: nothing is left to measure on, without which `expert lab train` does not "
            "begin: give --squad2 too",
            err=True,
        )
    if as_json:
        click.echo(json.dumps(asdict(built)))
        return
    total = sum(built.learned.values())
    click.echo(f"{total:,} rows to learn from, {built.refused:,} of them refusals:")
    for kind, count in built.learned.items():
        click.echo(f"  {kind:<10} {count:>7,}")
    click.echo(f"{built.measured:,} rows to measure on; all in {target}")


@command.command("evidence", epilog="Example: expert lab evidence questions.jsonl found.jsonl")
@click.argument("suite", type=_FILE)
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def evidence(workspace: Workspace, suite: Path, target: Path) -> int:
    """Write into TARGET what the index gives for each question of SUITE, to learn reading it.

    Exits with 1 when a line could not be read.
    """
    from adapters.cache import write_whole
    from agent.assemble import open_pipeline
    from agent.cli.train_display import counting
    from agent.lab.retrieved import gather
    from agent.suite import read_suite

    read = read_suite(suite)
    for line, reason in read.errors:
        click.echo(f"expert: {suite}: line {line}: {reason}; left out", err=True)
    questions = read.questions
    with open_pipeline(workspace) as pipeline, counting("Searching") as on_progress:
        found = list(gather(pipeline, questions, on_progress))
    lines = [f"{to_json(one.line())}\n" for one in found]
    write_whole(target, "".join(lines).encode())
    answered = sum(one.place > 0 for one in found)
    click.echo(f"{len(found):,} of {len(questions):,} questions, {answered:,} with the answer")
    return int(bool(read.errors))


@command.command("train", epilog=_TRAIN_EXAMPLES)
@click.argument("data", type=_FOLDER)
@click.argument("target", type=_FOLDER)
@click.option("--budget-minutes", type=float, help="Fit the run into this time.")
@click.option("--examples", type=click.IntRange(1), help="Learn from so many rows only.")
@click.option("--rank", type=click.IntRange(1, 32), default=32, show_default=True)
@click.option("--learning-rate", type=float, default=8e-4, show_default=True)
@click.option("--start", type=_FOLDER, help="Begin with the weights of the delta in this folder.")
@click.option("--resume", is_flag=True, help="Go on with a training that was cut off.")
@click.option("--anew", is_flag=True, help="Begin again though a training was cut off.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    data: Path,
    target: Path,
    budget_minutes: float | None,
    rank: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a reading delta on DATA, as ``expert lab data`` built it, into TARGET.

    All of the data is learned from once, or as much as the time allows. It may be stopped at
    any time and resumed.
    """
    from agent.cli.train_display import duration, following
    from agent.lab.teach import teach
    from agent.training import require_extra

    require_extra("lora")
    try:
        with following() as on_step:
            result = teach(
                data,
                target,
                minutes=budget_minutes,
                rank=rank,
                alpha=2.0 * rank,
                on_progress=on_step,
                **options,
            )
    except KeyboardInterrupt:
        click.echo("Stopped. Run the same command with --resume to go on.", err=True)
        raise
    if as_json:
        told = {"path": str(result.folder), "metrics": result.metrics, "steps": result.steps}
        told |= {"tokens": result.tokens, "seconds": round(result.seconds, 1)}
        click.echo(json.dumps(told))
        return
    metrics = result.metrics
    click.echo(
        f"held-out loss {metrics['eval_loss_before']:.3f} before, "
        f"{metrics['eval_loss_after']:.3f} after {result.tokens:,} tokens in "
        f"{duration(result.seconds)}"
    )
    for sentence in result.said:
        click.echo(sentence)
    measure = f"expert lab eval --model lab-bare --delta {target} --squad FILE --held-out"
    click.echo(f"Measure it: {measure}")


@command.command("eval", epilog=_EVAL_EXAMPLES)
@click.option("--squad", type=_FILE, required=True, help="A SQuAD 2.0 file.")
@click.option("--model", default="lab", show_default=True, metavar="lab|lab-bare|ID|FOLDER")
@click.option("--delta", type=_FOLDER, help="Answer with this adapter on.")
@click.option("--passages", type=click.IntRange(1, 12), default=3, show_default=True)
@click.option("--questions", type=click.IntRange(1), default=500, show_default=True)
@click.option("--held-out", is_flag=True, help="Only the articles that `lab data` leaves out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(
    squad: Path,
    model: str,
    delta: Path | None,
    passages: int,
    questions: int,
    held_out: bool,
    as_json: bool,
) -> None:
    """Ask questions over a few sentences, one of which answers, and score the replies.

    As many questions without an answer are asked as with one. Give --held-out where the file is
    what ``expert lab data`` had for --squad2, since the rest of it was learned from; for the
    model that ships that is SQuAD 2.0's development file.
    """
    from adapters.base import load_model
    from adapters.models import find_local
    from agent.cli.train_display import counting
    from agent.lab import sources
    from agent.lab.data import HELD_OUT_ARTICLES
    from agent.lab.evaluate import adapter_at, cases, replies, scores

    articles = list(sources.squad(squad, HELD_OUT_ARTICLES if held_out else slice(None)))
    loaded = load_model(find_local(model))
    adapter = None if delta is None else adapter_at(delta, loaded)
    asked = cases(articles, passages=passages, most=questions)
    with counting("Asking") as on_progress:
        said = replies(loaded, asked, adapter=adapter, on_progress=on_progress)
    found = scores(asked, said)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    answered, unanswered = found.asked
    click.echo(f"{answered:,} questions with an answer, {unanswered:,} without")
    click.echo(f"F1 {found.f1:.1%}, exact {found.exact:.1%}, cited rightly {found.cited:.1%}")
    click.echo(f"refused {found.refused:.1%}, falsely {found.falsely_refused:.1%}")


@command.command("export", epilog="Example: expert lab export lab-run delta")
@click.argument("source", type=_FOLDER)
@click.argument("target", type=_FOLDER)
def export(source: Path, target: Path) -> None:
    """Write the delta trained in SOURCE as it ships into TARGET, and print its hash."""
    from agent.lab.export import export as write

    shipped = write(source, target)
    click.echo(f"{shipped.bytes / 1e6:.1f} MB, SHA-256 {shipped.sha256}")
    click.echo(f"built into the model, its weights have SHA-256 {shipped.model_sha256}")
