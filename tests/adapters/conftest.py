"""Small models of Phi-3's shape with random weights, and the lab model, built once a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0 + 0.1 * i for i in range(8)],
    "long_factor": [2.0 + i for i in range(8)],
}
# Of Phi-3-mini-4k (sliding window), Phi-3-mini-128k (longrope), Phi-3-medium (shared keys)
# and Phi-4-mini (all of it, part of a head rotated, tied embeddings), small.
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "shared keys": {"num_key_value_heads": 2},
    "sliding window": {"sliding_window": 7},
    "longrope": {"rope_parameters": LONGROPE, "original_max_position_embeddings": 32},
    "phi-4": {
        "num_key_value_heads": 1,
        "sliding_window": 30,
        "tie_word_embeddings": True,
        "original_max_position_embeddings": 32,
        "rope_parameters": {
            **LONGROPE,
            "partial_rotary_factor": 0.5,
            "short_factor": [1.1] * 4,
            "long_factor": [3.0] * 4,
        },
    },
}


@pytest.fixture(scope="session")
def lab() -> Path:
    """The lab model's folder."""
    from adapters.lab import lab_model

    return lab_model()


@pytest.fixture(scope="session")
def bare_lab() -> Path:
    """The lab model's folder, as it was before it was taught to read."""
    from adapters.lab import lab_model

    return lab_model(bare=True)


def write_tokenizer(folder: Path) -> int:
    """Write a tokenizer of bytes with ChatML's tokens; return the size of its vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {word: i for i, word in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"chat_template": CHATML, "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return len(vocabulary)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, Path]]:
    """Make a small model of a shape; gives transformers' model and the folder it is saved in."""
    made: dict[str, tuple[Any, Path]] = {}

    def make(shape: str) -> tuple[Any, Path]:
        if shape not in made:
            import torch
            from transformers import Phi3Config, Phi3ForCausalLM

            folder = tmp_path_factory.mktemp("model")
            size = write_tokenizer(folder)
            config = Phi3Config(
                **{
                    "vocab_size": size,
                    "hidden_size": 64,
                    "intermediate_size": 96,
                    "num_hidden_layers": 3,
                    "num_attention_heads": 4,
                    "num_key_value_heads": 4,
                    "max_position_embeddings": 128,
                    "original_max_position_embeddings": 128,
                    "bos_token_id": 0,
                    "eos_token_id": 2,
                    "pad_token_id": 0,
                    # Larger than trained ones, so that tokens differ by more than rounding.
                    "initializer_range": 0.2,
                    **SHAPES[shape],
                }
            )
            torch.manual_seed(7)
            model = Phi3ForCausalLM(config).eval()
            model.save_pretrained(folder)
            made[shape] = model, folder
        return made[shape]

    return make
