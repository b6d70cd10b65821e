"""A model's safetensors files, looked at without reading their tensors, and without torch."""

import json
import struct
from pathlib import Path
from typing import Any

from adapters.architecture import Architecture, read_json
from adapters.errors import ModelError

_INDEX = "model.safetensors.index.json"
_HEADER_AT_MOST = 100_000_000


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
            name: entry.get("shape", [])
            for name, entry in header_of(path).items()
            if name != "__metadata__"
        }
    for layer in range(architecture.layers):
        for place, shape in architecture.projections().items():
            name = f"model.layers.{layer}.{place}.weight"
            if shapes.get(name) != list(shape):
                found = shapes.get(name, "missing")
                raise ModelError(f"{folder.name}: {name} is {found}, not {list(shape)}")
    return sum(path.stat().st_size for path in weight_files(folder))


def header_of(path: Path) -> dict[str, Any]:
    """Return a safetensors file's header: type, shape and place of each tensor by name.

    :raises ModelError: When it is not one.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(_HEADER_AT_MOST, path.stat().st_size):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
            if not isinstance(header, dict) or not all(
                isinstance(entry, dict) for entry in header.values()
            ):
                raise ValueError("its header names no tensors")
            return header
    except (OSError, ValueError, RecursionError, struct.error) as error:
        raise ModelError(f"{path} is damaged: {error}") from error
