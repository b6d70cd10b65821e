"""The model that is trained on: transformers' own Phi-3, with an adapter put in."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from adapters.architecture import Architecture
from adapters.errors import AdapterError, TrainingError
from adapters.four_bit import load_bitsandbytes
from adapters.lora_files import check_adapter
from adapters.training import attention, product
from adapters.training.config import Method, Precision, TrainingConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Phi3ForCausalLM

# Phi-3's projections are joined. The usual names, q_proj and so on, would be found nowhere.
TARGETS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
_WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"
_TOLD = (
    "peft_type",
    "task_type",
    "base_model_name_or_path",
    "revision",
    "r",
    "lora_alpha",
    "lora_dropout",
    "bias",
    "fan_in_fan_out",
    "init_lora_weights",
    "use_rslora",
    "use_dora",
    "modules_to_save",
    "layers_to_transform",
    "rank_pattern",
    "alpha_pattern",
)


def weights_type(
    method: Method, device: torch.device, precision: Precision = "auto"
) -> torch.dtype:
    """Return the type that a base's weights are kept and computed in, those in NF4 apart.

    What is trained itself is kept in fp32, or small steps would round to none.

    :param precision: auto asks for instructions and takes no time: a resumed run must find
        the same.
    """
    if method == "full" or precision == "fp32":
        return torch.float32
    if precision == "bf16" or _has_bf16(device):
        return torch.bfloat16
    return torch.float32


def _has_bf16(device: torch.device) -> bool:
    """Return whether products in bf16 have instructions of their own; emulated they are slow."""
    if device.type != "cpu":
        return bool(torch.cuda.is_bf16_supported())
    known = torch.cpu.get_capabilities()
    made_for_it = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return made_for_it and any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def load_base(
    folder: Path, method: Method, device: torch.device, precision: Precision = "auto"
) -> "Phi3ForCausalLM":
    """Return a model to train on.

    :param folder: Its files, in safetensors.
    :param method: qlora takes its projections in NF4, their scales rounded too.
    :param precision: See :func:`weights_type`.
    :raises ModelError: When an extra is missing.
    """
    from transformers import BitsAndBytesConfig, Phi3ForCausalLM

    attention.register()
    dtype = weights_type(method, device, precision)
    quantised = None
    if method == "qlora":
        load_bitsandbytes()
        quantised = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    model: Phi3ForCausalLM = Phi3ForCausalLM.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        dtype=dtype,
        quantization_config=quantised,
        attn_implementation=attention.NAME,
        device_map={"": device},
    )
    model.config.use_cache = False
    if quantised is not None:
        for parameter in model.parameters():
            if parameter.is_floating_point():
                # Else the whole file stays mapped behind the few weights that are kept as read.
                parameter.data = parameter.data.clone()
    return model


def add_adapter(
    model: "Phi3ForCausalLM", config: TrainingConfig, architecture: Architecture
) -> "PeftModel":
    """Return the model with an adapter on all of its projections, in fp32: fresh, or begun.

    :raises TrainingError: When not every projection was found, or the adapter to start from
        does not fit.
    """
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(config.seed)
    scale = config.scale
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=int(scale) if scale.is_integer() else scale,  # type: ignore[arg-type]
        target_modules=list(TARGETS),
        bias="none",
    )
    adapted = get_peft_model(model, lora, autocast_adapter_dtype=False)
    in_fp32(adapted)
    if config.start is not None:
        _begin_with(adapted, config.start, config, architecture)
    hit, wanted = product.install(adapted), len(TARGETS) * architecture.layers
    if hit != wanted:
        raise TrainingError(f"{hit} of the model's {wanted} projections were found: report it")
    # A folder's path says nothing on another machine.
    lora.base_model_name_or_path = config.base.name
    lora.revision = config.base.revision
    return adapted


def _begin_with(
    model: "PeftModel", folder: Path, config: TrainingConfig, architecture: Architecture
) -> None:
    """Give a fresh adapter another one's weights."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    try:
        given = check_adapter(folder, architecture)
    except AdapterError as error:
        raise TrainingError(f"cannot start from {folder}: {error}") from None
    wanted = (config.rank, config.scale / config.rank)
    if (given.rank, given.scaling) != wanted:
        raise TrainingError(
            f"cannot start from {folder}: its rank is {given.rank} and its alpha "
            f"{given.scaling * given.rank:g}, those asked for {wanted[0]} and {config.scale:g}"
        )
    set_peft_model_state_dict(model, load_file(folder / _WEIGHTS))


def in_fp32(model: torch.nn.Module) -> None:
    """Keep in fp32 what learns: steps are too small for bf16."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def write_adapter(model: "PeftModel", folder: Path) -> None:
    """Write an adapter in PEFT's own format: its weights and what they are."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    tensors = get_peft_model_state_dict(model, save_embedding_layers=False)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        folder / _WEIGHTS,
        {"format": "pt"},
    )
    known = model.peft_config["default"].to_dict()
    told: dict[str, Any] = {name: known[name] for name in _TOLD}
    told |= {"target_modules": sorted(TARGETS), "inference_mode": True}
    (folder / _CONFIG).write_text(
        json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
