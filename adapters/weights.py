"""Read a model's weights from safetensors, one tensor at a time and from nothing else."""

import json
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapters.architecture import Architecture, read_json
from adapters.errors import ModelError

_INDEX = "model.safetensors.index.json"
_HEADER_AT_MOST = 100_000_000


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


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a model's weights.

    :raises ModelError: When there are none; pickled weights are not looked at.
    """
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    if not (folder / _INDEX).is_file():
        raise ModelError(f"{folder} has no safetensors weights (pickled ones are never loaded)")
    names = sorted(set(read_json(folder / _INDEX).get("weight_map", {}).values()))
    files = [folder / str(name) for name in names]
    # An index must not lead out of its folder.
    if not files or any(file.parent != folder for file in files):
        raise ModelError(f"{folder / _INDEX} is not an index of weights")
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelError(f"{folder} is not complete: {missing[0]} is missing")
    return files


def check_weights(folder: Path, architecture: Architecture) -> int:
    """Check that a folder's weights are those of an architecture, without reading them.

    :return: Bytes of the files.
    :raises ModelError: When a projection is missing or has another shape.
    """
    shapes: dict[str, list[int]] = {}
    for path in weight_files(folder):
        shapes |= {
            name: entry["shape"] for name, entry in _header(path).items() if name != "__metadata__"
        }
    for layer in range(architecture.layers):
        for place, shape in architecture.projections().items():
            name = f"model.layers.{layer}.{place}.weight"
            if shapes.get(name) != list(shape):
                found = shapes.get(name, "missing")
                raise ModelError(f"{folder.name}: {name} is {found}, not {list(shape)}")
    return sum(path.stat().st_size for path in weight_files(folder))


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(_HEADER_AT_MOST, path.stat().st_size):
                raise ValueError("its header is longer than the file")
            header: dict[str, Any] = json.loads(file.read(length))
            return header
    except (OSError, ValueError, struct.error) as error:
        raise ModelError(f"{path} is damaged: {error}") from error


def to_type(tensor: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a tensor of one's own in a type on a device, without the mapped file behind it."""
    moved = tensor.to(device=device, dtype=dtype)
    # What maps the file would be read from disk again and again where memory is short.
    return moved.clone() if moved.data_ptr() == tensor.data_ptr() else moved
