"""Train an adapter from beginning to end, or from where a run was cut off."""

import gc
import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from adapters.architecture import read_architecture
from adapters.base import choose_device, load_model
from adapters.chat_markup import ChatMarkup
from adapters.durable import sync_all
from adapters.errors import ModelError, TrainingError
from adapters.four_bit import load_bitsandbytes
from adapters.models import ModelFiles
from adapters.training.checkpoints import Checkpoints
from adapters.training.config import Asked, TrainingConfig, TrainingResult
from adapters.training.examples import Example
from adapters.training.progress import LOG_FILE, Log, Progress, Watcher
from adapters.training.reword import reworded

if TYPE_CHECKING:
    from adapters.training.trainer import Trainer

MODEL_FOLDER = "model"
_LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
# Larger models answer so slowly on a CPU that asking them would take longer than training.
_MOST_ASKED_ON_CPU = 1_000_000_000
# All of a question's forms are held at once; a run of more epochs goes through them again.
_MOST_FORMS = 20


def train(
    config: TrainingConfig,
    train: Sequence[Example],
    held_out: Sequence[Example],
    *,
    folder: Path,
    rehearsal: Sequence[Example] = (),
    on_progress: Watcher | None = None,
    keep_checkpoints: bool = False,
) -> TrainingResult:
    """Train, and write what came of it into a folder.

    A run that is killed can be resumed from its last checkpoint, to the same result: the same
    weights in fp32 on the same machine, unless its schedule is fitted to a time.

    :param config: How.
    :param train: What to learn from.
    :param held_out: What to measure on; with none the last weights are kept, not the best.
    :param folder: Where to; made if missing. Checkpoints are in it until the end.
    :param rehearsal: What the base does well and is not to forget; some of it is shown among
        what is learned from, see :mod:`adapters.training.rehearsal`. Not for method full, which
        keeps no base.
    :param on_progress: Told of each step.
    :param keep_checkpoints: Leave them there at the end, for a caller that has more to do which
        can fail: resumed, such a run has ended already. The caller clears them.
    :raises TrainingError: When the run cannot start, resume or go on, its loss is no number any
        more, the folder cannot be written, or what is written would overwrite the base.
    :raises NotEnoughRoomError: When it does not fit into memory; before anything is loaded.
    :raises ModelError: When the base cannot be read.
    """
    if not train:
        raise TrainingError("there is nothing to learn from: give at least one example")
    written = (folder / MODEL_FOLDER).resolve()
    if config.method == "full" and config.base.folder.resolve() == written:
        raise TrainingError(
            "this would overwrite the model that it is trained on: train under another name"
        )
    told = on_progress or _unheard
    told(Progress("loading"))
    try:
        from adapters.training.quiet import quiet

        with quiet():
            # Before TRL imports it in its own way.
            with suppress(ModelError):
                load_bitsandbytes()
            from adapters.training import trainer  # noqa: F401 - to say here what is missing
    except ImportError as error:
        raise TrainingError(
            f"training needs an extra ({error.name} is missing): "
            "in the checkout, pip install -e '.[train]'"
        ) from None
    with quiet(), _writing(folder):
        result = _Run(config, train, held_out, rehearsal, folder, told).result()
    if not keep_checkpoints:
        Checkpoints(folder).clear()
    return result


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say what to do where a run's folder cannot be written."""
    try:
        yield
    except BrokenPipeError:
        # Of whoever is told of its progress.
        raise
    except OSError as error:
        raise TrainingError(
            f"cannot write {folder}: {error.strerror or error}; go on with --resume"
        ) from error


def _unheard(progress: Progress) -> None:
    """Take a report that nobody asked for."""


