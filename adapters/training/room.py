"""The memory that a training takes, before anything is loaded for it."""

import math
import os
import sys
from pathlib import Path

import torch

from adapters.architecture import Architecture
from adapters.errors import NotEnoughRoomError
from adapters.memory import free_memory, gigabytes
from adapters.training.config import Method, TrainingConfig

# Python and the libraries that train, on the processor's side.
_BESIDE = 1_000_000_000
_ON_GPU = 600_000_000
_LOGITS = 100_000_000
# Bytes a weight in NF4, with its scale.
_NF4 = 0.52
# Without checkpointing only where some room is left.
_SHARE = 0.85


def training_bytes(
    architecture: Architecture,
    method: Method,
    *,
    rank: int,
    tokens: int,
    learned: int,
    scores: int,
    dtype: torch.dtype,
    on_gpu: bool,
    checkpointing: bool,
) -> int:
    """Return the memory that a training takes.

    :param rank: The adapter's.
    :param dtype: What the base is computed in.
    :param tokens: Of the longest row.
    :param learned: Tokens with a loss, of a row.
    :param scores: Of attention, that a head holds of a row.
    :param checkpointing: Whether activations are computed twice instead of kept.
    """
    shapes = architecture.projections().values()
    table = architecture.vocabulary * architecture.width * (1 if architecture.tied else 2)
    number = dtype.itemsize
    widest = max(rows * columns for rows, columns in shapes)
    if method == "full":
        # Weights, gradients and the optimizer's two moments.
        weights = architecture.parameters * 16.0
    else:
        added = architecture.layers * rank * sum(rows + columns for rows, columns in shapes)
        base = architecture.projected * (_NF4 if method == "qlora" else number)
        weights = base + table * number + added * 16
        weights += widest * number if method == "qlora" else 0
    kept = architecture.layers * architecture.width
    layer = _kept_by_layer(architecture)
    kept = kept + layer if checkpointing else kept + architecture.layers * layer
    # Only where the output layer learns too are they held for all tokens at once.
    logits = learned * architecture.vocabulary * 12 if method == "full" else _LOGITS
    beside = _ON_GPU if on_gpu else _BESIDE
    # A GPU's kernel holds none.
    held = 0 if on_gpu else scores * architecture.heads
    held = tokens * kept + held * (1 if checkpointing else architecture.layers)
    return math.ceil(weights + held * number + logits) + beside


def _kept_by_layer(architecture: Architecture) -> int:
    """Return the numbers that a layer keeps of a token for going backwards."""
    heads = architecture.heads * architecture.head_width
    # Norms; queries, keys and values as projected, rotated and repeated; the gated products.
    return 9 * architecture.width + 2 * architecture.qkv + 6 * heads + 5 * architecture.inner


def fit(
    architecture: Architecture,
    config: TrainingConfig,
    *,
    dtype: torch.dtype,
    tokens: int,
    learned: int,
    scores: int,
    on_gpu: bool,
) -> tuple[bool, str]:
    """Return whether activations are to be computed twice, and what was found as a sentence.

    :param dtype: What the base is computed in.
    :param tokens: Of the longest row.
    :param learned: Tokens with a loss, of a row.
    :param scores: Of attention, that a head holds of a row.
    :raises NotEnoughRoomError: When it fits in neither way.
    """

    def needed(checkpointing: bool) -> int:
        return training_bytes(
            architecture,
            config.method,
            rank=config.rank,
            tokens=tokens,
            learned=learned,
            scores=scores,
            dtype=dtype,
            on_gpu=on_gpu,
            checkpointing=checkpointing,
        )

    free = free_memory("cuda" if on_gpu else "cpu")
    where = "GPU memory" if on_gpu else "memory"
    whole, twice = needed(False), needed(True)
    if free is None or whole < _SHARE * free:
        return False, f"about {gigabytes(whole)} of {where} needed."
    if twice > free:
        smaller = "fewer row tokens" if config.method == "qlora" else "method qlora"
        raise NotEnoughRoomError(
            f"training {config.base.name} by {config.method} needs {gigabytes(twice)} of "
            f"{gigabytes(free)} {where} free: free some, or choose {smaller} or a smaller model"
        )
    return True, (
        f"about {gigabytes(twice)} of {where} needed: activations are computed twice, "
        f"since keeping them would take {gigabytes(whole)}."
    )


def memory_taken(on_gpu: bool) -> int:
    """Return the bytes taken now by the process; on a GPU the most by tensors so far."""
    if on_gpu:
        return torch.cuda.max_memory_allocated()
    try:
        # Not the most that it ever took: files that weights were read from are mapped then.
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return pages * os.sysconf("SC_PAGE_SIZE")
