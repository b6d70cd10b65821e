"""Adapters with random weights for small models, in PEFT's format."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from adapters.architecture import Architecture
from adapters.lora_files import CONFIG, TARGETS, WEIGHTS, weight_shapes


def write_adapter(
    folder: Path, architecture: Architecture, seed: int, rank: int = 2, scale: float = 0.3
) -> Path:
    """Write an adapter that changes what a model says; return its folder."""
    drawn = torch.Generator().manual_seed(seed)
    tensors = {
        name: torch.randn(shape, generator=drawn) * scale
        for name, shape in weight_shapes(architecture, rank).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": list(TARGETS),
        "bias": "none",
    }
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return folder
