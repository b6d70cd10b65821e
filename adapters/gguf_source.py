"""Read the lab model's GGUF: its tensors as Phi-3 names them, and its tokenizer.

The tensors are dequantised by the ``gguf`` package, as transformers' own GGUF loader does,
so that what comes out is the same to the bit.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_CONTROL_TOKEN = 3


class GgufSource:
    """A GGUF file of the Llama architecture.

    :param path: The file.
    """

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        self._reader = GGUFReader(path)
        self._tensors = {str(tensor.name): tensor for tensor in self._reader.tensors}
        self.layers = int(self.value("llama.block_count"))
        self.heads = int(self.value("llama.attention.head_count"))
        self.kv_heads = int(self.value("llama.attention.head_count_kv"))

    def value(self, key: str) -> Any:
        """Return a value of the file's metadata."""
        field = self._reader.fields[key]
        return field.contents()

    def special_tokens(self) -> dict[int, str]:
        """Return the tokens that stand for themselves, never for text, by id."""
        kinds, tokens = self.value("tokenizer.ggml.token_type"), self.value("tokenizer.ggml.tokens")
        return {i: tokens[i] for i, kind in enumerate(kinds) if kind == _CONTROL_TOKEN}

    def shapes(self) -> list[tuple[str, list[int]]]:
        """Return the names and shapes of what :meth:`tensors` yields, in its order."""
        width, inner = self.value("llama.embedding_length"), self.value("llama.feed_forward_length")
        joined = width + 2 * width // self.heads * self.kv_heads
        named: list[tuple[str, list[int]]] = [
            ("model.embed_tokens.weight", [self.value("llama.vocab_size"), width])
        ]
        for layer in range(self.layers):
            ours = f"model.layers.{layer}"
            named += [
                (f"{ours}.input_layernorm.weight", [width]),
                (f"{ours}.mlp.down_proj.weight", [width, inner]),
                (f"{ours}.mlp.gate_up_proj.weight", [2 * inner, width]),
                (f"{ours}.post_attention_layernorm.weight", [width]),
                (f"{ours}.self_attn.o_proj.weight", [width, width]),
                (f"{ours}.self_attn.qkv_proj.weight", [joined, width]),
            ]
        return [*named, ("model.norm.weight", [width])]

    def tensors(self) -> Iterator[tuple[str, Floats]]:
        """Yield Phi-3's tensors one by one: q, k and v joined, gate and up joined."""
        yield "model.embed_tokens.weight", self._read("token_embd.weight")
        for layer in range(self.layers):
            block, ours = f"blk.{layer}", f"model.layers.{layer}"
            yield f"{ours}.input_layernorm.weight", self._read(f"{block}.attn_norm.weight")
            yield f"{ours}.mlp.down_proj.weight", self._read(f"{block}.ffn_down.weight")
            yield (
                f"{ours}.mlp.gate_up_proj.weight",
                np.concatenate(
                    [self._read(f"{block}.ffn_{part}.weight") for part in ("gate", "up")]
                ),
            )
            yield f"{ours}.post_attention_layernorm.weight", self._read(f"{block}.ffn_norm.weight")
            yield f"{ours}.self_attn.o_proj.weight", self._read(f"{block}.attn_output.weight")
            query = _unpermuted(self._read(f"{block}.attn_q.weight"), self.heads)
            key = _unpermuted(self._read(f"{block}.attn_k.weight"), self.kv_heads)
            value = self._read(f"{block}.attn_v.weight")
            yield f"{ours}.self_attn.qkv_proj.weight", np.concatenate([query, key, value])
        yield "model.norm.weight", self._read("output_norm.weight")

    def _read(self, name: str) -> Floats:
        from gguf import dequantize

        tensor = self._tensors[name]
        values: Floats = dequantize(tensor.data, tensor.tensor_type)
        return values


def _unpermuted(weights: Floats, heads: int) -> Floats:
    """Put a projection's rows as transformers rotates them: halves, where GGUF has pairs."""
    rows, columns = weights.shape
    pairs = weights.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)
