"""LoRA adapters on disk, in PEFT's own format: what they say and hold, looked at without torch."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.architecture import Architecture
from adapters.errors import AdapterError, ModelError
from adapters.weight_files import header_of

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TARGETS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
_TYPES = ("F32", "F16", "BF16")
MOST_ALPHA = 1e9
# What changes nothing in how an adapter computes, whatever it says.
_UNUSED = {
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "eva_config",
    "inference_mode",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
}
_READ = {"peft_type", "task_type", "r", "lora_alpha", "use_rslora", "target_modules", "bias"}
# Other ways to begin a training change the base model too, which the adapter does not hold.
_PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """What an adapter's configuration says.

    :param rank: Width of its matrices.
    :param scaling: What their product is multiplied by.
    """

    rank: int
    scaling: float


def read_config(folder: Path) -> LoraConfig:
    """Return what an adapter's ``adapter_config.json`` says.

    :raises AdapterError: When it is missing or asks for anything but plain LoRA on the four
        projections of Phi-3.
    """
    name = folder.name
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdapterError(f"{folder} is no adapter: it has no {CONFIG}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(f"{name}: {CONFIG} is unreadable: {error}") from error
    if not isinstance(config, dict):
        raise AdapterError(f"{name}: {CONFIG} holds no object")
    if config.get("peft_type") != "LORA":
        raise AdapterError(f"{name} is {config.get('peft_type')!r}: only LORA adapters are served")
    if config.get("task_type") not in (None, "CAUSAL_LM"):
        raise AdapterError(f"{name} is for {config['task_type']!r}, not for CAUSAL_LM")
    if config.get("bias", "none") != "none":
        raise AdapterError(f"{name} trains biases, which Phi-3 has none of: use bias none")
    if config.get("init_lora_weights") not in _PLAIN_STARTS:
        start = config["init_lora_weights"]
        raise AdapterError(f"{name} began as {start!r}, which changes the base model: convert it")
    known = _UNUSED | _READ | {"init_lora_weights"}
    for key, value in config.items():
        if value and key not in known:
            raise AdapterError(f"{name} uses {key}, which is not served: train it as plain LoRA")
    targets = config.get("target_modules")
    if not isinstance(targets, list) or sorted(map(str, targets)) != sorted(TARGETS):
        raise AdapterError(
            f"{name} adapts {_said(targets)} instead of Phi-3's joined projections: "
            f"train it on {', '.join(TARGETS)}"
        )
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise AdapterError(f"{name}: r is {rank!r} in {CONFIG}, not a rank")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not abs(alpha) < MOST_ALPHA:
        raise AdapterError(f"{name}: lora_alpha is {alpha!r} in {CONFIG}, not a number")
    return LoraConfig(rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))


def weight_shapes(architecture: Architecture, rank: int) -> dict[str, tuple[int, int]]:
    """Return the shape of each of an adapter's tensors, A then B, layer by layer."""
    shapes = {}
    for layer in range(architecture.layers):
        for place, (outputs, inputs) in architecture.projections().items():
            at = f"base_model.model.model.layers.{layer}.{place}"
            shapes[f"{at}.lora_A.weight"] = rank, inputs
            shapes[f"{at}.lora_B.weight"] = outputs, rank
    return shapes


def check_adapter(folder: Path, architecture: Architecture) -> LoraConfig:
    """Check that an adapter is one for models of a shape, without reading its weights.

    :raises AdapterError: When its configuration is not plain LoRA, or when its tensors are
        not those of the four projections of every layer.
    """
    config = read_config(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise AdapterError(f"{folder} has no {WEIGHTS} (pickled weights are never loaded)")
    try:
        header = header_of(path)
    except ModelError as error:
        raise AdapterError(str(error)) from error
    check_tensors(folder.name, header, architecture, config)
    return config


def check_tensors(
    name: str, header: dict[str, Any], architecture: Architecture, config: LoraConfig
) -> None:
    """Check an adapter's tensors. See :func:`check_adapter`.

    :param header: Of its weights' file.
    """
    shapes = weight_shapes(architecture, config.rank)
    found = {key: entry for key, entry in header.items() if key != "__metadata__"}
    for key in found:
        if key not in shapes:
            layers = architecture.layers
            raise AdapterError(f"{name} has {key}: it is not for a model of {layers} such layers")
    for key, shape in shapes.items():
        entry = found.get(key)
        if entry is None:
            raise AdapterError(
                f"{name} has no {key}: it adapts {_hits(found)} of the model's "
                f"{_hits(shapes)} projections"
            )
        if entry.get("shape") != list(shape):
            raise AdapterError(f"{name}: {key} is {entry.get('shape')}, not {list(shape)}")
        if entry.get("dtype") not in _TYPES:
            raise AdapterError(f"{name}: {key} holds {entry.get('dtype')}, not weights")


def _hits(tensors: dict[str, Any]) -> int:
    return sum(key.endswith(".lora_B.weight") for key in tensors)


def _said(targets: Any) -> str:
    return ", ".join(sorted(map(str, targets))) if isinstance(targets, list) else repr(targets)
