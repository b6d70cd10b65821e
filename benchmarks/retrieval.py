"""How often the right passage is found: keywords, vectors, both, and reranked.

    python benchmarks/retrieval.py --dataset squad FILE [--quick] [--json OUT]
    python benchmarks/retrieval.py --dataset jsonl SUITE --documents FOLDER

``squad``: the paragraphs of a SQuAD 1.1 or 2.0 file are the passages, its answerable
questions are asked; right is the question's paragraph. ``jsonl``: a suite of
``{"id", "question", "accepted": [...], "gold_files": [...]}`` over a folder of documents;
right is a passage of one of its files that holds an accepted answer. Everything goes
through the product's own embedder, store, retriever and reranker, in one run.
"""

import argparse
import gzip
import hashlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haystack import Document

from agent.measure import folded
from agent.suite import is_gold
from pipelines.embed import open_embedder
from pipelines.embed.components import embed_passages
from pipelines.embed.embedder import Embedder
from pipelines.evidence import EvidenceSelector
from pipelines.rerank import open_reranker
from pipelines.retrieve import HybridRetriever
from pipelines.stores.sqlite import SqliteDocumentStore

_CUTS = (1, 5, 20)
_QUICK_QUESTIONS, _QUICK_PARAGRAPHS = 300, 400


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what answers it.

    :param gold_ids: Passages that count as right; empty where answers and files decide.
    :param accepted: Texts one of which the answer holds.
    :param gold_files: Documents it may stand in, relative to the indexed folder.
    """

    question: str
    gold_ids: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    gold_files: tuple[str, ...] = ()


def read_squad(path: Path) -> tuple[list[Document], list[Question]]:
    """Return the paragraphs as passages, titled by their article, and the questions."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    documents: dict[str, Document] = {}
    questions = []
    for article in articles:
        title = article["title"].replace("_", " ")
        for number, paragraph in enumerate(article["paragraphs"]):
            text = paragraph["context"]
            id_ = hashlib.sha256(f"{title}\0{text}".encode()).hexdigest()[:32]
            meta = {"title": title, "document": f"{title}.txt", "start": 0, "end": len(text)}
            documents[id_] = Document(id=id_, content=text, meta=meta | {"number": number})
            for asked in paragraph["qas"]:
                answers = tuple(answer["text"] for answer in asked["answers"])
                if answers and not asked.get("is_impossible"):
                    questions.append(Question(asked["question"].strip(), (id_,), answers))
    return list(documents.values()), questions


def read_suite(path: Path) -> list[Question]:
    """Return a suite's look-up questions."""
    questions = []
    for line in path.read_text(encoding="utf-8").splitlines():
        asked = json.loads(line) if line.strip() else {}
        if asked.get("accepted") and asked.get("gold_files"):
            accepted, files = tuple(asked["accepted"]), tuple(asked["gold_files"])
            questions.append(Question(asked["question"], (), accepted, files))
    return questions


def convert_folder(folder: Path, embedder: Embedder, max_tokens: int) -> list[Document]:
    """Convert and split a folder as ``expert index`` does."""
    from pipelines.convert import convert_file, format_of
    from pipelines.errors import ConversionError
    from pipelines.scan import scan
    from pipelines.split import split

    passages = []
    for found in scan(folder):
        if found.reason is not None:
            continue
        try:
            extracted = convert_file(found.path)
        except ConversionError as error:
            print(f"left out: {found.document}: {error}")
            continue
        passages += split(
            extracted,
            root=str(folder),
            document=found.document,
            format=format_of(found.path),
            max_tokens=max_tokens,
            count_tokens=embedder.count_tokens,
        )
    return passages


def is_right(question: Question, document: Document) -> bool:
    """Say whether a passage answers the question."""
    if question.gold_ids:
        return document.id in question.gold_ids
    if not in_right_file(question, document):
        return False
    content = folded(document.content or "")
    return any(folded(accepted) in content for accepted in question.accepted)


def in_right_file(question: Question, document: Document) -> bool:
    """Say whether a passage stands in a document that holds the answer."""
    return is_gold(str(document.meta["document"]), question.gold_files)


