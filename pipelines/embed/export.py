"""Export an encoder to ONNX once, and refuse the export when it deviates from torch.

Run as ``python -m pipelines.embed.export MODEL TARGET PRECISION`` by
:func:`export_encoder`, so that torch and its memory never enter the process that indexes.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from adapters import cache
from pipelines.embed.encoder import Encoder, EncoderFacts
from pipelines.embed.model_files import ModelFiles, read_json
from pipelines.errors import EmbedderError

Precision = Literal["fp32", "int8"]
# Part of every entry's name in the cache: raise it when an export would come out different.
RECIPE = "r5"
# Greatest 1 - cosine of a text's vector to torch's: rounding in fp32; int8 is measured as
# harmless to retrieval by benchmarks/encoding.py far below this.
_TOLERANCE: dict[str, float] = {"fp32": 1e-5, "int8": 2e-2}
_SAMPLES = (
    "How many days of annual leave may be carried over into the next year?",
    "torque",
    "The bucket cylinder was rebuilt at 4,300 engine hours; oil was changed and the filter kept.",
    "Straße, naïve café, 東京, Ελλάδα — “quoted” text… and a №7 rotor (±0.5 mm)",
    "def area(radius: float) -> float:\n    return 3.14159 * radius**2",
    "Employee: 1042 | Department: Field Service | Start: 2021-03-15 | Hours per week: 37.5",
    " ".join(["Report the hazard to the supervisor before the machine is started again."] * 9),
    " ".join(["Symptoms usually appear within two days, and most people recover at home."] * 60),
)


def export_encoder(model: ModelFiles, precision: Precision) -> Path:
    """Return the folder of a model's export, made on first use (about 20 seconds).

    :raises EmbedderError: When the model cannot be exported or deviates from torch.
    """

    def make(target: Path) -> None:
        said = run_export(__name__, str(model.folder), str(target), precision)
        if said is not None:
            raise EmbedderError(f"cannot export {model.name}: {said}")

    return cache.entry("encoders", f"{model.digest[:32]}-{precision}-{RECIPE}", make)


def run_export(module: str, *arguments: str) -> str | None:
    """Run an exporting module in a process of its own; return why it failed, or None."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if not done.returncode:
        return None
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return said[-1]


def _export(folder: Path, target: Path, precision: Precision) -> None:
    import torch

    from pipelines.embed.quantise import quantise, sample_texts
    from pipelines.embed.torch_model import SentenceEncoder

    reference = SentenceEncoder(folder).eval()
    example = torch.arange(2, 16).reshape(2, 7), torch.ones(2, 7, dtype=torch.int64)
    with torch.no_grad():
        states, vectors = reference(*example)
    max_length, pad_id = _save_tokenizer(folder, target)
    query_prompt, passage_prompt = _prompts(folder)
    facts = EncoderFacts(
        dimensions=vectors.shape[-1],
        width=states.shape[-1],
        max_length=max_length,
        pad_id=pad_id,
        query_prompt=query_prompt,
        passage_prompt=passage_prompt,
    )
    (target / "encoder.json").write_text(json.dumps(asdict(facts)), encoding="utf-8")
    raw = target / "raw.onnx"
    axes = {0: "texts", 1: "tokens"}
    with torch.no_grad():
        torch.onnx.export(
            reference,
            example,
            str(raw),
            input_names=["input_ids", "attention_mask"],
            output_names=["token_states", "embedding"],
            dynamic_axes={
                "input_ids": axes,
                "attention_mask": axes,
                "token_states": axes,
                "embedding": {0: "texts"},
            },
            opset_version=17,
            dynamo=False,
        )
    if precision == "fp32":
        fuse(raw, target / "model.onnx")
    else:
        fused = target / "fused.onnx"
        fuse(raw, fused)
        quantise(fused, target / "model.onnx", list(sample_texts(target / "tokenizer.json")))
        fused.unlink()
    raw.unlink()


def fuse(raw: Path, target: Path) -> None:
    """Write a graph with BERT's operators fused where that is faster in ONNX Runtime."""
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    # Keeps the projections as products of their own: faster here, and they can be quantised.
    options.use_multi_head_attention = True
    # SkipLayerNormalization takes 26 us of 11 tokens, an Add and LayerNormalization 11; without
    # these a product's bias stands behind it alone, and is taken into it in int8.
    options.enable_skip_layer_norm = False
    options.enable_bias_skip_layer_norm = False
    options.enable_bias_gelu = False
    optimised = optimizer.optimize_model(
        str(raw), model_type="bert", opt_level=0, optimization_options=options
    )
    optimised.save_model_to_file(str(target))


def _save_tokenizer(folder: Path, target: Path) -> tuple[int, int]:
    """Save the tokenizer; return the tokens the model reads and the padding token."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise EmbedderError("the model has no fast tokenizer")
    fast.no_truncation()
    fast.no_padding()
    fast.save(str(target / "tokenizer.json"))
    limits = [tokenizer.model_max_length]
    settings = folder / "sentence_bert_config.json"
    if settings.is_file() and (own := read_json(settings).get("max_seq_length")):
        limits = [own]
    config = read_json(folder / "config.json")
    if positions := config.get("max_position_embeddings"):
        # RoBERTa and its kin number positions from the padding token's id on.
        shifted = config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet")
        limits.append(positions - 2 if shifted else positions)
    pad = tokenizer.pad_token_id
    return min(*limits, 8192), 0 if pad is None else pad


def _prompts(folder: Path) -> tuple[str, str]:
    """Return what the model wants before a question and before a passage."""
    path = folder / "config_sentence_transformers.json"
    prompts = (read_json(path).get("prompts") or {}) if path.is_file() else {}
    passage = next((prompts[k] for k in ("passage", "document", "corpus") if prompts.get(k)), "")
    return prompts.get("query") or "", passage


def _verify(folder: Path, target: Path, precision: Precision) -> None:
    import torch
    from transformers import AutoTokenizer

    from pipelines.embed.torch_model import SentenceEncoder

    reference = SentenceEncoder(folder).eval()
    encoder = Encoder(target, threads=1)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
    worst = 0.0
    for tokens in encoder.encode_states(_SAMPLES):
        batch = tokenizer(
            _SAMPLES[tokens.index],
            truncation=True,
            max_length=encoder.facts.max_length,
            return_tensors="pt",
        )
        if batch["input_ids"][0].tolist() != tokens.token_ids.tolist():
            raise EmbedderError("its tokenizer does not give the tokens it should")
        with torch.no_grad():
            states, vectors = reference(batch["input_ids"], batch["attention_mask"])
        worst = max(worst, 1 - float(tokens.vector @ vectors[0].numpy()))
        worst = max(worst, 1 - float(_cosines(tokens.states, states[0].numpy()).mean()))
    if not worst <= _TOLERANCE[precision]:
        raise EmbedderError(f"the export deviates from torch by {worst:.2g} (cosine)")


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    result: np.ndarray = (a * b).sum(axis=-1) / norms
    return result


if __name__ == "__main__":
    chosen: Precision = "int8" if sys.argv[3] == "int8" else "fp32"
    _export(Path(sys.argv[1]), Path(sys.argv[2]), chosen)
    _verify(Path(sys.argv[1]), Path(sys.argv[2]), chosen)
