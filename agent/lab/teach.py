"""Train the lab model's reading: the product's own trainer on the bare model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.base import Device, choose_device
from adapters.models import BARE_LAB, find_model
from adapters.training.checkpoints import Checkpoints
from adapters.training.config import TrainingConfig, TrainingResult
from adapters.training.examples import Example
from adapters.training.progress import Watcher
from adapters.training.read import read_examples
from adapters.training.run import train
from agent.errors import LabError
from agent.lab.data import HELD_OUT, TRAIN

RANK = 32
# The highest rate at which the loss of the first hundreds of steps falls without jumps.
_RATE = 1e-3
# Tokens of a row: a GPU takes many at once.
_ROW_TOKENS, _ROW_TOKENS_ON_GPU = 2048, 16_384


def teach(
    data: Path,
    folder: Path,
    *,
    minutes: float | None = None,
    examples: int | None = None,
    device: Device = "auto",
    resume: bool = False,
    anew: bool = False,
    on_progress: Watcher | None = None,
    **options: Any,
) -> TrainingResult:
    """Train a reading delta, checkpointed.

    :param data: Folder that :func:`agent.lab.data.build` wrote.
    :param folder: Where the delta goes.
    :param minutes: Time that the schedule is fitted to; None for all of the data once.
    :param examples: Learn from so many of the rows only.
    :param device: Where to train.
    :param resume: Go on from the last checkpoint.
    :param anew: Begin again though a training was cut off there.
    :param on_progress: Told of each step.
    :param options: Further fields of the training's configuration.
    :raises LabError: When the data is missing, or a training was cut off and neither was said.
    :raises TrainingError: When training cannot start, resume or go on.
    """
    if Checkpoints(folder).cut_off and not (resume or anew):
        raise LabError(
            f"a training in {folder} was cut off: give --resume to go on with it, "
            "or --anew to begin again"
        )
    on_gpu = choose_device(device).type == "cuda"
    config = TrainingConfig(
        base=find_model(BARE_LAB),
        method="lora",
        **{
            "rank": RANK,
            "alpha": 2.0 * RANK,
            "epochs": 1.0,
            "minutes": minutes,
            "learning_rate": _RATE,
            "row_tokens": _ROW_TOKENS_ON_GPU if on_gpu else _ROW_TOKENS,
            "patience": 0,
            "answers": 0,
            "device": device,
            "resume": resume,
        }
        | options,
    )
    learned = _read(data / TRAIN)[:examples]
    return train(config, learned, _read(data / HELD_OUT), folder=folder, on_progress=on_progress)


def _read(path: Path) -> Sequence[Example]:
    if not path.is_file():
        raise LabError(f"{path} is missing: build the data with `expert lab data`")
    return read_examples(path).examples
