"""Read a model's weights from safetensors, one tensor at a time and from nothing else."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapters.errors import ModelError
from adapters.weight_files import weight_files


class Weights:
    """The tensors of a model folder.

    :param folder: Has ``model.safetensors``, or its parts and their index.
    :raises ModelError: When they are not there, or not readable.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open

        self._name = folder.name
        self._files: list[Any] = []
        self._places: dict[str, Any] = {}
        for path in weight_files(folder):
            try:
                file: Any = safe_open(str(path), framework="pt", device="cpu")
            except Exception as error:  # the library raises its own, without a base
                raise ModelError(f"{path} is damaged: {error}") from error
            self._files.append(file)
            names: list[str] = file.keys()
            self._places |= dict.fromkeys(names, file)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def read(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return a tensor in the type that it is stored in.

        :raises ModelError: When there is none of that name, or it has another shape.
        """
        if name not in self._places:
            raise ModelError(f"{self._name} has no weights {name}: it is not a whole Phi-3 model")
        tensor: Tensor = self._places[name].get_tensor(name)
        if tuple(tensor.shape) != shape:
            raise ModelError(f"{self._name}: {name} is {tuple(tensor.shape)}, not {shape}")
        if not tensor.dtype.is_floating_point:
            raise ModelError(f"{self._name}: {name} holds {tensor.dtype}, not weights")
        return tensor


def to_type(tensor: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a tensor of one's own in a type on a device, without the mapped file behind it."""
    moved = tensor.to(device=device, dtype=dtype)
    # What maps the file would be read from disk again and again where memory is short.
    return moved.clone() if moved.data_ptr() == tensor.data_ptr() else moved
