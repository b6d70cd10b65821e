"""How much memory is free, and how much a model needs."""

import math
from pathlib import Path
from typing import Literal

from adapters.architecture import Architecture
from adapters.errors import NotEnoughRoomError

Precision = Literal["fp32", "bf16", "fp16", "int8", "nf4"]
# Bytes a weight: NF4 has 4 bits and a scale, itself rounded, for each 64 weights.
_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.01, "nf4": 0.52}
# Bytes a number of what is not rounded; where weights are, that is in fp32 on a CPU, and in
# bf16 on a GPU.
_NUMBERS = {"fp32": 4, "bf16": 2, "fp16": 2}
# Python, torch and what a step computes.
_BESIDE = 300_000_000
_TOKENS = 2048
_GROUP = Path("/sys/fs/cgroup")


def needed_bytes(architecture: Architecture, precision: Precision, device: str = "cpu") -> int:
    """Return the memory that a model takes, with one row of 2,048 tokens.

    :param device: cpu or cuda.
    """
    number = _NUMBERS.get(precision, 4 if device == "cpu" else 2)
    table = architecture.vocabulary * architecture.width
    weights = architecture.projected * _BYTES[precision]
    if precision == "int8":
        # The table for looking tokens up stays in the file, mapped.
        weights += table * _BYTES[precision]
    else:
        weights += table * number * (1 if architecture.tied else 2)
    tokens = min(_TOKENS, architecture.context_length)
    token = 2 * architecture.layers * architecture.kv_heads * architecture.head_width
    return math.ceil(weights + tokens * token * number) + _BESIDE


def free_memory(device: str = "cpu") -> int | None:
    """Return the bytes that this process may still take; None where that is not known.

    :param device: cpu or cuda.
    """
    if device == "cuda":
        import torch

        # What torch holds and does not use, it gives before it asks for more.
        held = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0]) + held
    found = [value for value in (_available(), _left_in_group()) if value is not None]
    return min(found, default=None)


def check_memory(name: str, needed: int, free: int | None, where: str = "memory") -> None:
    """Check that what is needed is free.

    :param name: Of the model.
    :param needed: Bytes.
    :param free: Bytes; None for unknown, which passes.
    :param where: What is short, in the error.
    :raises NotEnoughRoomError: When it is not.
    """
    if free is not None and needed > free:
        raise NotEnoughRoomError(
            f"{name} needs {gigabytes(needed)} of {where} and {gigabytes(free)} are free: "
            "free some, or choose a smaller model or precision"
        )


def gigabytes(count: float) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _left_in_group() -> int | None:
    """Return what a container's limit leaves; None without one."""
    try:
        limit = (_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_GROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(0, int(limit) - max(0, used - _cached_in_group()))


def _cached_in_group() -> int:
    """Return what a container's files take in memory, and give back when it is wanted."""
    try:
        lines = (_GROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        stat = dict(line.split() for line in lines)
        return int(stat["inactive_file"]) + int(stat["active_file"])
    except (OSError, ValueError, KeyError):
        return 0
