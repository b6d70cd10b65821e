"""What a model's ``config.json`` says of its shape; anything but Phi-3's own is refused."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.errors import ModelError

_ARCHITECTURE = "Phi3ForCausalLM"


@dataclass(frozen=True, slots=True)
class Rope:
    """How positions are rotated into queries and keys.

    :param width: Numbers of a head that are rotated, from its first.
    :param base: Base of the wavelengths.
    :param short_factors: Divide the frequencies of texts up to ``original_length``; None for 1.
    :param long_factors: Divide those of longer texts.
    :param original_length: Tokens that the model read before it was taught longer texts.
    :param scaling: Multiplies the rotated numbers.
    """

    width: int
    base: float
    short_factors: tuple[float, ...] | None
    long_factors: tuple[float, ...] | None
    original_length: int
    scaling: float


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a ``Phi3ForCausalLM``.

    :param context_length: Tokens that the model reads at most, its answer included.
    :param sliding_window: Tokens that a token sees back from itself; None for all.
    :param tied: Whether the embeddings are the output layer too.
    :param dtype: Name of the type that the weights are published in.
    """

    vocabulary: int
    width: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    epsilon: float
    rope: Rope
    context_length: int
    sliding_window: int | None
    tied: bool
    dtype: str

    @property
    def qkv(self) -> int:
        """Rows of the joined query, key and value projection."""
        return (self.heads + 2 * self.kv_heads) * self.head_width

    def projections(self) -> dict[str, tuple[int, int]]:
        """Return the shape, outputs and inputs, of each projection of a layer."""
        return {
            "self_attn.qkv_proj": (self.qkv, self.width),
            "self_attn.o_proj": (self.width, self.heads * self.head_width),
            "mlp.gate_up_proj": (2 * self.inner, self.width),
            "mlp.down_proj": (self.width, self.inner),
        }

    @property
    def projected(self) -> int:
        """Weights in the projections of all layers."""
        return self.layers * sum(rows * columns for rows, columns in self.projections().values())

    @property
    def parameters(self) -> int:
        """Weights in all, those of tied embeddings counted once."""
        norms = (2 * self.layers + 1) * self.width
        return self.projected + norms + (1 if self.tied else 2) * self.vocabulary * self.width


def read_architecture(folder: Path) -> Architecture:
    """Return the architecture of the model in a folder.

    :raises ModelError: When there is none, or when it is not a plain ``Phi3ForCausalLM``.
    """
    return architecture_of(read_json(folder / "config.json"), folder.name)


def architecture_of(config: dict[str, Any], name: str) -> Architecture:
    """Return the architecture that a configuration describes. See :func:`read_architecture`.

    :param config: Content of ``config.json``.
    :param name: What the model is called in errors.
    """
    found = config.get("architectures") or [config.get("model_type", "nothing")]
    if _ARCHITECTURE not in found or config.get("model_type") != "phi3":
        raise ModelError(f"{name} is a {found[0]}, not a {_ARCHITECTURE}: choose a Phi-3 model")
    if config.get("quantization_config"):
        raise ModelError(f"{name} is quantised already: choose the model with its full weights")
    try:
        if config.get("hidden_act", "silu") != "silu":
            raise ModelError(f"{name} has an activation that is not known: {config['hidden_act']}")
        heads = int(config["num_attention_heads"])
        width = int(config["hidden_size"])
        head_width = int(config.get("head_dim") or width // heads)
        return Architecture(
            vocabulary=int(config["vocab_size"]),
            width=width,
            inner=int(config["intermediate_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_width=head_width,
            epsilon=float(config.get("rms_norm_eps", 1e-5)),
            rope=_rope(config, head_width, name),
            context_length=int(config["max_position_embeddings"]),
            sliding_window=int(config["sliding_window"]) if config.get("sliding_window") else None,
            tied=bool(config.get("tie_word_embeddings", False)),
            dtype=str(config.get("dtype") or config.get("torch_dtype") or "float32"),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(f"{name}: config.json is not complete ({error!r})") from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file of a model.

    :raises ModelError: When there is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else "is unreadable"
        raise ModelError(f"not a model folder: {path} {reason}") from error
    if not isinstance(content, dict):
        raise ModelError(f"not a model folder: {path} holds no object")
    return content


def _rope(config: dict[str, Any], head_width: int, name: str) -> Rope:
    # Older configurations name it rope_scaling, with the base beside it.
    given = dict(config.get("rope_scaling") or config.get("rope_parameters") or {})
    kind = given.get("rope_type", given.get("type", "default"))
    if kind not in ("default", "longrope", "su", "yarn"):
        raise ModelError(f"{name} rotates positions in a way that is not known: {kind}")
    share = given.get("partial_rotary_factor", config.get("partial_rotary_factor") or 1.0)
    base = float(given.get("rope_theta", config.get("rope_theta") or 10_000.0))
    longest = int(config["max_position_embeddings"])
    # Phi-3's own default where the configuration leaves it out.
    original = int(config.get("original_max_position_embeddings") or 4096)
    width = int(head_width * float(share))
    if kind == "default":
        return Rope(width, base, None, None, original, 1.0)
    short, long = (tuple(map(float, given[f"{which}_factor"])) for which in ("short", "long"))
    if not len(short) == len(long) == width // 2:
        raise ModelError(f"{name}: config.json has {len(short)} rope factors, not {width // 2}")
    factor = float(given.get("factor") or longest / original)
    scaling = given.get("attention_factor")
    if scaling is None:
        scaling = 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(original))
    return Rope(width, base, short, long, original, float(scaling))
