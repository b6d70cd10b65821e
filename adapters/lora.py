"""LoRA adapters, computed row by row of a batch.

Nothing is merged and nothing is switched: each step says which of its tokens go through
which adapter, and that is held nowhere else. So adapters that are not asked for cost
nothing, and a step that fails leaves nothing behind.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
        if not step.segments:
            return product
        threads = torch.get_num_threads()
        few = len(states) <= _FEW and threads > 1 and states.device.type == "cpu"
        if few:
            torch.set_num_threads(1)
        try:
            for segment in step.segments:
                pair = segment.adapter.layers[self._layer][self._place]
                part = slice(segment.first, segment.stop)
                product[part].addmm_(states[part].mm(pair.first), pair.second)
        finally:
            if few:
                torch.set_num_threads(threads)
        return product


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
    from safetensors import safe_open

    config = check_adapter(folder, architecture)
    path = folder / WEIGHTS
    tensors: list[Tensor] = []
    try:
        status = path.stat()
        with safe_open(str(path), framework="pt", device="cpu") as file:
            for key in weight_shapes(architecture, config.rank):
                stored = file.get_tensor(key).to(device=device, dtype=dtype)
                # Of their own, since the file may be gone before the adapter is; laid out
                # as products of few rows read them quickest.
                if len(tensors) % 2:
                    second = torch.empty_like(stored.t(), memory_format=torch.contiguous_format)
                    tensors.append(torch.mul(stored.t(), config.scaling, out=second))
                else:
                    tensors.append(stored.clone().t())
    except Exception as error:  # the library raises its own, without a base
        raise AdapterError(f"{path} is damaged: {error}") from error
    if not torch.stack([tensor.sum(dtype=torch.float32) for tensor in tensors]).isfinite().all():
        raise AdapterError(f"{folder.name} holds numbers that are not finite: train it anew")
    pairs = [Pair(*tensors[i : i + 2]) for i in range(0, len(tensors), 2)]
    count = len(_PLACES)
    layers = tuple(
        (pairs[i], pairs[i + 1], pairs[i + 2], pairs[i + 3]) for i in range(0, len(pairs), count)
    )
    nbytes = sum(tensor.nbytes for tensor in tensors)
    return Adapter(name, layers, nbytes, f"{status.st_mtime_ns}-{status.st_size}")
