"""``expert train``: train an adapter on questions and answers, and register it."""

import math
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from agent.printable import one_line, to_json
from agent.workspace import Workspace

if TYPE_CHECKING:
    from adapters.registry import RegisteredAdapter
    from adapters.training.config import TrainingResult
    from agent.training_data import Prepared

_EXAMPLES = """\b
Examples:
  expert train hr questions.jsonl --dry-run
  expert train hr questions.jsonl --domain "leave and pay"
  expert train hr questions.jsonl --with-retrieval --resume
  expert train hr --refresh

\b
A line of the file; context, source_documents, domain and system may be left out:
  {"question": "How long is probation?", "answer": "Six months.", "source_documents": ["hr.md"]}
or a conversation:
  {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
A CSV file has the same names in its first line.
"""
_SHOWN = 20
# Options of one run, which the next one is not to have.
_ONCE = frozenset(("name", "refresh", "resume", "anew", "dry_run", "as_json"))
_SHOWN_ANSWERS, _LONGEST_SHOWN = 3, 100


class _Share(click.FloatRange):
    """A number in a range, which "nan" is not, though it is outside of none."""

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, context)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, context)
        return number


@click.command("train", epilog=_EXAMPLES)
@click.argument("name")
@click.argument("data", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--eval", "eval_file", type=click.Path(path_type=Path), help="Measure on this file.")
@click.option(
    "--eval-split",
    type=_Share(0, 0.5),
    help="Share of the data to measure on instead of learning from it.  [default: 0.1]",
)
@click.option(
    "--method",
    type=click.Choice(["qlora", "lora", "full"]),
    default="qlora",
    show_default=True,
    help="qlora takes least memory, lora is faster on a CPU, full writes a whole model.",
)
@click.option("--model", metavar="ID|FOLDER|lab", help="Train on this model.  [default: in use]")
@click.option("--rank", type=click.IntRange(1, 256), default=16, show_default=True)
@click.option("--alpha", type=float, help="Scale of the adapter.  [default: twice the rank]")
@click.option("--epochs", type=float, default=3.0, show_default=True)
@click.option("--minutes", type=float, help="Fit the run into this time.")
@click.option("--learning-rate", type=float, help="[default: the method's own]")
@click.option("--batch-tokens", type=click.IntRange(16), default=1024, show_default=True)
@click.option(
    "--with-retrieval",
    is_flag=True,
    help="Train to answer from passages of the index, and to say when they do not.",
)
@click.option(
    "--distractors",
    type=click.IntRange(1, 10),
    default=3,
    show_default=True,
    help="With retrieval: passages beside the one that answers, at most.",
)
@click.option(
    "--gold-share",
    type=_Share(0, 1),
    default=0.8,
    show_default=True,
    help="With retrieval: share of rows that have the passage that answers.",
)
@click.option("--domain", help="What the adapter answers for.  [default: as most rows say]")
@click.option("--description", default="", help="What the adapter is for, in a sentence.")
@click.option(
    "--refresh",
    is_flag=True,
    help="Train it again as it was trained last; DATA and options may be given anew.",
)
@click.option("--resume", is_flag=True, help="Go on with a training that was cut off.")
@click.option("--anew", is_flag=True, help="Begin again though a training was cut off.")
@click.option(
    "--reword/--as-written",
    default=True,
    show_default=True,
    help="Vary short questions' words each time, so that other wordings are understood.",
)
@click.option(
    "--rehearse/--no-rehearse",
    default=True,
    show_default=True,
    help="Show passages too, so that reading is not forgotten; not where rows bring their own.",
)
@click.option("--strict", is_flag=True, help="Stop at the first bad row.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: as set]")
@click.option("--dry-run", is_flag=True, help="Check the data, say what would be trained, stop.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    workspace: Workspace,
    /,
    name: str,
    data: Path | None,
    eval_file: Path | None,
    eval_split: float | None,
    method: str,
    model: str | None,
    with_retrieval: bool,
    distractors: int,
    gold_share: float,
    domain: str | None,
    description: str,
    refresh: bool,
    resume: bool,
    anew: bool,
    rehearse: bool,
    strict: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an adapter NAME on the questions and answers in DATA, and register it.

    The data is checked first: rows that would harm are left out, each with its line and the
    reason. Training may be stopped at any time and resumed. When documents that its rows rest
    on have changed, bring their answers up to date and --refresh it.
    """
    context = click.get_current_context()
    if refresh:
        context.invoke(command, **_as_before(context, workspace, name))
        return
    if data is None:
        raise click.UsageError("Missing argument 'DATA'.")
    if eval_file is not None and eval_split is not None:
        raise click.UsageError("--eval and --eval-split exclude each other")
    if resume and anew:
        raise click.UsageError("--resume and --anew exclude each other")

    from adapters.card import MOST_DESCRIPTION, MOST_DOMAIN
    from adapters.models import find_local
    from adapters.registry import Registry
    from agent.cli.train_display import counting
    from agent.training import (
        card_of,
        changed_since,
        check_name,
        configured,
        rehearsed,
        remember,
        require_extra,
        run_folder,
    )
    from agent.training_data import prepare

    for option, text, most in (
        ("--domain", domain or "", MOST_DOMAIN),
        ("--description", description, MOST_DESCRIPTION),
    ):
        if len(text) > most:
            raise click.UsageError(f"{option} is longer than {most:,} characters")
    check_name(name)
    base = find_local(model or workspace.settings.model.name)
    options["device"] = options["device"] or workspace.settings.model.device
    config = configured(base, method, resume=resume, **options)
    if not dry_run:
        require_extra(method)
    mixture = None
    if with_retrieval:
        from agent.training_context import Mixture

        mixture = Mixture(distractors, gold_share, seed=config.seed)
    share = 0.1 if eval_split is None else eval_split
    with counting("Searching for passages") as on_progress:
        prepared = prepare(
            workspace,
            base,
            data,
            held_out=share if eval_file is None else eval_file,
            seed=config.seed,
            strict=strict,
            mixture=mixture,
            on_progress=on_progress,
        )
    if (doubt := changed_since(workspace, name, prepared)) is not None:
        click.echo(f"expert: {one_line(doubt)}", err=True)
    if not as_json:
        _report(prepared)
    if dry_run:
        if as_json:
            _print_json(prepared, None, None)
        return

    from adapters.errors import AdapterError
    from adapters.training.checkpoints import Checkpoints
    from adapters.training.run import train
    from agent.cli.train_display import following

    with run_folder(workspace, name, resume=resume, anew=anew) as folder:
        try:
            with following() as on_step:
                result = train(
                    config,
                    prepared.train.examples,
                    prepared.held_out.examples,
                    folder=folder,
                    rehearsal=rehearsed(prepared, method) if rehearse else (),
                    on_progress=on_step,
                    keep_checkpoints=True,
                )
            registered = None
            if result.is_adapter:
                card = card_of(
                    name, base, prepared, config, result, description=description, domain=domain
                )
                registered = Registry(workspace.adapters_folder).publish(folder, card)
        except (KeyboardInterrupt, AdapterError):
            if Checkpoints(folder).cut_off:
                resuming = "--resume instead of --anew" if anew else "--resume"
                click.echo(
                    f"Stopped. Run the same command with {resuming} to go on from the last "
                    "checkpoint.",
                    err=True,
                )
            raise
    arguments = {k: v for k, v in context.params.items() if k not in _ONCE}
    if model or not result.is_adapter:
        # A folder is meant from wherever the command is run; the model in use may become
        # the one that was trained here.
        arguments["model"] = f"{base.name}@{base.revision}" if base.revision else base.name
    remember(workspace, name, arguments)
    if as_json:
        _print_json(prepared, result, registered)
    else:
        _done(result, registered)


def _as_before(context: click.Context, workspace: Workspace, name: str) -> dict[str, Any]:
    """Return the arguments of the adapter's last training, but for those that are given."""
    from agent.training import remembered

    source, given = context.get_parameter_source, context.params
    default = click.core.ParameterSource.DEFAULT
    kept = {k: v for k, v in remembered(workspace, name).items() if source(k) == default}
    if given["data"] is not None:
        kept.pop("data", None)
    if given["eval_file"] is not None:
        kept.pop("eval_split", None)
    if given["eval_split"] is not None:
        kept.pop("eval_file", None)
    return {**given, **kept, "refresh": False}


def _report(prepared: "Prepared") -> None:
    """Print what will be trained on, and what was left out and why."""
    problems = [*prepared.train.problems, *prepared.held_out.problems]
    counted = [f"{len(prepared.train.examples):,} examples to learn from"]
    counted.append(f"{len(prepared.held_out.examples):,} to measure on")
    if problems:
        counted.append(f"{len(problems):,} left out:")
    click.echo(", ".join(counted))
    for problem in problems[:_SHOWN]:
        click.echo(f"  {one_line(str(problem))}")
    if len(problems) > _SHOWN:
        click.echo(f"  … and {len(problems) - _SHOWN:,} more; --json lists all of them")
    grounded = prepared.grounded
    if grounded is not None:
        click.echo(
            f"{grounded.with_gold:,} of them with the passage that answers, "
            f"{grounded.without_gold:,} to say that their passages do not, "
            f"{grounded.closed_book:,} without passages"
        )
    if prepared.sources:
        click.echo(f"{len(prepared.sources):,} documents of the index are behind them")
    for warning in prepared.warnings:
        click.echo(f"expert: {one_line(warning)}", err=True)


def _done(result: "TrainingResult", registered: "RegisteredAdapter | None") -> None:
    """Print what came of it and where to go next."""
    from agent.cli.train_display import duration, size

    if registered is None:
        click.echo(f"The model is in {result.folder / 'model'}")
    else:
        click.echo(f"{registered.reference} is registered and in use")
    metrics = result.metrics
    for name, label in {"eval_loss": "held-out loss", "f1": "F1 of answers"}.items():
        if f"{name}_before" in metrics and f"{name}_after" in metrics:
            before, after = metrics[f"{name}_before"], metrics[f"{name}_after"]
            click.echo(f"{label}: {before:.3f} before, {after:.3f} after")
    for one in result.asked[:_SHOWN_ANSWERS]:
        click.echo(f"? {one_line(one.question)}")
        click.echo(f"  before: {_shortened(one.before)}")
        click.echo(f"  after:  {_shortened(one.after)}")
    click.echo(
        f"{result.steps:,} steps, the best was {result.best_step:,}; "
        f"{duration(result.seconds)}, {result.tokens_per_s:,.0f} tokens/s, "
        f"{size(result.peak_memory)} of memory"
    )
    for sentence in result.said:
        click.echo(sentence)
    if registered is None:
        click.echo(f"Use it: expert model use {result.folder / 'model'}")
    else:
        click.echo(f"Look at it: expert adapters show {registered.name}")


def _shortened(answer: str) -> str:
    return shorten(one_line(answer), _LONGEST_SHOWN, placeholder=" …") or "(nothing)"


def _print_json(
    prepared: "Prepared", result: "TrainingResult | None", registered: "RegisteredAdapter | None"
) -> None:
    from agent.training import contract

    click.echo(to_json(contract(prepared, result, registered)))
