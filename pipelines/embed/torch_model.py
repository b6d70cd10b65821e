"""An encoder in torch, as sentence-transformers would build it: the reference of an export.

The only module here that imports torch; it runs in the exporting process alone.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.embed.model_files import read_json
from pipelines.errors import EmbedderError

_LEGACY_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class SentenceEncoder(nn.Module):
    """Token ids to the states of each token, and to one normalised vector a text.

    The states are those after two thirds of the layers, where late interaction reads best
    (SQuAD recall@1 of the same projection: .853 there, .828 after the last layer, which is
    trained to be averaged).

    :param folder: A model in the layout of sentence-transformers, or of transformers alone
        (then its states are averaged, as sentence-transformers does).
    :raises EmbedderError: When it has a part that is not known here.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.body = _load_body(folder)
        self.modes: list[str] = ["mean"]
        self.dense = nn.Sequential()
        listed = folder / "modules.json"
        for module in _modules(listed) if listed.is_file() else ():
            kind, path = str(module["type"]).rpartition(".")[2], folder / str(module["path"])
            if kind == "Pooling":
                self.modes = _pooling_modes(path)
            elif kind == "Dense":
                self.dense.append(_dense(path))
            elif kind not in ("Transformer", "Normalize"):
                raise EmbedderError(f"the model has a {kind} layer, which cannot be exported")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return states [b, t, width] and vectors [b, dimensions]; mask [b, t] is 1 at tokens."""
        output = self.body(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        )
        last, layers = output.last_hidden_state, len(output.hidden_states) - 1
        states = output.hidden_states[round(layers * 2 / 3)]
        pooled = torch.cat([_pool(mode, last, attention_mask) for mode in self.modes], dim=-1)
        return states, nn.functional.normalize(self.dense(pooled), dim=-1)


def _pool(mode: str, states: Tensor, attention_mask: Tensor) -> Tensor:
    # Batches are padded at the end only, so the first token is always a real one.
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    if mode == "cls":
        return states[:, 0]
    if mode == "max":
        return states.masked_fill(mask == 0, -1e9).max(dim=1).values
    if mode == "lasttoken":
        last = (attention_mask.sum(dim=1) - 1).view(-1, 1, 1).expand(-1, 1, states.shape[-1])
        return states.gather(1, last).squeeze(1)
    if mode == "weightedmean":
        mask = mask * attention_mask.cumsum(dim=1).unsqueeze(-1).to(states.dtype)
    count = mask.sum(dim=1)
    return (states * mask).sum(dim=1) / (count.sqrt() if mode == "mean_sqrt_len_tokens" else count)


def _load_body(folder: Path) -> nn.Module:
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **options)
    kind = AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel
    body, loaded = kind.from_pretrained(
        folder,
        config=config,
        use_safetensors=True,
        dtype=torch.float32,
        # Plain operators, which the graph optimiser knows how to fuse.
        attn_implementation="eager",
        output_loading_info=True,
        **options,
    )
    missing = [name for name in loaded["missing_keys"] if "pooler" not in name]
    if missing or loaded["mismatched_keys"]:
        raise EmbedderError(f"the weights do not fit the model ({len(missing)} tensors missing)")
    model: nn.Module = body.eval()
    return model


def _modules(path: Path) -> list[dict[str, Any]]:
    import json

    modules: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return sorted(modules, key=lambda module: int(module["idx"]))


def _pooling_modes(path: Path) -> list[str]:
    config = read_json(path / "config.json")
    modes = config.get("pooling_mode") or [
        mode for key, mode in _LEGACY_POOLING.items() if config.get(key)
    ]
    modes = [modes] if isinstance(modes, str) else list(modes)
    unknown = set(modes) - set(_LEGACY_POOLING.values())
    if unknown or not modes:
        raise EmbedderError(f"the model pools in a way that is not known: {sorted(unknown)}")
    if config.get("include_prompt") is False:
        raise EmbedderError("the model leaves its prompt out of pooling, which is not supported")
    return modes


def _dense(path: Path) -> nn.Module:
    from safetensors.torch import load_file

    config = read_json(path / "config.json")
    weights = path / "model.safetensors"
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    layer = getattr(nn, activation.rpartition(".")[2], None)
    if not activation.startswith("torch.nn.") or layer is None or config.get("use_residual"):
        raise EmbedderError(f"the model's dense layer cannot be exported ({activation})")
    if not weights.is_file():
        raise EmbedderError("the model's dense layer has no safetensors weights")
    linear = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    linear.load_state_dict(
        {name.removeprefix("linear."): tensor for name, tensor in load_file(weights).items()}
    )
    return nn.Sequential(linear, layer())
