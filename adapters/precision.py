"""Choose a precision for a CPU by trying each on matrices of the model's shapes.

Habit misleads here: bf16 is several times slower than fp32 on a processor without
instructions for it, and faster on one that has them.
"""

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from adapters import cache
from adapters.architecture import Architecture
from adapters.memory import Precision, needed_bytes
from adapters.projections import FloatProjection, Int8Projection, Projection, int8_is_available
from adapters.step import Step

# More than caches hold, so that a product costs what it costs in a whole model.
_WEIGHTS_AT_LEAST = 48_000_000
# What is weighed: reading a prompt with evidence, and writing a short answer to it.
_READ, _WRITTEN = 512, 64
_READ_AT_ONCE = 128
# Rounding has to be worth it.
_WORTH_IT = 1.15
_RECIPE = "r2"
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """A precision and why.

    :param precision: Which.
    :param said: The reason as a sentence for people.
    :param seconds: Time of the matrix products of one answer, by precision.
    """

    precision: Precision
    said: str
    seconds: dict[str, float]


def choose_on_cpu(architecture: Architecture, free: int | None) -> Choice:
    """Return the fastest precision on this machine that fits; measured once and kept.

    :param free: Bytes of memory; None for unknown.
    """
    path = _kept_at(architecture)
    seconds = _read(path)
    if seconds is None:
        seconds = _measure(architecture)
        # Where it cannot be kept it is measured again the next time.
        with contextlib.suppress(OSError):
            cache.write_whole(path, json.dumps(seconds).encode())
    fits = {
        name: taken
        for name, taken in seconds.items()
        if free is None or needed_bytes(architecture, _known(name)) < free
    }
    considered = fits or seconds
    # What takes least memory, where nothing fits: loading it says what is missing.
    if not fits:
        best = min(seconds, key=lambda name: needed_bytes(architecture, _known(name)))
    else:
        best = min(considered, key=lambda name: considered[name] * _handicap(name))
    others = ", ".join(f"{name} {seconds[name]:.1f} s" for name in seconds if name != best)
    said = (
        f"{best}: measured on this machine, the matrix products of an answer take one core "
        f"{seconds[best]:.1f} s ({others})."
    )
    return Choice(_known(best), said, seconds)


def _handicap(name: str) -> float:
    return 1.0 if name == "fp32" else _WORTH_IT


def _known(name: str) -> Precision:
    return "int8" if name == "int8" else "bf16" if name == "bf16" else "fp32"


def _kept_at(architecture: Architecture) -> Path:
    facts = [
        asdict(architecture),
        platform.machine(),
        _processor(),
        torch.backends.cpu.get_cpu_capability(),
        torch.get_num_threads(),
        torch.__version__,
        _RECIPE,
    ]
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    return cache.cache_folder() / "measurements" / f"{name}.json"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line for line in lines if line.startswith(("model name", "flags"))]
    return "\n".join([*named[:2], str(os.cpu_count())])


def _read(path: Path) -> dict[str, float] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(taken) for name, taken in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None


@torch.inference_mode()
def _measure(architecture: Architecture) -> dict[str, float]:
    """Return the seconds that the matrix products of one answer take, by precision."""
    makers: dict[str, tuple[torch.dtype, Callable[[torch.Tensor], Projection]]] = {
        "fp32": (torch.float32, FloatProjection),
        "bf16": (torch.bfloat16, lambda weight: FloatProjection(weight.bfloat16())),
    }
    if int8_is_available():
        makers["int8"] = torch.float32, Int8Projection
    shapes = list(architecture.projections().values())
    in_layer = sum(rows * columns for rows, columns in shapes)
    layers = min(architecture.layers, max(1, -(-_WEIGHTS_AT_LEAST // in_layer)))
    seconds = dict.fromkeys(makers, 0.0)
    threads = torch.get_num_threads()
    # On one thread, by its own processor time: other programs that run just now must not decide
    # what is kept, and several threads would wait for each other where they are interrupted.
    torch.set_num_threads(1)
    try:
        for name, (dtype, make) in makers.items():
            made = [
                (make(torch.full(shape, 0.01)), shape[1]) for _ in range(layers) for shape in shapes
            ]
            one, many = (_time(made, rows, dtype) for rows in (1, _READ_AT_ONCE))
            scale = architecture.layers / layers
            seconds[name] = scale * (_WRITTEN * one + _READ / _READ_AT_ONCE * many)
    finally:
        torch.set_num_threads(threads)
    return seconds


def _time(made: list[tuple[Projection, int]], rows: int, dtype: torch.dtype) -> float:
    states = {columns: torch.full((rows, columns), 0.5, dtype=dtype) for _, columns in made}
    nothing: Step = None  # type: ignore[assignment] # plain products look at no rows
    taken = []
    for _ in range(_ROUNDS):
        started = time.thread_time()
        for projection, columns in made:
            projection(states[columns], nothing)
        taken.append(time.thread_time() - started)
    return min(taken)
