"""Train an adapter: what must be there before, and what becomes of it after."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cache import write_whole
from adapters.errors import AdapterError, TrainingError
from adapters.training.examples import Example
from agent.errors import WorkspaceError
from agent.workspace import Workspace, cannot_write, locked

if TYPE_CHECKING:
    from adapters.card import AdapterCard
    from adapters.models import ModelFiles
    from adapters.registry import RegisteredAdapter
    from adapters.training.config import TrainingConfig, TrainingResult
    from agent.training_data import Prepared

EXTRA = "training needs the extra: in the checkout, pip install -e '.[train]'"
_LIBRARIES = ("trl", "peft", "datasets")
# Shown to the router as what the adapter is asked.
_MOST_QUESTIONS, _LONGEST = 1000, 10_000
_SHOWN = 10


def require_extra(method: str) -> None:
    """Check that what trains is installed.

    :param method: ``qlora`` needs more than the others.
    :raises TrainingError: When it is not; it says what to install.
    """
    libraries = (*_LIBRARIES, "bitsandbytes") if method == "qlora" else _LIBRARIES
    if any(find_spec(name) is None for name in libraries):
        raise TrainingError(EXTRA)


def check_name(name: str) -> None:
    """Check that an adapter can have a name.

    :raises AdapterError: When it cannot; it says why.
    """
    from adapters.registry import parse

    _, version = parse(name)
    if version is not None:
        raise AdapterError(f"{name} names a version: give the name alone, versions are counted")


def configured(
    base: "ModelFiles", method: str, *, batch_tokens: int, **options: Any
) -> "TrainingConfig":
    """Return how to train.

    :param batch_tokens: Tokens learned from at once.
    :param options: Further fields of the configuration.
    :raises TrainingError: When a number makes no sense.
    """
    from adapters.training.config import TrainingConfig

    return TrainingConfig(base=base, method=method, row_tokens=batch_tokens, **options)  # type: ignore[arg-type]


def rehearsed(prepared: "Prepared", method: str) -> list[Example]:
    """Return what is to be rehearsed: reading, where rows bring no passages and a base is kept.

    :param method: How it is trained.
    """
    if prepared.grounded is not None or method == "full":
        return []
    # Haystack is imported with it.
    from agent.rehearsal import reading

    return reading()


def card_of(
    name: str,
    base: "ModelFiles",
    prepared: "Prepared",
    config: "TrainingConfig",
    result: "TrainingResult",
    *,
    description: str = "",
    domain: str | None = None,
) -> "AdapterCard":
    """Return the card of an adapter that was trained.

    :param description: What it is for.
    :param domain: What it answers for; None for what most rows say.
    """
    from adapters.card import AdapterCard, base_of

    examples = prepared.train.examples
    return AdapterCard(
        name=name,
        description=description,
        domain=domain if domain is not None else _domain(examples),
        base=base_of(base),
        method=result.method,
        rank=config.rank,
        alpha=config.scale,
        target_modules=("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
        hyperparameters={**result.hyperparameters, "with_retrieval": prepared.with_retrieval},
        examples=len(examples),
        data_sha256=prepared.train.sha256,
        sources=prepared.sources,
        metrics=result.metrics,
        versions=result.versions,
        questions=tuple(q[:_LONGEST] for q in prepared.questions[:_MOST_QUESTIONS]),
        question_sources=prepared.question_sources[:_MOST_QUESTIONS],
        question_answers=prepared.answers if len(prepared.answers) <= _MOST_QUESTIONS else (),
    )


def contract(
    prepared: "Prepared",
    result: "TrainingResult | None" = None,
    registered: "RegisteredAdapter | None" = None,
) -> dict[str, Any]:
    """Return what ``expert train --json`` prints; nothing of a result in a dry run."""
    grounded = prepared.grounded
    told: dict[str, Any] = {
        "examples": len(prepared.train.examples),
        "held_out": len(prepared.held_out.examples),
        "left_out": [
            {"path": p.path, "line": p.line, "field": p.field, "message": p.message}
            for p in (*prepared.train.problems, *prepared.held_out.problems)
        ],
        "warnings": list(prepared.warnings),
        "with_retrieval": prepared.with_retrieval,
        "passages": None
        if grounded is None
        else {
            "with_gold": grounded.with_gold,
            "without_gold": grounded.without_gold,
            "closed_book": grounded.closed_book,
        },
        "sources": [source.document for source in prepared.sources],
        "data_sha256": prepared.train.sha256,
        "adapter": None if registered is None else registered.reference,
    }
    if result is None:
        return told
    return told | {
        "path": str(result.folder / "model" if registered is None else registered.folder),
        "method": result.method,
        "metrics": result.metrics,
        "asked": [asdict(one) for one in result.asked],
        "steps": result.steps,
        "best_step": result.best_step,
        "tokens": result.tokens,
        "seconds": round(result.seconds, 1),
        "tokens_per_s": round(result.tokens_per_s, 1),
        "peak_memory_bytes": result.peak_memory,
    }


@contextmanager
def run_folder(workspace: Workspace, name: str, *, resume: bool, anew: bool) -> Iterator[Path]:
    """Give the folder in which an adapter is trained, to this process alone.

    Checkpoints in it are cleared once what is done there has ended well.

    :param resume: Go on with what was cut off there.
    :param anew: Throw away what was cut off there.
    :raises WorkspaceError: When another process trains there, or a training was cut off and
        neither is wanted, or the folder cannot be written.
    """
    from adapters.training.checkpoints import Checkpoints

    workspace.create()
    root = workspace.path / "runs" / "training"
    try:
        root.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(root, error) from None
    folder = root / name
    busy = f"{name} is being trained by another process: wait for it"
    with locked(root / f"{name}.lock", busy):
        checkpoints = Checkpoints(folder)
        if checkpoints.cut_off and not (resume or anew):
            raise WorkspaceError(
                f"a training of {name} was cut off: give --resume to go on with it, "
                "or --anew to begin again"
            )
        yield folder
        checkpoints.clear()


def changed_since(workspace: Workspace, name: str, prepared: "Prepared") -> str | None:
    """Return a question to the user where rows rest on documents that have changed.

    :param name: The adapter; what counts is the version in use.
    :param prepared: The rows.
    :raises AdapterError: When the registry cannot be read.
    """
    from adapters.registry import Registry
    from agent.freshness import freshness_of

    registry = Registry(workspace.adapters_folder)
    if name not in registry.names():
        return None
    # Where this is damaged nothing can be published either.
    registry.current(name)
    try:
        adapter = registry.get(name)
    except AdapterError:
        # Training anew is how one that is damaged is mended.
        return None
    fresh = freshness_of(workspace, {name: adapter.card})[name]
    changed = set(fresh.documents) if fresh is not None else set[str]()
    rows = [e for e in prepared.train.examples if changed.intersection(e.sources)]
    if not rows:
        return None
    documents = sorted(changed.intersection(n for e in rows for n in e.sources))
    lines = ", ".join(str(example.line) for example in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return (
        f"documents have changed since {adapter.reference} was trained, {', '.join(documents)}: "
        f"are the answers of lines {lines}{more} still right?"
    )


def remember(workspace: Workspace, name: str, arguments: Mapping[str, Any]) -> None:
    """Keep how an adapter was trained, for :func:`remembered`.

    :param arguments: What the command was given.
    :raises WorkspaceError: When it cannot be written.
    """
    told = {
        key: {"path": str(value.resolve())} if isinstance(value, Path) else value
        for key, value in arguments.items()
    }
    path = _arguments(workspace, name)
    try:
        write_whole(path, json.dumps(told).encode())
    except OSError as error:
        raise cannot_write(path, error) from None


def remembered(workspace: Workspace, name: str) -> dict[str, Any]:
    """Return how an adapter was trained last.

    :raises WorkspaceError: When it was not trained in this workspace.
    """
    try:
        told = json.loads(_arguments(workspace, name).read_text(encoding="utf-8"))
        return {k: Path(v["path"]) if isinstance(v, dict) else v for k, v in told.items()}
    except FileNotFoundError:
        raise WorkspaceError(
            f"how {name} was trained is not known in workspace {workspace.path}: "
            f"`expert train {name} DATA`"
        ) from None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise WorkspaceError(f"{_arguments(workspace, name)} cannot be read: {error}") from None


def _arguments(workspace: Workspace, name: str) -> Path:
    return workspace.path / "runs" / "training" / f"{name}.json"


def _domain(examples: tuple[Example, ...]) -> str:
    counted = Counter(example.domain for example in examples if example.domain)
    return counted.most_common(1)[0][0][:200] if counted else ""
