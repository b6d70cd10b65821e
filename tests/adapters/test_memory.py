"""What is free and what a model takes, against what the machine and torch have."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters import memory
from adapters.memory import Precision, free_memory, needed_bytes


def test_a_containers_files_in_memory_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("100000000\n")
    (tmp_path / "memory.current").write_text("95000000\n")
    assert free_memory() == 5_000_000
    (tmp_path / "memory.stat").write_text(
        "anon 25000000\nfile 65000000\nshmem 5000000\ninactive_file 40000000\n"
        "active_file 20000000\n"
    )
    assert free_memory() == 65_000_000


def test_what_torch_holds_of_a_gpu_and_does_not_use_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (1_000, 9_000))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda: 500)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda: 200)
    assert free_memory("cuda") == 1_300


@pytest.mark.parametrize("precision", ["fp32", "bf16", "nf4"])
def test_the_estimate_is_what_is_held(
    precision: Precision, small_model: Callable[[str], tuple[Any, Path]]
) -> None:
    from adapters.base import load_model

    decoder = load_model(str(small_model("plain")[1]), precision=precision, device="cpu").decoder
    shape: Any = decoder.architecture
    head: Any = decoder._head
    held = decoder._embeddings.nbytes + head._weight.nbytes
    held += shape.context_length * decoder.new_cache(1).token_bytes
    projected = shape.projected * memory._BYTES[precision]
    assert needed_bytes(shape, precision) == math.ceil(projected + held) + memory._BESIDE