class Searcher:
    """The stages of a search, each timed."""

    def __init__(self, embedder: Embedder, store: SqliteDocumentStore, reranker: str) -> None:
        self.times: dict[str, list[float]] = {}
        self._embedder, self._store = embedder, store
        self._retriever = HybridRetriever(store, top_k=100)
        self._reranker = open_reranker(reranker, fingerprint=embedder.fingerprint, top_k=100)
        self._evidence = EvidenceSelector()

    def search(self, question: str) -> dict[str, list[Document]]:
        """Return each way's ranking, best first."""
        started = time.perf_counter()
        encoding = self._embedder.embed_query(question)
        vector = encoding.vector.tolist()
        encoded = time.perf_counter()
        hybrid = self._retriever.run(question, vector)["documents"]
        retrieved = time.perf_counter()
        found = {"hybrid": hybrid}
        if self._reranker is not None:
            extra = {"query_tokens": encoding.tokens} if encoding.tokens is not None else {}
            reranked = self._reranker.run(query=question, documents=hybrid, **extra)
            found["reranked"] = reranked["documents"]
        done = time.perf_counter()
        found["bm25"] = self._timed("bm25", lambda: self._store.bm25_retrieval(question, top_k=50))
        found["vector"] = self._timed(
            "vector", lambda: self._store.embedding_retrieval(vector, top_k=50)
        )
        best = found.get("reranked", hybrid)[:10]
        self._timed("evidence", lambda: self._evidence.run(question, best, encoding.tokens))
        self.times.setdefault("encode", []).append(encoded - started)
        self.times.setdefault("hybrid", []).append(retrieved - started)
        self.times.setdefault("rerank", []).append(done - retrieved)
        self.times.setdefault("reranked", []).append(done - started)
        return found

    def _timed(self, name: str, call: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = call()
        self.times.setdefault(name, []).append(time.perf_counter() - started)
        return result


def measure(searcher: Searcher, questions: Sequence[Question]) -> dict[str, float]:
    """Ask every question and return the figures."""
    ranks: dict[str, list[int]] = {}
    files: dict[str, list[bool]] = {}
    for question in questions:
        for name, documents in searcher.search(question.question).items():
            places = [n for n, d in enumerate(documents, 1) if is_right(question, d)]
            ranks.setdefault(name, []).append(places[0] if places else 0)
            if question.gold_files:
                hit = any(in_right_file(question, document) for document in documents[:5])
                files.setdefault(name, []).append(hit)
    figures: dict[str, float] = {"questions": len(questions)}
    for name, found in ranks.items():
        for cut in _CUTS:
            figures[f"{name}_recall_at_{cut}"] = _mean([0 < rank <= cut for rank in found])
        figures[f"{name}_mrr"] = _mean([1 / rank if rank else 0.0 for rank in found])
        if name in files:
            figures[f"{name}_file_at_5"] = _mean(files[name])
    for name, seconds in searcher.times.items():
        figures[f"{name}_p50_ms"] = round(1000 * statistics.median(seconds), 3)
    figures["latency_vs_hybrid"] = round(figures["reranked_p50_ms"] / figures["hybrid_p50_ms"], 3)
    return figures


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / max(len(values), 1), 4)


def show(figures: dict[str, float]) -> None:
    """Print the figures as one table."""
    files = any(name.endswith("_file_at_5") for name in figures)
    columns = [f"recall_at_{cut}" for cut in _CUTS] + ["mrr"] + ["file_at_5"] * files + ["p50_ms"]
    print(f"{'':10}" + "".join(f"{column:>14}" for column in columns))
    for name in ("bm25", "vector", "hybrid", "reranked"):
        if f"{name}_mrr" in figures:
            cells = [figures.get(f"{name}_{column}", float("nan")) for column in columns]
            print(f"{name:10}" + "".join(f"{cell:14.4f}" for cell in cells))
    times = {
        n: f
        for n, f in figures.items()
        if n in ("encode_p50_ms", "rerank_p50_ms", "evidence_p50_ms", "latency_vs_hybrid")
    }
    print(f"{figures['questions']:.0f} questions, {figures['passages']:.0f} passages; {times}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dataset", nargs=2, required=True, metavar=("squad|jsonl", "PATH"))
    parser.add_argument("--documents", type=Path, help="folder of a jsonl suite's documents")
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--reranker", default="auto", help="auto, late, none or a cross-encoder")
    parser.add_argument("--max-tokens", type=int, default=192, help="longest passage of documents")
    parser.add_argument("--questions", type=int, help="ask this many, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="300 questions, 400 paragraphs")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--failures", type=Path, help="write questions not answered at 5 here")
    options = parser.parse_args()
    kind, path = options.dataset[0], Path(options.dataset[1])
    embedder = open_embedder(options.embedder)
    if kind == "squad":
        documents, questions = read_squad(path)
        if options.quick:
            documents = documents[:_QUICK_PARAGRAPHS]
            known = {document.id for document in documents}
            questions = [q for q in questions if q.gold_ids[0] in known]
    elif kind == "jsonl" and options.documents:
        questions = read_suite(path)
        documents = convert_folder(options.documents, embedder, options.max_tokens)
    else:
        parser.error("--dataset squad PATH, or --dataset jsonl PATH with --documents FOLDER")
    limit = options.questions or (_QUICK_QUESTIONS if options.quick else len(questions))
    if limit < len(questions):
        questions = random.Random(options.seed).sample(questions, limit)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteDocumentStore(Path(folder) / "passages.sqlite")
        documents = embed_passages(embedder, documents)
        store.write_documents(documents)
        searcher = Searcher(embedder, store, options.reranker)
        searcher.search(questions[0].question)
        searcher.times.clear()
        figures = {"passages": float(len(documents))} | measure(searcher, questions)
        if options.failures:
            _write_failures(searcher, questions, options.failures)
        store.close()
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _write_failures(searcher: Searcher, questions: Sequence[Question], path: Path) -> None:
    lines = []
    for question in questions:
        found = searcher.search(question.question)
        best = found.get("reranked", found["hybrid"])
        if not any(is_right(question, document) for document in best[:5]):
            place = next((n for n, d in enumerate(best, 1) if is_right(question, d)), None)
            top = [[d.meta["document"], (d.content or "")[:100]] for d in best[:3]]
            line = {"question": question.question, "accepted": question.accepted}
            line |= {"files": question.gold_files, "place": place, "top": top}
            lines.append(json.dumps(line, ensure_ascii=False))
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
