"""Speed of encoding beside sentence-transformers, and what int8 costs retrieval.

    python benchmarks/encoding.py --squad train-v1.1.json.gz
    python benchmarks/encoding.py --quick

Sentences of about 30 tokens; both sides sort by length and use the same threads, in turns.
Speed is by wall time (`vs_sentence_transformers`, the median of the rounds) and by
processor time (`cpu_vs_sentence_transformers`), which other load disturbs less.
"""

import argparse
import gzip
import json
import os
import random
import re
import statistics
import time
from pathlib import Path

import numpy as np
from report import report

from pipelines.embed.encoder import Encoder
from pipelines.embed.export import export_encoder
from pipelines.embed.model_files import find_model

EXAMPLES = Path(__file__).parents[1] / "examples"
_HELD_OUT_ARTICLES = 35


def squad(path: Path) -> tuple[list[str], list[str], list[tuple[str, int]]]:
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
    with opened as file:
        articles = json.load(file)["data"]
    random.Random(7).shuffle(articles)
    paragraphs, questions = [], []
    for article in articles[:_HELD_OUT_ARTICLES]:
        for paragraph in article["paragraphs"]:
            questions += [(asked["question"], len(paragraphs)) for asked in paragraph["qas"]]
            paragraphs.append(paragraph["context"])
    others = [p["context"] for a in articles[_HELD_OUT_ARTICLES:] for p in a["paragraphs"]]
    return others, paragraphs, questions


def sentences_of(texts: list[str], encoder: Encoder, count: int) -> list[str]:
    found = [s for text in texts for s in re.split(r"(?<=[.!?])\s+", text)]
    random.Random(1).shuffle(found)
    found = found[: count * 8]
    return [s for s, n in zip(found, encoder.count_tokens(found), strict=True) if 18 <= n <= 40][
        :count
    ]


def retrieval(passages: np.ndarray, questions: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    similar = questions @ passages.T
    rank = (similar > similar[np.arange(len(gold)), gold][:, None]).sum(axis=1)
    figures = {f"recall_at_{k}": float((rank < k).mean()) for k in (1, 5, 20)}
    return figures | {"mrr": float((1 / (rank + 1)).mean())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--squad", type=Path, help="SQuAD 1.1 training data, JSON or gzipped")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--quick", action="store_true", help="fewer sentences and questions")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = find_model(arguments.model)
    figures: dict[str, float | int] = {}
    encoders = {}
    for precision in ("fp32", "int8"):
        folder = export_encoder(model, precision)
        started = time.perf_counter()
        encoders[precision] = Encoder(folder, threads=arguments.threads)
        figures[f"{precision}_load_ms"] = (time.perf_counter() - started) * 1e3

    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(arguments.threads)
    rival = SentenceTransformer(str(model.folder), device="cpu")
    if arguments.squad:
        others, paragraphs, asked = squad(arguments.squad)
    else:
        others = [
            " ".join(part.split())
            for path in sorted(EXAMPLES.rglob("*.md"))
            for part in path.read_text(encoding="utf-8").split("\n\n")
        ]
        paragraphs, asked = [], []
    texts = sentences_of(others, encoders["fp32"], 300 if arguments.quick else 1200)
    figures["sentences"] = len(texts)
    figures["tokens_per_sentence"] = float(np.mean(encoders["fp32"].count_tokens(texts))) + 2
    runs = {
        "sentence_transformers": lambda: rival.encode(texts, batch_size=32),
        "fp32": lambda: encoders["fp32"].encode(texts),
        "int8": lambda: encoders["int8"].encode(texts),
    }
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(3 if arguments.quick else 5):
        for name, run in runs.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - used)
    for name in runs:
        figures[f"{name}_per_s"] = len(texts) / min(wall[name])
    for name, key in (("fp32", "fp32_vs"), ("int8", "vs")):
        ratios = [a / b for a, b in zip(wall["sentence_transformers"], wall[name], strict=True)]
        figures[f"{key}_sentence_transformers"] = statistics.median(ratios)
    figures["cpu_vs_sentence_transformers"] = min(cpu["sentence_transformers"]) / min(cpu["int8"])
    exact = runs["sentence_transformers"]()
    for precision in ("fp32", "int8"):
        cosines = (exact * runs[precision]()).sum(axis=1)
        figures[f"{precision}_cosine_mean"] = float(cosines.mean())
        figures[f"{precision}_cosine_least"] = float(cosines.min())
        taken = []
        for text in texts[:200]:
            started = time.perf_counter()
            encoders[precision].encode_query(text)
            taken.append((time.perf_counter() - started) * 1e3)
        for share in (50, 95):
            figures[f"{precision}_question_p{share}_ms"] = float(np.percentile(taken, share))
    if paragraphs:
        if arguments.quick:
            paragraphs = paragraphs[:200]
        asked = [(text, at) for text, at in asked if at < len(paragraphs)]
        asked = random.Random(2).sample(asked, min(len(asked), 4000))
        gold = np.array([at for _, at in asked])
        found = {}
        for precision, encoder in encoders.items():
            passages = encoder.encode(paragraphs)
            questions = encoder.encode([text for text, _ in asked])
            found[precision] = retrieval(passages, questions, gold)
            figures |= {f"{precision}_{key}": value for key, value in found[precision].items()}
        figures["greatest_retrieval_loss"] = max(
            found["fp32"][key] - found["int8"][key] for key in found["fp32"]
        )
    report("Encoding", figures, arguments.json)


if __name__ == "__main__":
    main()
