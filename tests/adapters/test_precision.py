"""The choice of a precision: measured once, kept, and within the memory there is."""

import json
from pathlib import Path

import pytest

from adapters import precision
from adapters.architecture import Architecture, architecture_of
from adapters.errors import NotEnoughRoomError
from adapters.memory import check_memory, free_memory, needed_bytes

PHI3_MINI = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "vocab_size": 32064,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
    "original_max_position_embeddings": 4096,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "sliding_window": 2047,
    "torch_dtype": "bfloat16",
}


@pytest.fixture
def small() -> Architecture:
    return architecture_of(
        PHI3_MINI | {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}, "small"
    )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path))


def test_it_is_measured_once_and_kept(
    small: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_WEIGHTS_AT_LEAST", 1)
    first = precision.choose_on_cpu(small, None)
    (kept,) = (tmp_path / "measurements").iterdir()
    assert json.loads(kept.read_text()) == first.seconds
    assert set(first.seconds) >= {"fp32", "bf16"}
    monkeypatch.setattr(precision, "_measure", None)
    assert precision.choose_on_cpu(small, None) == first
    assert first.said.startswith(first.precision)
    kept.write_text("[damaged")
    monkeypatch.setattr(precision, "_measure", lambda architecture: {"fp32": 1.0})
    assert precision.choose_on_cpu(small, None).precision == "fp32"


def test_without_a_cache_it_is_measured_each_time(
    small: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(precision, "_measure", lambda architecture: {"fp32": 1.0, "bf16": 9.0})
    assert precision.choose_on_cpu(small, None).precision == "fp32"


@pytest.mark.parametrize(
    ("seconds", "free", "chosen"),
    [
        ({"fp32": 3.0, "bf16": 9.0, "int8": 1.0}, None, "int8"),
        ({"fp32": 3.0, "bf16": 1.0}, None, "bf16"),
        ({"fp32": 3.0, "bf16": 2.9, "int8": 2.8}, None, "fp32"),
        ({"fp32": 1.0, "bf16": 9.0, "int8": 2.0}, 6 * 10**9, "int8"),
        ({"fp32": 1.0, "bf16": 2.0, "int8": 3.0}, 10**9, "int8"),
    ],
)
def test_the_fastest_that_fits_wins(
    seconds: dict[str, float], free: int | None, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_measure", lambda architecture: seconds)
    model = architecture_of(PHI3_MINI, "phi-3-mini")
    assert precision.choose_on_cpu(model, free).precision == chosen


def test_memory_is_estimated_before_it_is_taken() -> None:
    model = architecture_of(PHI3_MINI, "phi-3-mini")
    assert model.parameters == 3_821_079_552
    in_gb = {kind: needed_bytes(model, kind) / 1e9 for kind in ("fp32", "bf16", "int8", "nf4")}
    assert 15 < in_gb["fp32"] < 18
    assert 7.6 < in_gb["bf16"] < 9
    assert 3.8 < in_gb["int8"] < 6
    assert 4 < in_gb["nf4"] < 5
    assert 3 < needed_bytes(model, "nf4", "cuda") / 1e9 < 4
    with pytest.raises(NotEnoughRoomError, match=r"needs 2\.3 GB of memory and 1\.1 GB are free"):
        check_memory("phi-3-mini", 2_300_000_000, 1_100_000_000)
    check_memory("phi-3-mini", 2_300_000_000, None)
    assert (free_memory() or 1) > 0
