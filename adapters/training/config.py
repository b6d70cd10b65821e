"""What a training is to be, and what came of it."""

import hashlib
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from adapters.base import Device
from adapters.errors import TrainingError
from adapters.lora_files import MOST_ALPHA, WEIGHTS
from adapters.models import ModelFiles

Method = Literal["qlora", "lora", "full"]
Precision = Literal["auto", "bf16", "fp32"]
# More of a seed the generators of random numbers do not take.
_MOST = {"epochs": 10_000, "learning_rate": 1, "seed": 2**32 - 1}
_RATES: dict[Method, float] = {"qlora": 5e-4, "lora": 5e-4, "full": 2e-5}


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train.

    :param base: The model to train on.
    :param method: qlora keeps the base in NF4, lora in full; full trains all weights and writes
        a model instead of an adapter.
    :param rank: Rank of the adapter's matrices.
    :param alpha: Their scale times the rank; None for twice the rank.
    :param epochs: Times that each example is learned from; 10,000 at most.
    :param minutes: Time that the schedule is fitted to, where the epochs would take longer;
        such a run depends on the machine's speed.
    :param learning_rate: The highest, 1 at most; None for the method's own.
    :param warmup: Share of the run in which the learning rate rises to it.
    :param row_tokens: Tokens learned from at once: examples are packed into rows of so many, or
        fewer where a run would have few steps.
    :param rows: Rows to a step.
    :param least_steps: How many are few: a run of fewer learns less than it could.
    :param patience: Held-out losses in a row without a new best that end the run; 0 for never.
    :param checks: Times in a run that held-out loss is measured and a checkpoint written.
    :param answers: Held-out questions that are answered before and after; 0 for none.
    :param reword: Ask short questions in other words each time that they are learned from; see
        :func:`adapters.training.reword.reworded`.
    :param seed: Of the adapter's first weights and the examples' order; below 2 ** 32.
    :param start: Folder of an adapter of the same base, rank and scale whose weights are the
        first ones; None for fresh ones.
    :param device: auto takes a GPU where there is one.
    :param precision: What a frozen base is computed in; auto takes bf16 where the processor or
        the GPU has instructions for it. What is trained itself is always kept in fp32.
    :param resume: Go on from the last checkpoint in the folder, if there is one.
    :raises TrainingError: When a number makes no sense.
    """

    base: ModelFiles
    method: Method = "qlora"
    rank: int = 16
    alpha: float | None = None
    epochs: float = 3.0
    minutes: float | None = None
    learning_rate: float | None = None
    warmup: float = 0.05
    row_tokens: int = 1024
    rows: int = 1
    least_steps: int = 100
    patience: int = 3
    checks: int = 10
    answers: int = 20
    reword: bool = False
    seed: int = 0
    start: Path | None = None
    device: Device = "auto"
    precision: Precision = "auto"
    resume: bool = False

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise TrainingError(f"method {self.method} is not known: choose qlora, lora or full")
        if self.precision not in get_args(Precision):
            raise TrainingError(
                f"precision {self.precision} is not known: choose auto, bf16 or fp32"
            )
        if self.start is not None and self.method == "full":
            raise TrainingError("method full makes no adapter: give no adapter to start from")
        if self.precision == "bf16" and self.method == "full":
            raise TrainingError("method full learns in fp32: choose lora or qlora for bf16")
        least = {
            "rank": 1,
            "row_tokens": 16,
            "rows": 1,
            "least_steps": 1,
            "patience": 0,
            "checks": 1,
            "answers": 0,
            "seed": 0,
        }
        for name, value in least.items():
            if getattr(self, name) < value:
                raise TrainingError(f"{name} is {getattr(self, name)}: give at least {value}")
        for name in ("alpha", "epochs", "minutes", "learning_rate"):
            given = getattr(self, name)
            if given is not None and not 0 < given < math.inf:
                wanted = "less" if given == math.inf else "more than 0"
                raise TrainingError(f"{name} is {given}: give {wanted}")
        for name, most in _MOST.items():
            given = getattr(self, name)
            if given is not None and given > most:
                raise TrainingError(f"{name} is {given}: give at most {most}")
        if self.scale >= MOST_ALPHA:
            raise TrainingError(f"alpha is {self.scale}: give less than {MOST_ALPHA:,.0f}")
        if not 0 <= self.warmup < 1:
            raise TrainingError(f"warmup is {self.warmup}: give a share of the run, below 1")

    @property
    def highest_rate(self) -> float:
        """The highest learning rate."""
        return _RATES[self.method] if self.learning_rate is None else self.learning_rate

    @property
    def scale(self) -> float:
        """What PEFT calls alpha."""
        return 2.0 * self.rank if self.alpha is None else float(self.alpha)

    def hyperparameters(self) -> dict[str, Any]:
        """Return all that decides what comes of it, besides the base and the examples."""
        left_out = {"base", "device", "resume", "answers", "start"}
        settled = {name: value for name, value in asdict(self).items() if name not in left_out}
        begun = {} if self.start is None else {"start": _digest(self.start / WEIGHTS)}
        return settled | {"alpha": self.scale, "learning_rate": self.highest_rate} | begun


@dataclass(frozen=True, slots=True)
class Asked:
    """A held-out question, and what was answered to it.

    :param wanted: The answer that its row gives.
    :param before: The answer before training.
    :param after: The answer after.
    """

    question: str
    wanted: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of a training.

    :param folder: Holds the adapter, or for method full the model in ``model``; and the log
        and the plot of its losses.
    :param method: How it was trained.
    :param metrics: ``eval_loss_before`` and ``eval_loss_after`` of the held-out examples, and
        ``f1_``, ``exact_before`` and ``_after`` of answers to them, as far as measured.
    :param asked: Held-out questions with their answers, as many as were asked.
    :param steps: Steps made, those before a resumption included.
    :param best_step: Step whose weights were kept: the one with the best held-out loss.
    :param tokens: Tokens computed: those that examples share count once.
    :param seconds: Time that steps and measurements took.
    :param tokens_per_s: Of this process's steps.
    :param peak_memory: Most bytes while learning: of the process on a CPU, of tensors on a GPU.
    :param versions: Of the libraries.
    :param hyperparameters: What decided it; see :meth:`TrainingConfig.hyperparameters`.
    :param said: What was chosen for the machine, as sentences for people.
    """

    folder: Path
    method: Method
    metrics: dict[str, float]
    asked: tuple[Asked, ...]
    steps: int
    best_step: int
    tokens: int
    seconds: float
    tokens_per_s: float
    peak_memory: int
    versions: dict[str, str]
    hyperparameters: dict[str, Any]
    said: tuple[str, ...] = field(default=())

    @property
    def is_adapter(self) -> bool:
        """Whether it can be registered as an adapter."""
        return self.method != "full"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TrainingError(f"the adapter to start from cannot be read: {error}") from None
