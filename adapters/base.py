"""Load a language model: in a precision that suits the machine, and only if it fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from adapters.architecture import Architecture, read_architecture, read_json
from adapters.chat_markup import ChatMarkup
from adapters.decoder import Decoder, Layer
from adapters.errors import ModelError
from adapters.four_bit import load_bitsandbytes
from adapters.lab import Progress
from adapters.memory import Precision, check_memory, free_memory, gigabytes, needed_bytes
from adapters.models import ModelFiles, find_model
from adapters.precision import choose_on_cpu
from adapters.projections import (
    FloatProjection,
    Int8Projection,
    Nf4Projection,
    Projection,
    int8_is_available,
)
from adapters.weights import Weights, to_type

Device = Literal["auto", "cpu", "cuda"]
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# End a turn in the markups that Phi-3's kin and the lab model use.
_TURN_ENDS = ("<|end|>", "<|im_end|>", "<|endoftext|>")


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model that is loaded.

    :param files: Where it came from.
    :param decoder: Computes.
    :param markup: Its tokenizer and chat template.
    :param end_tokens: Tokens that end an answer.
    :param bias: What is added to the logits of tokens, as the model's publisher says.
    :param precision: How its weights are kept.
    :param said: Why they are kept so, as a sentence for people.
    """

    files: ModelFiles
    decoder: Decoder
    markup: ChatMarkup
    end_tokens: frozenset[int]
    bias: Mapping[int, float]
    precision: Precision
    said: str

    @property
    def context_length(self) -> int:
        """Tokens that the model reads at most, its answer included."""
        return self.decoder.architecture.context_length

    @property
    def device(self) -> str:
        """Where it runs: cpu or cuda."""
        return self.decoder.device.type


def load_model(
    name: str | ModelFiles,
    *,
    precision: Precision | Literal["auto"] = "auto",
    device: Device = "auto",
    progress: Progress | None = None,
) -> LanguageModel:
    """Load a model.

    :param name: "lab", a folder or a hub id; or files that were found before.
    :param precision: How its weights are kept; auto takes what is fastest on this CPU by
        measurement, or the best that fits on a GPU.
    :param device: auto takes a GPU where there is one.
    :param progress: Told how far building the lab model has come, if it has to be built.
    :raises ModelError: When it cannot be found or loaded.
    :raises NotEnoughRoomError: When it does not fit into memory.
    """
    files = name if isinstance(name, ModelFiles) else find_model(name, progress=progress)
    architecture = read_architecture(files.folder)
    chosen_device = choose_device(device)
    free = free_memory(chosen_device.type)
    if precision != "auto":
        chosen, said = precision, f"{precision}, as asked for."
    elif chosen_device.type == "cpu":
        choice = choose_on_cpu(architecture, free)
        chosen, said = choice.precision, choice.said
    else:
        chosen, said = _choose_on_gpu(architecture, free)
    if chosen == "int8" and (chosen_device.type != "cpu" or not int8_is_available()):
        raise ModelError("int8 runs on x86 processors only: choose another precision")
    where = "memory" if chosen_device.type == "cpu" else "GPU memory"
    needed = needed_bytes(architecture, chosen, chosen_device.type)
    check_memory(f"{files.name} in {chosen}", needed, free, where)
    decoder = build_decoder(files.folder, architecture, chosen, chosen_device)
    markup = ChatMarkup(files.folder)
    return LanguageModel(
        files=files,
        decoder=decoder,
        markup=markup,
        end_tokens=_end_tokens(files, markup),
        bias=_bias(files, architecture),
        precision=chosen,
        said=said,
    )


