"""LoRA adapters, computed row by row of a batch.

Nothing is merged and nothing is switched: each step says which of its tokens go through
which adapter, and that is held nowhere else. So adapters that are not asked for cost
nothing, and a step that fails leaves nothing behind.
"""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from adapters.architecture import Architecture
from adapters.errors import AdapterError
from adapters.lora_files import WEIGHTS, check_adapter, weight_shapes
from adapters.projections import Projection

if TYPE_CHECKING:
    from adapters.decoder import Decoder
    from adapters.step import Step

# Names of a decoder layer's projections, in the order of an adapter's.
_PLACES = ("qkv", "out", "gate_up", "down")
# Products of so few tokens take less time than a second thread does to come.
_FEW = 64
# Numbers in a line of the processor's cache.
_LINE = 16
_ALONE = Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """What an adapter adds to a projection: states @ first @ second.

    :param first: [inputs, rank].
    :param second: [rank, outputs], scaled.
    """

    first: Tensor
    second: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """An adapter's weights, ready to compute with.

    :param name: What it is called, such as "hr@3".
    :param layers: What each layer adds to its qkv, out, gate_up and down projection.
    :param nbytes: Memory that they take.
    :param stamp: Tells its weights from others that had this name before.
    """

    name: str
    layers: tuple[tuple[Pair, Pair, Pair, Pair], ...]
    nbytes: int
    stamp: str = ""

    @property
    def family(self) -> str:
        """What texts that were read with it are kept under."""
        return f"{self.name}#{self.stamp}"


class AdaptableProjection:
    """A projection that adds what each token's adapter says, if it has one.

    :param base: The model's own.
    :param layer: Number of its layer.
    :param place: Which of the layer's projections it is.
    """

    def __init__(self, base: Projection, layer: int, place: int) -> None:
        self._base, self._layer, self._place = base, layer, place

    def __call__(self, states: Tensor, step: "Step") -> Tensor:
        """Return the product. See :class:`adapters.projections.Projection`."""
        product = self._base(states, step)
        if not step.adapters:
            return product
        threads = torch.get_num_threads()
        if len(states) > _FEW or threads == 1 or states.device.type != "cpu":
            self._add(product, states, step)
            return product
        with _ALONE:
            torch.set_num_threads(1)
            try:
                self._add(product, states, step)
            finally:
                torch.set_num_threads(threads)
        return product

    def _add(self, product: Tensor, states: Tensor, step: "Step") -> None:
        parts = states.split_with_sizes(step.counts)
        sums = product.split_with_sizes(step.counts)
        for adapter, part, total in zip(step.adapters, parts, sums, strict=True):
            if adapter is not None:
                pair = adapter.layers[self._layer][self._place]
                total.addmm_(part.mm(pair.first), pair.second)


def settle_threads() -> None:
    """Give the calling thread its processors for good, while no product is held to one.

    torch asks a thread's number of them from what was set last, at its first operation.
    """
    with _ALONE:
        torch.get_num_threads()


def make_adaptable(decoder: "Decoder") -> None:
    """Let the rows of a decoder have adapters; once is enough."""
    for number, layer in enumerate(decoder.layers):
        for place, name in enumerate(_PLACES):
            projection = getattr(layer, name)
            if not isinstance(projection, AdaptableProjection):
                setattr(layer, name, AdaptableProjection(projection, number, place))


def load_adapter(
    folder: Path,
    architecture: Architecture,
    *,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
) -> Adapter:
    """Read an adapter in PEFT's format.

    :param folder: Has ``adapter_config.json`` and ``adapter_model.safetensors``.
    :param architecture: Of the model that it is for.
    :param name: What it is to be called.
    :param dtype: Type of the decoder's states.
    :raises AdapterError: When it is not plain LoRA on the four projections of every layer of
        such a model, or damaged.
    """
    config = check_adapter(folder, architecture)
    path = folder / WEIGHTS
    shapes = weight_shapes(architecture, config.rank)
    starts = [0]
    for rows, columns in shapes.values():
        starts.append(starts[-1] + -(-rows * columns // _LINE) * _LINE)
    try:
        status = path.stat()
        whole = _read(path, list(shapes), starts, config.scaling)
    except Exception as error:  # the library raises its own, without a base
        raise AdapterError(f"{path} is damaged: {error}") from error
    if not np.isfinite(whole.sum(dtype=np.float64)):
        raise AdapterError(f"{folder.name} holds numbers that are not finite: train it anew")
    weights = torch.from_numpy(whole).to(device=device, dtype=dtype)
    pieces = [
        weights[start : start + rows * columns]
        for start, (rows, columns) in zip(starts, shapes.values(), strict=False)
    ]
    rank = config.rank
    pairs = [
        Pair(pieces[i].view(rank, -1).t(), pieces[i + 1].view(rank, -1))
        for i in range(0, len(pieces), 2)
    ]
    layers = tuple(
        (pairs[i], pairs[i + 1], pairs[i + 2], pairs[i + 3])
        for i in range(0, len(pairs), len(_PLACES))
    )
    return Adapter(name, layers, weights.nbytes, f"{status.st_mtime_ns}-{status.st_size}")


def _read(path: Path, names: list[str], starts: list[int], scaling: float) -> np.ndarray[Any, Any]:
    """Return the weights of a file one after another, each B transposed and scaled.

    With numpy, whose one thread waits for no others, and which asks for large pages: reading
    the weights of several adapters at each step is what a mixed batch costs.

    :param starts: Where each is to stand, and where the last one ends.
    """
    from safetensors import safe_open

    room = np.empty(starts[-1] + _LINE, dtype=np.float32)
    first = -room.ctypes.data % (4 * _LINE) // 4
    whole = room[first : first + starts[-1]]
    with safe_open(str(path), framework="pt", device="cpu") as file:
        for number, name in enumerate(names):
            stored = file.get_tensor(name).float().numpy()
            piece = whole[starts[number] : starts[number + 1]]
            piece[stored.size :] = 0
            if number % 2:
                product = piece[: stored.size].reshape(stored.T.shape)
                np.multiply(stored.T, np.float32(scaling), out=product)
            else:
                piece[: stored.size] = stored.ravel()
    return whole