class _Run:
    """One run, from what it is given to its result."""

    def __init__(
        self,
        config: TrainingConfig,
        train: Sequence[Example],
        held_out: Sequence[Example],
        rehearsal: Sequence[Example],
        folder: Path,
        told: Watcher,
    ) -> None:
        from adapters.training.base_model import weights_type

        self._config, self._train, self._held_out = config, train, held_out
        self._rehearsal = () if config.method == "full" else rehearsal
        self._folder, self._told = folder, told
        self._device = choose_device(config.device)
        self._dtype = weights_type(config.method, self._device, config.precision)
        self._architecture = read_architecture(config.base.folder)
        self._checkpoints = Checkpoints(folder)
        self._said: list[str] = []
        self._last: dict[str, Any] = {}

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def result(self) -> TrainingResult:
        trainer, before = self._trained()
        config, kept = self._config, trainer.kept
        from adapters.training.plot import PLOT_FILE, draw

        metrics = {}
        if before is not None:
            metrics = {
                "eval_loss_before": before,
                "eval_loss_after": min(trainer.held_out_losses),
            }
        steps, here = trainer.state.global_step, trainer.seconds_here
        speed = trainer.tokens_here / here if here else 0.0
        peak = trainer.peak_memory
        # Its memory is needed for what comes.
        del trainer
        gc.collect()
        draw(self._folder / LOG_FILE, self._folder / PLOT_FILE, f"Training on {config.base.name}")
        answered, asked = self._answers()
        return TrainingResult(
            folder=self._folder,
            method=config.method,
            metrics=metrics | answered,
            asked=asked,
            steps=steps,
            best_step=kept.get("best_step", steps),
            tokens=kept["tokens"],
            seconds=kept["seconds"],
            tokens_per_s=speed,
            peak_memory=peak,
            versions={name: metadata.version(name) for name in _LIBRARIES},
            hyperparameters=self._settled | {"rehearsal": bool(self._rehearsal)},
            said=tuple(self._said),
        )

    def _trained(self) -> tuple["Trainer", float | None]:
        """Return the trainer after its last step, and the held-out loss before its first."""
        from adapters.training import rehearsal, rows, whole_row
        from adapters.training.base_model import add_adapter, load_base
        from adapters.training.room import fit
        from adapters.training.trainer import Trainer

        config, architecture = self._config, self._architecture
        examples = self._train
        if config.reword:
            times = min(math.ceil(config.epochs), _MOST_FORMS)
            examples = reworded(examples, times, config.seed)
            config = replace(config, epochs=config.epochs / times)
        markup = ChatMarkup(config.base.folder)
        window = architecture.context_length
        multiple = whole_row.MULTIPLE if whole_row.is_for(self._device) else 1
        learned = packed = rows.pack(
            examples,
            markup,
            config.row_tokens,
            window,
            multiple=multiple,
            least_rows=max(1, round(config.least_steps * config.rows / config.epochs)),
        )
        if self._rehearsal:
            shown = rows.pack(
                self._rehearsal, markup, rehearsal.ROW_TOKENS, window, multiple=multiple
            )
            packed = rehearsal.beside(learned, shown, config.seed)
        measured = (
            rows.pack(self._held_out, markup, config.row_tokens, window, multiple=multiple)
            if self._held_out
            else None
        )
        checkpointing, said = fit(
            architecture,
            config,
            dtype=self._dtype,
            tokens=packed.longest,
            learned=packed.most_learned,
            scores=packed.most_scores,
            on_gpu=self._on_gpu,
        )
        self._said.append(
            f"{config.method} on {self._device.type} in {self._settled['precision']}: {said}"
        )
        if learned.saved:
            share = learned.saved / (learned.tokens + learned.saved)
            self._said.append(f"{share:.0%} of tokens are shared and computed once.")
        if self._rehearsal:
            rehearsed = len(packed) - len(learned)
            self._said.append(f"{rehearsed:,} of {len(packed):,} rows are rehearsed, not learned.")
        self._folder.mkdir(parents=True, exist_ok=True)
        resumed = self._resumed()
        if self._on_gpu:
            import torch

            torch.cuda.reset_peak_memory_stats()
        model: Any
        try:
            model = load_base(config.base.folder, config.method, self._device, config.precision)
        except OSError as error:
            raise ModelError(f"cannot read {config.base.folder}: {error}") from error
        if config.method != "full":
            model = add_adapter(model, config, architecture)
        trainer = Trainer(
            model,
            config,
            packed,
            measured,
            markup=markup,
            checkpoints=self._checkpoints,
            checkpointing=checkpointing,
            told=self._tell,
        )
        if resumed is not None:
            trainer.kept.update(resumed[1])
        self._log = Log(self._folder / LOG_FILE, trainer.kept.get("step", 0))
        if measured and "before" not in trainer.kept:
            trainer.kept["before"] = trainer.measure()
            self._tell(trainer, None)
        trainer.run(None if resumed is None else resumed[0])
        self._write(trainer, best=measured is not None)
        return trainer, trainer.kept.get("before")

    def _resumed(self) -> tuple[Path, dict[str, Any]] | None:
        """Return the checkpoint to go on from, or make ready for a run from its beginning."""
        identity = self._identity()
        found = self._checkpoints.resume(identity) if self._config.resume else None
        if found is None:
            if self._config.resume:
                self._said.append("No checkpoint was found: training begins anew.")
            self._checkpoints.begin(identity)
        else:
            self._said.append(f"Resumed after step {found[1]['step']:,}.")
        return found

    def _identity(self) -> dict[str, Any]:
        sides = {"examples": self._train, "held-out examples": self._held_out}
        if self._rehearsal:
            sides["rehearsed examples"] = self._rehearsal
        digests = {
            name: hashlib.sha256(
                json.dumps([asdict(example) for example in examples]).encode()
            ).hexdigest()
            for name, examples in sides.items()
        }
        return {
            **self._settled,
            **digests,
            "base": self._config.base.digest(),
            "device": self._device.type,
        }

    @cached_property
    def _settled(self) -> dict[str, Any]:
        """Return all that decides what comes of it, with what was chosen for the machine."""
        precision = "bf16" if self._dtype.itemsize == 2 else "fp32"
        return self._config.hyperparameters() | {"precision": precision}

    def _tell(self, trainer: "Trainer", loss: float | None) -> None:
        """Report a step, or a measurement where there is no loss."""
        state, kept = trainer.state, trainer.kept
        losses = trainer.held_out_losses
        before = [kept["before"]] if "before" in kept else []
        seconds, done = kept["seconds"], trainer.done
        # The first step of a process takes longer than others.
        known = trainer.seconds_here > 0 and trainer.steps_here > 1
        progress = Progress(
            stage="measuring" if loss is None else "training",
            step=state.global_step,
            of=trainer.most_steps,
            loss=loss,
            held_out_loss=([*before, *losses] or [None])[-1],
            best_loss=min([*before, *losses], default=None),
            learning_rate=trainer.last_rate,
            tokens_per_s=trainer.tokens_here / trainer.seconds_here if known else 0.0,
            memory=trainer.peak_memory,
            seconds=seconds,
            seconds_left=seconds / done * (1 - done) if known and done else None,
        )
        self._log.add(progress)
        self._told(progress)

    def _write(self, trainer: "Trainer", *, best: bool) -> None:
        """Put the result where it belongs: the best weights, or the last without held-out."""
        source = self._checkpoints.best
        if not best:
            trainer.check()
            self._checkpoints.keep_best(trainer.write)
        target = self._folder
        if self._config.method == "full":
            target = self._folder / MODEL_FOLDER
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            for name in _TOKENIZER:
                if (self._config.base.folder / name).is_file():
                    shutil.copyfile(self._config.base.folder / name, target / name)
        for path in source.iterdir():
            shutil.copyfile(path, target / path.name)
        if self._config.method == "full":
            # An adapter is put on disk for good where it is published.
            sync_all(target)

    def _answers(self) -> tuple[dict[str, float], tuple[Asked, ...]]:
        """Return how well held-out questions are answered before and after, and the answers."""
        examples = self._held_out[: self._config.answers]
        too_large = not self._on_gpu and self._architecture.parameters > _MOST_ASKED_ON_CPU
        if not examples or too_large:
            return {}, ()
        from adapters.training.answers import answers, scores

        self._told(Progress("answering"))
        base = self._config.base
        precision: Literal["nf4", "auto"] = "nf4" if self._config.method == "qlora" else "auto"
        model = load_model(base, precision=precision, device=self._config.device)
        before = answers(model, examples)
        if self._config.method == "full":
            path = self._folder / MODEL_FOLDER
            trained = ModelFiles(str(path), path)
            model = load_model(trained, precision=precision, device=self._config.device)
            after = answers(model, examples)
        else:
            after = answers(model, examples, self._folder)
        metrics = {
            f"{name}_{when}": value
            for when, written in {"before": before, "after": after}.items()
            for name, value in scores(examples, written).items()
        }
        asked = tuple(
            Asked(example.question, example.answer, *both)
            for example, *both in zip(examples, before, after, strict=True)
        )
        return metrics, asked
