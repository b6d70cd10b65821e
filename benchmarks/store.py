"""The embedded store beside Haystack's InMemoryDocumentStore, LanceDB and FAISS.

    python benchmarks/store.py --quick
    python benchmarks/store.py --json store.json --text wiki.jsonl.gz

Writes documents of about 100 words with random unit vectors and metadata, then asks for 50
by vector, by keywords, by both, and by both among a tenth of the documents. Words are
drawn from a Zipf distribution; ``--text`` takes real ones from JSON lines with ``text``.
FAISS has vectors only. What is not installed is left out by name (extra ``bench``).
``--kills N`` also kills a writing process N times and looks for what was lost.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import pipelines  # noqa: F401 - before Haystack, whose telemetry it turns off

# isort: split
from haystack import Document

from pipelines.retrieve import HybridRetriever
from pipelines.stores.sqlite import SqliteDocumentStore

DIMENSION = 384
TOP_K = 50
WORDS = 100
BATCH = 1_000
TENTH = {"field": "meta.part", "operator": "==", "value": 3}

Figures = dict[str, float]


def texts_of(path: Path | None, count: int) -> list[str]:
    if path is None:
        chance = np.random.default_rng(0)
        syllables = [a + b for a in "bcdfghklmnprstvz" for b in "aeiou"]
        names = ["".join(chance.choice(syllables, chance.integers(1, 5))) for _ in range(60_000)]
        share = 1 / (np.arange(len(names)) + 2.7)
        lengths = chance.integers(WORDS // 2, WORDS * 3 // 2, count)
        drawn = chance.choice(len(names), int(lengths.sum()), p=share / share.sum())
        ends = np.cumsum(lengths)
        return [
            " ".join(names[n] for n in drawn[end - length : end])
            for end, length in zip(ends, lengths, strict=True)
        ]
    texts: list[str] = []
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            words = json.loads(line)["text"].split()
            texts += [
                " ".join(words[n : n + WORDS]) for n in range(0, len(words) - WORDS // 2, WORDS)
            ]
            if len(texts) >= count:
                return texts[:count]
    sys.exit(f"{path} has {len(texts)} passages of {WORDS} words; {count} are needed")


def documents_of(texts: list[str], vectors: np.ndarray) -> Iterator[list[Document]]:
    for start in range(0, len(texts), BATCH):
        yield [
            Document(
                id=f"{n:032x}",
                content=texts[n],
                embedding=vectors[n].tolist(),
                meta={"document": f"folder/{n // 20}.md", "part": n % 10, "start": n * 7},
            )
            for n in range(start, min(start + BATCH, len(texts)))
        ]


def questions_of(texts: list[str], vectors: np.ndarray, count: int) -> list[tuple[str, np.ndarray]]:
    chance = random.Random(1)
    noise = np.random.default_rng(1)
    found = []
    for number in chance.sample(range(len(texts)), count):
        words = texts[number].split()
        near = vectors[number] + noise.standard_normal(DIMENSION, np.float32) / 20
        found.append((" ".join(chance.sample(words, min(9, len(words)))), near))
    return found


def quantiles(ask: Callable[..., Any], questions: list[tuple[str, np.ndarray]]) -> Figures:
    taken = []
    for question in questions:
        start = time.perf_counter()
        ask(*question)
        taken.append((time.perf_counter() - start) * 1_000)
    return {"p50": float(np.percentile(taken, 50)), "p95": float(np.percentile(taken, 95))}


def timed(name: str, found: Figures, asks: dict[str, Callable[..., Any]], questions: Any) -> None:
    for kind, ask in asks.items():
        for key, value in quantiles(ask, questions).items():
            found[f"{kind}_{key}_ms"] = value
    shown = "  ".join(f"{key} {value:,.4g}" for key, value in found.items())
    print(f"{name}: {shown}", flush=True)


def asks_of(store: Any) -> dict[str, Callable[..., Any]]:
    retriever = HybridRetriever(store, candidates=TOP_K)
    return {
        "vector": lambda _, v: store.embedding_retrieval(v.tolist(), top_k=TOP_K),
        "bm25": lambda text, _: store.bm25_retrieval(text, top_k=TOP_K),
        "hybrid": lambda text, v: retriever.run(text, v.tolist()),
        "filtered": lambda text, v: retriever.run(text, v.tolist(), filters=TENTH),
    }


def ours(texts: list[str], vectors: np.ndarray, questions: Any, folder: Path) -> Figures:
    path = folder / "ours.sqlite"
    store = SqliteDocumentStore(path)
    written = 0.0
    for batch in documents_of(texts, vectors):
        start = time.perf_counter()
        store.write_documents(batch)
        written += time.perf_counter() - start
    store.close()
    found = {"write_docs_per_s": len(texts) / written, "disk_mb": path.stat().st_size / 1e6}
    start = time.perf_counter()
    store = SqliteDocumentStore(path)
    store.embedding_retrieval(questions[0][1].tolist(), top_k=TOP_K)
    found["reopen_s"] = time.perf_counter() - start

    asks = asks_of(store)
    # The first questions find nothing in memory and are reported apart.
    timed("  first questions", {}, {"bm25": asks["bm25"]}, questions[:20])
    timed("ours", found, asks, questions)
    store.close()
    return found


def in_memory(texts: list[str], vectors: np.ndarray, questions: Any, folder: Path) -> Figures:
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore(return_embedding=False)
    written = 0.0
    for batch in documents_of(texts, vectors):
        start = time.perf_counter()
        store.write_documents(batch)
        written += time.perf_counter() - start
    found = {"write_docs_per_s": len(texts) / written, "disk_mb": 0.0}

    # Seconds a question: a few are enough to tell.
    timed("InMemory", found, asks_of(store), questions[: 10 if len(texts) <= 20_000 else 3])
    return found


def lance(texts: list[str], vectors: np.ndarray, questions: Any, folder: Path) -> Figures:
    import lancedb
    from lancedb.index import FTS
    from lancedb.rerankers import RRFReranker

    database = lancedb.connect(folder / "lance")
    table, written = None, 0.0
    for batch in documents_of(texts, vectors):
        rows = [{"id": d.id, "text": d.content, "vector": d.embedding, **d.meta} for d in batch]
        start = time.perf_counter()
        if table is None:
            table = database.create_table("documents", rows)
        else:
            table.add(rows)
        written += time.perf_counter() - start
    start = time.perf_counter()
    table.create_index("text", config=FTS())
    written += time.perf_counter() - start
    disk = sum(file.stat().st_size for file in (folder / "lance").rglob("*") if file.is_file())
    found = {"write_docs_per_s": len(texts) / written, "disk_mb": disk / 1e6}
    start = time.perf_counter()
    table = lancedb.connect(folder / "lance").open_table("documents")
    table.search(questions[0][1]).limit(TOP_K).to_list()
    found["reopen_s"] = time.perf_counter() - start
    reranker = RRFReranker()

    def hybrid(text: str, vector: np.ndarray) -> Any:
        return table.search(query_type="hybrid").vector(vector).text(text)

    asks = {
        "vector": lambda _, v: table.search(v).metric("cosine").limit(TOP_K).to_list(),
        "bm25": lambda t, _: table.search(t, query_type="fts").limit(TOP_K).to_list(),
        "hybrid": lambda t, v: hybrid(t, v).rerank(reranker).limit(TOP_K).to_list(),
        "filtered": lambda t, v: (
            hybrid(t, v).where("part = 3", prefilter=True).rerank(reranker).limit(TOP_K).to_list()
        ),
    }
    timed("LanceDB", found, asks, questions[:40])
    return found


def flat(texts: list[str], vectors: np.ndarray, questions: Any, folder: Path) -> Figures:
    import faiss

    start = time.perf_counter()
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(vectors)
    found = {"write_docs_per_s": len(texts) / (time.perf_counter() - start)}
    path = folder / "index.faiss"
    faiss.write_index(index, str(path))
    found["disk_mb"] = path.stat().st_size / 1e6
    start = time.perf_counter()
    index = faiss.read_index(str(path))
    index.search(questions[0][1][None], TOP_K)
    found["reopen_s"] = time.perf_counter() - start
    timed("FAISS flat", found, {"vector": lambda _, v: index.search(v[None], TOP_K)}, questions)
    return found


STORES = {"ours": ours, "inmemory": in_memory, "lancedb": lance, "faiss": flat}


def write_until_killed(path: str, told: int) -> None:
    store = SqliteDocumentStore(path)
    number = store.count_documents()
    chance = np.random.default_rng(number)
    while True:
        batch = [
            Document(
                id=str(number + n), content=f"w{n}", embedding=chance.standard_normal(8).tolist()
            )
            for n in range(50)
        ]
        store.write_documents(batch)
        number += len(batch)
        os.write(told, f"{number}\n".encode())


def lost_over_kills(kills: int, folder: Path) -> int:
    """Return how many documents were lost of those whose write had been confirmed."""
    path, chance, lost = folder / "kills.sqlite", random.Random(0), 0
    context = multiprocessing.get_context("fork")
    for _ in range(kills):
        reading, writing = os.pipe()
        child = context.Process(target=write_until_killed, args=(str(path), writing))
        child.start()
        os.close(writing)
        with os.fdopen(reading) as lines:
            confirmed = int(lines.readline())
            time.sleep(chance.uniform(0, 0.2))
            os.kill(child.pid or 0, signal.SIGKILL)
            for line in lines:
                if line.endswith("\n"):
                    confirmed = int(line)
        child.join()
        with SqliteDocumentStore(path) as store:
            store.check_integrity()
            lost += max(0, confirmed - store.count_documents())
            if store.count_documents() > 50_000:
                store.delete_all_documents()
    return lost


def main() -> None:
    from report import report

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5,000 documents, few questions")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--text", type=Path, help="JSON lines with text to take words from")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--kills", type=int, default=0, help="kill a writer this often")
    arguments = parser.parse_args()
    sizes = [5_000] if arguments.quick else arguments.sizes
    figures: dict[str, float] = {}
    for size in sizes:
        texts = texts_of(arguments.text, size)
        vectors = np.random.default_rng(2).standard_normal((size, DIMENSION), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        questions = questions_of(texts, vectors, 60 if arguments.quick else 200)
        label = f"{size // 1_000}k"
        print(f"{size:,} documents")
        found: dict[str, Figures] = {}
        for name in arguments.stores:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found[name] = STORES[name](texts, vectors, questions, Path(folder))
                except ImportError as error:
                    print(f"{name}: left out, {error.name} is not installed (extra bench)")
        for name, values in found.items():
            for key, value in values.items():
                prefix = "" if name == "ours" else f"{name}_"
                figures[f"{prefix}{key}_{label}"] = value
        for name in ("inmemory", "lancedb"):
            with suppress(KeyError):
                ratio = found["ours"]["hybrid_p50_ms"] / found[name]["hybrid_p50_ms"]
                figures[f"hybrid_vs_{name}"] = ratio
        with suppress(KeyError):
            figures["write_docs_per_s"] = found["ours"]["write_docs_per_s"]
    if arguments.kills:
        with tempfile.TemporaryDirectory() as folder:
            figures["documents_lost_over_kills"] = lost_over_kills(arguments.kills, Path(folder))
    report("store", figures, arguments.json)


if __name__ == "__main__":
    main()
