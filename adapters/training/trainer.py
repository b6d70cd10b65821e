"""TRL's trainer, with logits only where there is a loss, and a schedule that can fit a time."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedTokenizerFast, PrinterCallback, TrainerCallback, TrainerState
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from adapters.errors import TrainingError
from adapters.training.base_model import in_fp32, write_adapter
from adapters.training.checkpoints import Checkpoints
from adapters.training.config import TrainingConfig
from adapters.training.loss import summed_loss
from adapters.training.rehearsal import base_alone, forgetting
from adapters.training.room import memory_taken
from adapters.training.rows import REHEARSED, Rows, collate

if TYPE_CHECKING:
    from adapters.chat_markup import ChatMarkup

# The learning rate does not end at nothing: the last steps would teach nothing.
_LEAST_RATE = 0.05
_MOST_NORM = 1.0


class Trainer(SFTTrainer):
    """Trains an adapter, or with method full a model.

    :param model: The base with its adapter.
    :param config: How to train.
    :param rows: What to learn from.
    :param held_out: What to measure on; None for nothing.
    :param markup: The model's own.
    :param checkpoints: Where to keep them.
    :param checkpointing: Compute activations twice instead of keeping them.
    :param told: Called after each step with the step's loss, and after each measurement with
        None.
    """

    # The loss is that of the whole step's tokens, not of one row's.
    loss_is_scaled_for_ga = True  # type: ignore[assignment]
    model: Any

    def __init__(
        self,
        model: Any,
        config: TrainingConfig,
        rows: Rows,
        held_out: Rows | None,
        *,
        markup: "ChatMarkup",
        checkpoints: Checkpoints,
        checkpointing: bool,
        told: Callable[["Trainer", float | None], None],
    ) -> None:
        self.kept: dict[str, Any] = {"seconds": 0.0, "tokens": 0, "ended": False, "checked": 0}
        self.seconds_here, self.tokens_here, self.steps_here = 0.0, 0, 0
        self.last_rate, self.peak_memory = 0.0, 0
        self._config, self._checkpoints, self._told = config, checkpoints, told
        # Of what is learned: None in a step that only rehearses.
        self._step_loss: float | None = None
        self._last_loss = 0.0
        device = next(model.parameters()).device
        super().__init__(
            model=model,
            args=self._arguments(len(rows), device, checkpointing),
            train_dataset=rows.dataset,
            eval_dataset=held_out.dataset if held_out else None,
            data_collator=collate,
            processing_class=_tokenizer(markup),
            callbacks=[_Watch(self)],
        )
        self.remove_callback(PrinterCallback)
        # TRL rounds what learns on a quantised base to bf16.
        in_fp32(self.model)

    def _arguments(self, rows: int, device: torch.device, checkpointing: bool) -> SFTConfig:
        config = self._config
        steps = math.ceil(math.ceil(rows / config.rows) * config.epochs)
        arguments = SFTConfig(
            output_dir=str(self._checkpoints.folder),
            max_steps=steps,
            per_device_train_batch_size=1,
            per_device_eval_batch_size=1,
            gradient_accumulation_steps=config.rows,
            learning_rate=config.highest_rate,
            weight_decay=0.01 if config.method == "full" else 0.0,
            max_grad_norm=_MOST_NORM,
            seed=config.seed,
            gradient_checkpointing=checkpointing,
            gradient_checkpointing_kwargs={"use_reentrant": False} if checkpointing else None,
            # Rows are packed already, and have columns that TRL does not know.
            remove_unused_columns=False,
            dataset_kwargs={"skip_prepare_dataset": True},
            bf16=config.method == "full" and device.type == "cuda",
            use_cpu=device.type == "cpu",
            dataloader_pin_memory=device.type == "cuda",
            logging_strategy="no",
            eval_strategy="no",
            save_strategy="no",
            save_total_limit=2,
            disable_tqdm=True,
            report_to="none",
        )
        # Where several GPUs can be seen, the one that the model is on.
        arguments._n_gpu = min(1, arguments.n_gpu)
        return arguments

    @property
    def most_steps(self) -> int:
        """Steps of the run, if no time ends it before."""
        return int(self.args.max_steps)

    @property
    def checks(self) -> int:
        """Times in the run that held-out loss is measured."""
        return min(self._config.checks, self.most_steps)

    @property
    def done(self) -> float:
        """How much of the run is done: by its steps or its time, whichever is further."""
        return max(self.state.global_step / self.most_steps, self._time_share)

    @property
    def _time_share(self) -> float:
        minutes = self._config.minutes
        return 0.0 if minutes is None else min(1.0, self.kept["seconds"] / 60 / minutes)

    def run(self, checkpoint: Path | None) -> None:
        """Make the steps.

        :param checkpoint: Where to go on from; None for the beginning.
        """
        if checkpoint is not None and self.kept["ended"]:
            # Cut off between its last step and its end.
            self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
            if self.eval_dataset is None:
                # The last weights are the result.
                self._load_from_checkpoint(str(checkpoint))
            return
        self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))

    def measure(self) -> float:
        """Return the loss a token of the held-out rows.

        :raises TrainingError: When it is no number.
        """
        started = time.perf_counter()
        total, count = 0.0, 0
        self.model.eval()
        with torch.no_grad():
            for inputs in self.get_eval_dataloader():
                loss, learned = self._loss(self.model, self._prepare_inputs(inputs))
                total, count = total + loss.item(), count + learned
        self.model.train()
        self.kept["seconds"] += time.perf_counter() - started
        return _number(total / max(1, count))

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure held-out loss, keep the best weights, and end the run when it gets no better."""
        metrics = {"eval_loss": self.measure()}
        self.log(metrics)
        losses = self.held_out_losses
        best = losses.index(min(losses))
        if best == len(losses) - 1:
            self.kept["best_step"] = self.state.global_step
            self._checkpoints.keep_best(self.write)
        if self._config.patience and len(losses) - 1 - best >= self._config.patience:
            self.kept["ended"] = self.control.should_training_stop = True
        self.control.should_evaluate = False
        self._told(self, None)
        return metrics

    @property
    def held_out_losses(self) -> list[float]:
        """Losses measured so far, those before a resumption included."""
        return [line["eval_loss"] for line in self.state.log_history if "eval_loss" in line]

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Return the loss a learned token of the step. Called by transformers.

        :raises TrainingError: When it is no number.
        """
        self.tokens_here += inputs["tokens"]
        self.kept["tokens"] += inputs["tokens"]
        loss, learned = self._loss(model, inputs)
        # Between the two directions most is held.
        self.peak_memory = max(self.peak_memory, memory_taken(loss.device.type == "cuda"))
        loss = loss / (learned if num_items_in_batch is None else num_items_in_batch)
        told = _number(loss.item())
        if not inputs[REHEARSED]:
            self._step_loss = told + (self._step_loss or 0.0)
        return loss

    def _loss(self, model: Any, inputs: dict[str, Any]) -> tuple[Tensor, int]:
        """Return the summed loss of a row and the number of its learned tokens."""
        # A token's logits are about the one behind it.
        # Never about that of another piece: none learns its first token.
        targets = functional.pad(inputs["labels"][0, 1:], (0, 1), value=-100)
        learned = (targets != -100).nonzero()[:, 0]
        given = {
            "input_ids": inputs["input_ids"],
            "position_ids": inputs["position_ids"],
            "pieces": inputs["pieces"],
            "use_cache": False,
        }
        if self._config.method == "full":
            # The output layer learns too, so its logits are kept.
            logits = model(**given, logits_to_keep=learned).logits.flatten(0, 1).float()
            loss = functional.cross_entropy(logits, targets[learned], reduction="sum")
        else:
            base = model.get_base_model()
            states = base.model(**given).last_hidden_state.flatten(0, 1)
            loss = summed_loss(states[learned], base.lm_head.weight, targets[learned])
            if inputs[REHEARSED]:
                with base_alone(base):
                    wanted = base.model(**given).last_hidden_state.flatten(0, 1)
                # What fills a row up stands at its end.
                own = slice(inputs["tokens"])
                loss = loss + len(learned) * forgetting(states[own], wanted[own])
        return loss, len(learned)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        """Make the schedule: up to the highest rate, then down along a cosine."""
        if self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer,  # type: ignore[arg-type]
                lambda step: self._rate(max((step + 1) / num_training_steps, self._time_share)),
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _rate(self, done: float) -> float:
        """Return the share of the highest rate for a step, by how much will be done then."""
        warmup = self._config.warmup
        if done < warmup:
            return done / warmup
        along = min(1.0, (done - warmup) / (1 - warmup))
        return _LEAST_RATE + (1 - _LEAST_RATE) * (1 + math.cos(math.pi * along)) / 2

    def check(self) -> None:
        """Check that what is trained is numbers, which the last step's loss does not tell.

        :raises TrainingError: When it is not.
        """
        learned = (part for part in self.model.parameters() if part.requires_grad)
        if not all(bool(part.isfinite().all()) for part in learned):
            _number(math.nan)

    def write(self, folder: Path) -> None:
        """Write what is trained into a folder: an adapter, or a model.

        :raises OSError: When it cannot be written.
        """
        with _writing():
            if self._config.method == "full":
                self.model.save_pretrained(folder)
            else:
                write_adapter(self.model, folder)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write weights alone: no pickled arguments, no tokenizer."""
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        self.write(folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with _writing():
            super()._save_checkpoint(model, trial)  # type: ignore[no-untyped-call]
        step = self.state.global_step
        self._checkpoints.complete(step, self.kept | {"step": step})

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: the product has cards of its own."""

    def _send_telemetry(self) -> None:
        """Send none."""


class _Watch(TrainerCallback):
    """Times the steps and ends the run when its time is over."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._started = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._started = time.perf_counter()
        self._trainer._step_loss = None

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Note the rate: afterwards it is the next step's."""
        self._trainer.last_rate = float(given["optimizer"].param_groups[0]["lr"])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock and tell."""
        trainer = self._trainer
        taken = time.perf_counter() - self._started
        trainer.seconds_here += taken
        trainer.kept["seconds"] += taken
        trainer.steps_here += 1
        if trainer._step_loss is not None:
            trainer._last_loss = trainer._step_loss
        trainer._told(trainer, trainer._last_loss)
        # By what is done, not by steps: a run that ends by its time has fewer than it might.
        checked = math.floor(trainer.done * trainer.checks + 1e-9)
        if checked > trainer.kept["checked"]:
            trainer.kept["checked"] = checked
            control.should_evaluate = trainer.eval_dataset is not None
            control.should_save = True
        if trainer.done >= 1:
            trainer.kept["ended"] = control.should_training_stop = True


@contextmanager
def _writing() -> Iterator[None]:
    """Raise as an OSError what torch and safetensors raise where a disk is full."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        raise OSError(str(error)) from error


def _number(loss: float) -> float:
    if not math.isfinite(loss):
        raise TrainingError("the loss is no number any more: give a lower --learning-rate")
    return loss


def _tokenizer(markup: "ChatMarkup") -> PreTrainedTokenizerFast:
    """Return what the trainer takes a padding token from: there is nothing to pad."""
    word = markup.tokenizer.id_to_token(0)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=markup.tokenizer, pad_token=word
    )
