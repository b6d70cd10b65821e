"""Teach an adapter half of the questions, by the same training as ``expert train``."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.cache import write_whole
from adapters.registry import Registry
from agent.advise.answers import ADAPTER
from agent.advise.documents import Documents
from agent.advise.halves import asked_alone, taught_answer
from agent.advise.room import Room, TrialWorkspace
from agent.suite import SuiteQuestion

if TYPE_CHECKING:
    from adapters.models import ModelFiles
    from adapters.training.config import TrainingConfig
    from adapters.training.progress import Progress

# What docs/training.md measured for a small model and some fifty rows; a large one needs less.
_SMALL = 1_000_000_000
_SMALL_RATE, _SMALL_EPOCHS, _LARGE_EPOCHS, _READING_EPOCHS = 2e-3, 20.0, 6.0, 3.0


def is_taught(workspace: TrialWorkspace) -> bool:
    """Whether the adapter is trained already."""
    return ADAPTER in Registry(workspace.adapters_folder).names()


def teach(
    room: Room,
    workspace: TrialWorkspace,
    questions: Sequence[SuiteQuestion],
    documents: Documents,
    *,
    minutes: float,
    seed: int,
    reading: bool = False,
    told: Callable[["Progress"], None],
) -> None:
    """Train an adapter and register it in a workspace.

    :param workspace: Of one direction.
    :param questions: What it is taught.
    :param minutes: Time to fit the training into.
    :param reading: Teach it to answer from passages of the index.
    :param told: Told how far it is.
    :raises TrainingError: When it cannot be trained.
    """
    from adapters.models import find_local
    from adapters.training.run import train
    from agent.training import card_of, rehearsed, run_folder
    from agent.training_data import prepare

    workspace.create()
    base = find_local(workspace.settings.model.name)
    config = _config(workspace, base, minutes, seed, reading=reading)
    mixture = None
    if reading:
        from agent.training_context import Mixture

        mixture = Mixture(seed=seed)
    path = workspace.path / "taught.jsonl"
    write_rows(path, questions, documents)
    prepared = prepare(workspace, base, path, held_out=0.0, seed=seed, mixture=mixture)
    # Also what a stopped run took; the time that loading takes is counted.
    began, before = time.monotonic(), room.spent("train")
    name = f"train {workspace.path.name}"

    wanted = 0

    def watch(progress: "Progress") -> None:
        nonlocal wanted
        wanted = max(wanted, progress.of)
        room.spend(name, time.monotonic() - began - (room.spent("train") - before))
        told(progress)

    with run_folder(workspace, ADAPTER, resume=True, anew=False) as folder:
        result = train(
            config,
            prepared.train.examples,
            (),
            folder=folder,
            rehearsal=rehearsed(prepared, config.method),
            on_progress=watch,
            keep_checkpoints=True,
        )
        room.spend(name, time.monotonic() - began - (room.spent("train") - before))
        # Before it is registered: what is registered is not trained again.
        room.state.setdefault("trained", {})[workspace.path.name] = {
            "rows": len(prepared.train.examples),
            "steps": result.steps,
            "wanted_steps": wanted,
            "options": _options(config, reading=reading),
            "took": room.spent_on(name),
        }
        room.keep()
        card = card_of(ADAPTER, base, prepared, config, result, domain="advice")
        Registry(workspace.adapters_folder).publish(folder, card)


def _config(
    workspace: TrialWorkspace, base: "ModelFiles", minutes: float, seed: int, *, reading: bool
) -> "TrainingConfig":
    """Return how to train: as is best measured for a model of this size."""
    from adapters.architecture import read_architecture
    from adapters.base import choose_device
    from agent.training import configured, require_extra

    is_small = read_architecture(base.folder).parameters < _SMALL
    on_gpu = choose_device(workspace.settings.model.device).type == "cuda"
    method = "lora" if is_small or on_gpu else "qlora"
    require_extra(method)
    return configured(
        base,
        method,
        batch_tokens=1024,
        epochs=_READING_EPOCHS if reading else _SMALL_EPOCHS if is_small else _LARGE_EPOCHS,
        learning_rate=_SMALL_RATE if is_small and not reading else None,
        minutes=minutes,
        answers=0,
        reword=True,
        resume=True,
        seed=seed,
        device=workspace.settings.model.device,
    )


def _options(config: "TrainingConfig", *, reading: bool) -> str:
    """Return a configuration as options of ``expert train``."""
    options = f"--method {config.method} --epochs {config.epochs:g} --eval-split 0"
    if config.learning_rate is not None:
        options += f" --learning-rate {config.learning_rate:g}"
    return f"{options} --with-retrieval" if reading else options


def write_rows(path: Path, questions: Sequence[SuiteQuestion], documents: Documents) -> None:
    """Write questions and answers as ``expert train`` reads them."""
    rows = [
        {
            "question": asked_alone(one),
            "answer": answer,
            "source_documents": list(documents.names(one.gold_files)),
        }
        for one in questions
        if (answer := taught_answer(one)) is not None
    ]
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
