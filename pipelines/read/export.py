"""Export the reader to ONNX once: the encoder's word embeddings, the trained layers, int8.

Run as ``python -m pipelines.read.export TARGET`` by :func:`export_reader`, so that torch
never enters the process that answers.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any

from adapters import cache
from pipelines.embed.export import run_export
from pipelines.embed.model_files import find_model
from pipelines.errors import ReaderError

WEIGHTS = Path(__file__).parents[1] / "weights" / "reader.safetensors"
# Part of the entry's name in the cache: raise it when an export would come out different.
_RECIPE = "r2"
# Least correlation of an export's scores with torch's.
_AGREEMENT = 0.97
_SAMPLES = (
    ("How long is annual leave?", "Annual leave\nStaff have 20 days of leave. It may be carried."),
    ("who leads the team", "The pump was repaired on 3 May. Cost: 402.50 | Asset: D"),
    ("What is the capital of France?", "Symptoms appear within two days, and most recover."),
)


def export_reader() -> Path:
    """Return the folder of the reader's export, made on first use (about 20 seconds).

    :raises ReaderError: When it cannot be exported, or deviates from torch.
    """
    model = find_model("minilm")
    weights = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()

    def make(target: Path) -> None:
        said = run_export(__name__, str(target))
        if said is not None:
            raise ReaderError(f"cannot export the reader: {said}")

    return cache.entry("readers", f"{model.digest[:16]}-{weights[:16]}-{_RECIPE}", make)


def _export(target: Path) -> None:
    import torch
    from tokenizers import Tokenizer

    from pipelines.embed.export import fuse
    from pipelines.embed.quantise import quantise, sample_texts
    from pipelines.read.torch_reader import load_reader

    folder = find_model("minilm").folder
    reader = load_reader(folder, WEIGHTS)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(target / "tokenizer.json"))
    example = torch.arange(2, 16).reshape(2, 7), torch.ones(2, 7, dtype=torch.int64)
    axes = {0: "texts", 1: "tokens"}
    raw, fused = target / "raw.onnx", target / "fused.onnx"
    with torch.no_grad():
        torch.onnx.export(
            reader,
            example,
            str(raw),
            input_names=["input_ids", "attention_mask"],
            output_names=["scores"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "scores": axes},
            opset_version=17,
            dynamo=False,
        )
    fuse(raw, fused)
    quantise(fused, target / "model.onnx", list(sample_texts(target / "tokenizer.json")))
    raw.unlink()
    fused.unlink()
    _verify(reader, target, tokenizer)


def _verify(reader: Any, target: Path, tokenizer: Any) -> None:
    import numpy as np
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(target / "model.onnx"))
    theirs, ours = [], []
    for question, text in _SAMPLES:
        ids = np.array([tokenizer.encode(question, text).ids], dtype=np.int64)
        mask = np.ones_like(ids)
        (scores,) = session.run(["scores"], {"input_ids": ids, "attention_mask": mask})
        ours.append(scores.ravel())
        with torch.no_grad():
            reference = reader(torch.from_numpy(ids), torch.from_numpy(mask))
        theirs.append(reference.numpy().ravel())
    agreement = np.corrcoef(np.concatenate(ours), np.concatenate(theirs))[0, 1]
    if not agreement >= _AGREEMENT:
        raise ReaderError(f"the export deviates from torch: correlation {agreement:.3f}")


if __name__ == "__main__":
    _export(Path(sys.argv[1]))