def build_decoder(
    folder: Path, architecture: Architecture, precision: Precision, device: torch.device
) -> Decoder:
    """Return a decoder, its weights read and converted one at a time.

    :param folder: The model's.
    :param architecture: What its configuration says.
    :param precision: How they are kept; rounded ones compute in fp32 on a CPU, in bf16 on
        a GPU.
    :raises ModelError: When weights are missing.
    """
    weights = Weights(folder)
    dtype = _TYPES.get(precision, torch.float32 if device.type == "cpu" else torch.bfloat16)
    make = _maker(precision, dtype, device)
    table = (architecture.vocabulary, architecture.width)
    norm = (architecture.width,)

    def projection(name: str, shape: tuple[int, ...]) -> Projection:
        return make(weights.read(f"{name}.weight", shape))

    def plain(name: str, shape: tuple[int, ...]) -> Tensor:
        return to_type(weights.read(f"{name}.weight", shape), dtype, device)

    layers = []
    shapes = architecture.projections()
    for number in range(architecture.layers):
        at = f"model.layers.{number}"
        made = {place: projection(f"{at}.{place}", shape) for place, shape in shapes.items()}
        layers.append(
            Layer(
                before_attention=plain(f"{at}.input_layernorm", norm),
                qkv=made["self_attn.qkv_proj"],
                out=made["self_attn.o_proj"],
                before_inner=plain(f"{at}.post_attention_layernorm", norm),
                gate_up=made["mlp.gate_up_proj"],
                down=made["mlp.down_proj"],
            )
        )
    head = "model.embed_tokens" if architecture.tied else "lm_head"
    if precision == "int8":
        # Looking up some rows of the file is nothing; a copy in fp32 would cost its memory.
        # Mapped anew: what was read so far is let go with the first mapping.
        embeddings = Weights(folder).read("model.embed_tokens.weight", table)
        output = projection(head, table)
    else:
        embeddings = plain("model.embed_tokens", table)
        own = embeddings if architecture.tied else plain(head, table)
        output = FloatProjection(own)
    return Decoder(
        architecture,
        embeddings=embeddings,
        layers=layers,
        norm=plain("model.norm", norm),
        head=output,
        device=device,
        dtype=dtype,
    )


def _maker(
    precision: Precision, dtype: torch.dtype, device: torch.device
) -> Callable[[Tensor], Projection]:
    if precision == "int8":
        return Int8Projection
    if precision == "nf4":
        load_bitsandbytes()
        return lambda weight: Nf4Projection(to_type(weight, dtype, device))
    return lambda weight: FloatProjection(to_type(weight, dtype, device))


def choose_device(asked: Device) -> torch.device:
    """Return the device to run on: for auto a GPU where there is one.

    :raises ModelError: When a GPU is asked for and there is none.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise ModelError("no GPU can be used here: set device to cpu or auto")
    on_gpu = asked == "cuda" or (asked == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if on_gpu else "cpu")


def _choose_on_gpu(architecture: Architecture, free: int | None) -> tuple[Precision, str]:
    """Take the most exact precision that fits, with room for several rows."""
    needed = needed_bytes(architecture, "bf16")
    room = f"{gigabytes(free or 0)} of GPU memory are free"
    if free is None or needed * 1.2 < free:
        kind: Precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        return kind, f"{kind}: {room} and it needs {gigabytes(needed)}."
    return "nf4", f"nf4: {room}, and 16 bits would need {gigabytes(needed * 1.2)}."


def _end_tokens(files: ModelFiles, markup: ChatMarkup) -> frozenset[int]:
    found: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        path = files.folder / name
        given = read_json(path).get("eos_token_id") if path.is_file() else None
        found |= set(given) if isinstance(given, list) else {given} - {None}  # type: ignore[arg-type]
    found |= {token for word in _TURN_ENDS if (token := markup.special_id(word)) is not None}
    return frozenset(found)


def _bias(files: ModelFiles, architecture: Architecture) -> dict[int, float]:
    """Return transformers' ``sequence_bias``, whose sequences must be of one token each."""
    path = files.folder / "generation_config.json"
    given = read_json(path).get("sequence_bias") if path.is_file() else None
    try:
        found = {token: float(value) for (token,), value in given or ()}
    except (TypeError, ValueError):
        found = {-1: 0.0}
    if not all(0 <= token < architecture.vocabulary for token in found):
        raise ModelError(
            f"{path}: sequence_bias is not understood: give [[token], number] for each, or none"
        )
    return found
