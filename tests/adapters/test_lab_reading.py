"""The reading delta that ships: what it is pinned as, and what merging it makes."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from adapters.errors import ModelError
from adapters.lab_reading import DELTA_SHA256, FOLDER, Reading
from adapters.lora_files import WEIGHTS, read_config

_MOST_BYTES, _MOST_RANK = 20_000_000, 32


def test_what_ships_is_what_was_pinned_and_small() -> None:
    assert Reading().digest == DELTA_SHA256
    assert (FOLDER / WEIGHTS).stat().st_size <= _MOST_BYTES
    assert read_config(FOLDER).rank <= _MOST_RANK
    assert "Licence" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_merging_adds_the_scaled_product(lab: Path, bare_lab: Path) -> None:
    bare, taught = (load_file(folder / "model.safetensors") for folder in (bare_lab, lab))
    delta, scale = load_file(FOLDER / WEIGHTS), read_config(FOLDER).scaling
    name = "model.layers.7.mlp.down_proj"
    up, down = (
        delta[f"base_model.model.{name}.lora_{side}.weight"].astype(np.float64) for side in "BA"
    )
    wanted = bare[f"{name}.weight"] + scale * up @ down
    assert np.abs(taught[f"{name}.weight"] - wanted).max() < 1e-5
    assert np.abs(taught[f"{name}.weight"] - bare[f"{name}.weight"]).max() > 1e-4
    same = ("model.embed_tokens.weight", "model.norm.weight")
    assert all(np.array_equal(bare[one], taught[one]) for one in same)


def test_a_missing_delta_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="delta cannot be read"):
        Reading(tmp_path)
