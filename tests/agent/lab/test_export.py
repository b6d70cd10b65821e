"""What ships is the trained delta in half precision, readable as an adapter."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from adapters.errors import AdapterError
from adapters.lab_reading import FOLDER
from adapters.lora_files import CONFIG, WEIGHTS
from agent.lab.export import export


def _run(folder: Path, values: float = 1e-3) -> Path:
    """Write what a training of rank 1 leaves."""
    folder.mkdir()
    config = json.loads((FOLDER / CONFIG).read_text(encoding="utf-8"))
    config |= {"r": 1, "lora_alpha": 2, "base_model_name_or_path": "/home/somebody/lab"}
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    arrays = {}
    for name, shipped in load_file(FOLDER / WEIGHTS).items():
        shape = (1, shipped.shape[1]) if "lora_A" in name else (shipped.shape[0], 1)
        arrays[name] = np.full(shape, values, dtype=np.float32)
    save_file(arrays, folder / WEIGHTS, {"format": "pt"})
    return folder


def test_the_delta_is_halved_and_tells_no_paths(tmp_path: Path) -> None:
    shipped = export(_run(tmp_path / "run"), tmp_path / "delta")
    arrays = load_file(tmp_path / "delta" / WEIGHTS)
    assert {values.dtype for values in arrays.values()} == {np.dtype(np.float16)}
    assert shipped.bytes == (tmp_path / "delta" / WEIGHTS).stat().st_size
    assert "somebody" not in (tmp_path / "delta" / CONFIG).read_text(encoding="utf-8")
    assert len(shipped.model_sha256) == 64


def test_numbers_too_large_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="half precision"):
        export(_run(tmp_path / "run", 1e6), tmp_path / "delta")


def test_a_folder_without_a_training_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="is no adapter"):
        export(tmp_path, tmp_path / "delta")
