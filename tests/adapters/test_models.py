"""Models by name: what is accepted, what is refused, and in which words."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters import hub
from adapters.errors import ModelError, NotEnoughRoomError
from adapters.models import facts_of, find_local, find_model, local_models

Small = Callable[[str], tuple[Any, Path]]


@pytest.fixture
def folder(small_model: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    shutil.copytree(small_model("plain")[1], tmp_path / "model")
    return tmp_path / "model"


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_folder_is_a_model(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Small\n")
    model = find_model(str(folder))
    facts = facts_of(model)
    assert (facts.name, facts.folder, facts.revision) == (str(folder), folder, None)
    assert (facts.context_length, facts.dtype, facts.licence) == (128, "float32", "mit")
    assert facts.bytes > 4 * facts.parameters
    first = model.digest()
    change(folder / "config.json", bos_token_id=5)
    assert model.digest() != first


def test_code_of_a_model_is_not_run(folder: Path) -> None:
    (folder / "modeling_phi3.py").write_text("raise SystemExit('ran')")
    change(
        folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}
    )
    from adapters.base import load_model

    assert load_model(str(folder), precision="fp32", device="cpu").precision == "fp32"


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "LlamaForCausalLM"),
        ({"model_type": "phi4mm"}, "not a Phi3ForCausalLM"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"rope_parameters": None, "rope_scaling": {"type": "llama3"}}, "llama3"),
        ({"quantization_config": {"load_in_4bit": True}}, "quantised already"),
        ({"hidden_size": None}, "not complete"),
        ({"intermediate_size": 97}, "gate_up_proj"),
        ({"num_hidden_layers": 4}, "missing"),
    ],
)
def test_what_is_not_phi3_is_refused(values: dict[str, Any], part: str, folder: Path) -> None:
    change(folder / "config.json", **values)
    with pytest.raises(ModelError, match=part) as caught:
        find_model(str(folder))
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_safetensors_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        find_model(str(folder))
    index = {"weight_map": {"model.norm.weight": "../model/pytorch_model.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="index"):
        find_model(str(folder))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        struct.pack("<Q", 1 << 60) + b"{}",
        b"\x80\x04",
        struct.pack("<Q", 8) + b'{"a": 1}',
    ],
)
def test_damaged_weights_are_explained(content: bytes, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        find_model(str(folder))


def test_a_name_that_is_nothing_is_explained(tmp_path: Path) -> None:
    for name in ("../nowhere", "no folder", "phi-3", ""):
        with pytest.raises(ModelError, match="lab"):
            find_model(name or str(tmp_path / "none"))


def test_without_network_a_hub_id_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    class ConnectError(Exception):
        """As the HTTP library's: no OSError."""

    def unreachable(*args: Any, **options: Any) -> None:
        raise ConnectError

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    with pytest.raises(ModelError, match="without network") as caught:
        find_model("microsoft/Phi-3-mini-4k-instruct")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="expert model use"):
        find_local("microsoft/Phi-3-mini-4k-instruct")


@pytest.fixture
def on_hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that has the model at one revision; gives the calls it gets."""
    import huggingface_hub

    calls: list[str] = []
    snapshot = tmp_path / "hub" / "snapshots" / "abc123"

    def model_info(self: Any, repository: str, **options: Any) -> SimpleNamespace:
        calls.append(f"info {repository} {options['revision']}")
        files = [SimpleNamespace(rfilename=p.name, size=p.stat().st_size) for p in folder.iterdir()]
        return SimpleNamespace(sha="abc123", siblings=files)

    def hf_hub_download(repository: str, name: str, **options: Any) -> str:
        calls.append(f"file {name} {options['revision']}")
        return str(folder / name)

    def snapshot_download(repository: str, **options: Any) -> str:
        if options.get("local_files_only"):
            if not snapshot.is_dir():
                raise FileNotFoundError
            return str(snapshot)
        calls.append(f"fetch {options['revision']}")
        shutil.copytree(folder, snapshot, dirs_exist_ok=True)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hf_hub_download)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_a_model_of_the_hub_is_fetched_once_and_pinned(on_hub: list[str]) -> None:
    model = find_model("owner/small")
    assert (model.name, model.revision) == ("owner/small", "abc123")
    assert on_hub == ["info owner/small None", "file config.json abc123", "fetch abc123"]
    assert find_model("owner/small") == model == find_local("owner/small")
    assert len(on_hub) == 3
    assert [found.name for found in local_models()] == ["owner/small"]


def test_a_model_that_is_too_large_is_not_fetched(
    on_hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=1000)
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda path: free)
    with pytest.raises(NotEnoughRoomError, match="of disk"):
        find_model("owner/small")
    free.free = 10**15
    free_bytes = {"cpu": 1000, "cuda": 1000}
    monkeypatch.setattr(hub, "free_memory", lambda device="cpu": free_bytes[device])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(NotEnoughRoomError, match="of memory"):
        find_model("owner/small")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    with pytest.raises(NotEnoughRoomError, match="of GPU memory"):
        find_model("owner/small")
    assert not any(call.startswith("fetch") for call in on_hub)
    free_bytes["cuda"] = 10**12
    assert find_model("owner/small").revision == "abc123"


def test_what_was_fetched_already_needs_no_room(
    on_hub: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(hub.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda repository, name, revision: str(folder / name) if "safe" in name else None,
    )
    assert find_model("owner/small").revision == "abc123"


def test_a_pin_that_is_damaged_is_written_anew(on_hub: list[str]) -> None:
    find_model("owner/small")
    hub.pin_of("owner/small").write_text("{")
    with pytest.raises(ModelError, match="run `expert model use owner/small`"):
        find_local("owner/small")
    find_model("owner/small")
    assert find_local("owner/small").revision == "abc123"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "the hub has no model owner/small for you (404)"),
        (429, "the hub does not give owner/small now (429): try again later"),
        (503, "the hub does not give owner/small now (503): try again later"),
    ],
)
def test_a_hub_that_is_busy_is_not_one_without_the_model(
    status: int, said: str, on_hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    def refused(*args: Any, **options: Any) -> None:
        response = SimpleNamespace(status_code=status, headers={}, request=None)
        raise HfHubHTTPError("refused", response=response)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refused)
    with pytest.raises(ModelError) as caught:
        find_model("owner/small")
    assert str(caught.value) == said


def test_a_model_of_another_kind_is_not_fetched(on_hub: list[str], folder: Path) -> None:
    change(folder / "config.json", architectures=["LlamaForCausalLM"], model_type="llama")
    with pytest.raises(ModelError, match="choose a Phi-3 model"):
        find_model("owner/small")
    assert not any(call.startswith("fetch") for call in on_hub)


def test_looking_at_models_loads_no_torch(folder: Path) -> None:
    told = (
        "import sys; from adapters.models import facts_of, find_model, local_models;"
        f"facts_of(find_model({str(folder)!r})); local_models(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", told], check=True)
