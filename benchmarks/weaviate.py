"""The Weaviate store beside the raw client, weaviate-haystack's store and the embedded store.

    EXPERT_TEST_WEAVIATE_URL=http://127.0.0.1:8080 python benchmarks/weaviate.py --quick
    python benchmarks/weaviate.py --url URL --documents documents.jsonl.gz --limit 20000

Takes a folder, or JSON lines with ``text`` that are unpacked as Markdown files first, and
a running server, on which it makes three collections and drops them again. The API key is
read from EXPERT_TEST_WEAVIATE_API_KEY. Import alternates between the writers, batch by
batch, and searches question by question, so that what else runs touches all alike.
"""

import argparse
import base64
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

# `import weaviate` must find the package, not this script: its folder comes last.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]
sys.path.append(str(Path(__file__).parent))

EXAMPLES = Path(__file__).parents[1] / "examples"
BATCH = 500
NAMES = ("ExpertBenchmark", "ExpertBenchmarkRaw", "ExpertBenchmarkStock")


def passages_of(source: Path, limit: int, embedder):
    from pipelines.convert import convert_file, format_of
    from pipelines.errors import ConversionError
    from pipelines.split import split

    found = []
    paths = [path for path in source.rglob("*") if path.is_file()]
    # The same choice each time, of all kinds of documents.
    random.Random(0).shuffle(paths)
    for path in paths:
        if path.name == "questions.jsonl" or path.parent == EXAMPLES:
            continue
        try:
            extracted = convert_file(path)
        except ConversionError:
            continue
        found += split(
            extracted,
            root=str(source),
            document=path.relative_to(source).as_posix(),
            format=format_of(path),
            max_tokens=embedder.max_tokens,
            count_tokens=embedder.count_tokens,
        )
        if len(found) >= limit:
            break
    return list({document.id: document for document in found}.values())[:limit]


def embedded(documents, embedder, blob_bytes: int):
    from dataclasses import replace

    from haystack.dataclasses import ByteStream

    from pipelines.split import passage_context

    texts = [f"{passage_context(one)}\n{one.content}" for one in documents]
    vectors = embedder.embed_passages(texts).vectors
    chance = random.Random(1)
    return [
        replace(
            one,
            embedding=vector.tolist(),
            blob=ByteStream(chance.randbytes(blob_bytes), mime_type="application/octet-stream"),
        )
        for one, vector in zip(documents, vectors, strict=True)
    ], vectors


def questions_of(files: list[Path], documents, count: int) -> list[str]:
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    asked = [json.loads(line)["question"] for line in lines if line.strip()]
    chance = random.Random(2)
    chance.shuffle(asked)
    # Sentences of the documents make up for questions that there are too few of.
    from pipelines.sentences import sentence_spans

    while len(asked) < count:
        text = chance.choice(documents).content
        asked.append(text[slice(*chance.choice(sentence_spans(text)))][:300])
    return asked[:count]


def raw_schema(name: str) -> dict:
    """What somebody would write by hand for the same searches and filters."""
    text = {"dataType": ["text"], "tokenization": "field", "indexSearchable": False}
    properties = [
        {"name": "document_id", **text},
        {"name": "content", "dataType": ["text"]},
        {"name": "title", "dataType": ["text"]},
        {"name": "headings", "dataType": ["text"]},
        {"name": "blob", "dataType": ["blob"]},
        *({"name": each, **text} for each in ("root", "document", "format", "kind", "sheet")),
        *({"name": each, "dataType": ["int"]} for each in ("page", "start", "end", "row")),
    ]
    return {
        "class": name,
        "vectorizer": "none",
        "vectorIndexConfig": {"distance": "cosine"},
        "properties": properties,
    }


def plain_meta(document) -> dict:
    return {key: value for key, value in document.meta.items() if key != "columns"}


def import_figures(store, raw, stock, documents) -> dict[str, float]:
    from dataclasses import replace

    from haystack.document_stores.types import DuplicatePolicy
    from weaviate.classes.data import DataObject
    from weaviate.util import generate_uuid5

    def by_raw(batch):
        done = raw.data.insert_many(
            [
                DataObject(
                    uuid=generate_uuid5(one.id),
                    vector=one.embedding,
                    properties={
                        "document_id": one.id,
                        "content": one.content,
                        "blob": base64.b64encode(one.blob.data).decode(),
                        **plain_meta(one),
                    },
                )
                for one in batch
            ]
        )
        assert not done.has_errors, next(iter(done.errors.values()))

    def by_stock(batch):
        plain = [replace(one, meta=plain_meta(one)) for one in batch]
        stock.write_documents(plain, policy=DuplicatePolicy.OVERWRITE)

    seconds = {"ours": 0.0, "raw": 0.0, "stock": 0.0}
    written = dict.fromkeys(seconds, 0)

    def timed(name: str, write: Callable, batch):
        started = time.perf_counter()
        write(batch)
        seconds[name] += time.perf_counter() - started
        written[name] += len(batch)

    for number, start in enumerate(range(0, len(documents), BATCH)):
        batch = documents[start : start + BATCH]
        pair = [("ours", store.write_documents), ("raw", by_raw)]
        for name, write in pair if number % 2 else reversed(pair):
            timed(name, write, batch)
        if number < 2:
            # It is too slow to wait for more.
            timed("stock", by_stock, batch)
    rates = {name: written[name] / seconds[name] for name in seconds}
    return {
        "import_docs_per_s": rates["ours"],
        "import_raw_docs_per_s": rates["raw"],
        "import_vs_raw_client": rates["ours"] / rates["raw"],
        "import_vs_weaviate_haystack": rates["ours"] / rates["stock"],
    }


def query_figures(store, questions, vectors) -> dict[str, float]:
    from weaviate.classes.query import MetadataQuery

    from pipelines.stores.weaviate_schema import STORED, TERMS

    query, terms = store.collection.query, store._operations._terms
    back = {"limit": 10, "return_properties": list(STORED)}
    score, distance = MetadataQuery(score=True), MetadataQuery(distance=True)

    def raw_hybrid(question, vector):
        words = " ".join(terms.of_question(question))
        return query.hybrid(
            query=words, vector=vector, alpha=0.7, query_properties=[TERMS], **back,
            return_metadata=score,
        )  # fmt: skip

    def raw_words(question, _):
        words = " ".join(terms.of_question(question))
        return query.bm25(query=words, query_properties=[TERMS], **back, return_metadata=score)

    def raw_vector(_, vector):
        return query.near_vector(near_vector=vector, **back, return_metadata=distance)

    searches = {
        "hybrid": (lambda q, v: store._hybrid_retrieval(q, v, top_k=10), raw_hybrid),
        "bm25": (lambda q, _: store.bm25_retrieval(q, top_k=10), raw_words),
        "vector": (lambda _, v: store.embedding_retrieval(v, top_k=10), raw_vector),
    }
    figures = {}
    for name, (ours, raw) in searches.items():
        times = {ours: [], raw: []}
        for number, (question, vector) in enumerate(zip(questions, vectors, strict=True)):
            for search in (ours, raw) if number % 2 else (raw, ours):
                started = time.perf_counter()
                search(question, vector)
                times[search].append((time.perf_counter() - started) * 1000)
        figures[f"{name}_p50_ms"] = statistics.median(times[ours])
        # Of the pairs, which met with the same load, not of the medians.
        overhead = (mine - theirs for mine, theirs in zip(times[ours], times[raw], strict=True))
        figures[f"{name}_overhead_ms"] = statistics.median(overhead)
    return figures


def recall(store, matrix, vectors) -> float:
    found = 0
    for vector in vectors:
        # Of passages that are alike any will do, so cosines are compared, not ids.
        tenth = np.partition(matrix @ np.asarray(vector, np.float32), -10)[-10]
        scores = [one.score for one in store.embedding_retrieval(vector, top_k=10)]
        found += sum(score >= tenth - 1e-5 for score in scores)
    return found / (10 * len(vectors))


def parity(store, embedded_store, questions, vectors) -> dict[str, float]:
    from pipelines.retrieve import HybridRetriever

    shared = first = same_words = 0
    for question, vector in zip(questions, vectors, strict=True):
        theirs, ours = (
            [one.id for one in HybridRetriever(each, top_k=5).run(question, vector)["documents"]]
            for each in (embedded_store, store)
        )
        shared += len(set(theirs) & set(ours)) / max(1, len(theirs))
        first += theirs[:1] == ours[:1]
        words = [
            {one.id for one in each.bm25_retrieval(question, top_k=5)}
            for each in (embedded_store, store)
        ]
        same_words += len(words[0] & words[1]) / max(1, len(words[0]))
    return {
        "parity_top5": shared / len(questions),
        "parity_first": first / len(questions),
        "parity_top5_bm25": same_words / len(questions),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    environment = os.environ.get
    parser.add_argument(
        "--url", default=environment("EXPERT_TEST_WEAVIATE_URL", "http://127.0.0.1:8080")
    )
    parser.add_argument(
        "--grpc-port", type=int, default=int(environment("EXPERT_TEST_WEAVIATE_GRPC_PORT", "50051"))
    )
    parser.add_argument("--documents", type=Path, default=EXAMPLES)
    parser.add_argument("--questions", type=Path, help="JSON lines with `question`")
    parser.add_argument("--limit", type=int, default=10_000, help="passages")
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--blob-bytes", type=int, default=8192, help="token states of a passage")
    parser.add_argument("--quick", action="store_true", help="1,000 passages, 60 questions")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    limit, asked = (1000, 60) if arguments.quick else (arguments.limit, 300)

    from haystack.utils import Secret
    from haystack_integrations.document_stores.weaviate import WeaviateDocumentStore
    from haystack_integrations.document_stores.weaviate.auth import AuthApiKey
    from indexing import unpack
    from report import report

    from pipelines.embed import open_embedder
    from pipelines.stores.sqlite import SqliteDocumentStore
    from pipelines.stores.weaviate import WeaviateStore

    key = Secret.from_env_var("EXPERT_TEST_WEAVIATE_API_KEY", strict=False)
    server = {"url": arguments.url, "grpc_port": arguments.grpc_port}
    store = WeaviateStore(**server, api_key=key, collection=NAMES[0])
    client = store.client
    for name in NAMES[1:]:
        client.collections.delete(name)
    store.delete_all_documents()
    embedder = open_embedder(arguments.embedder)
    with tempfile.TemporaryDirectory() as temporary:
        source = arguments.documents.resolve()
        if source.is_file():
            folder = Path(temporary) / "documents"
            folder.mkdir()
            unpack(source, folder, limit)
            source = folder
        documents = passages_of(source, limit, embedder)
        documents, matrix = embedded(documents, embedder, arguments.blob_bytes)
        files = [arguments.questions] if arguments.questions else []
        if arguments.documents == EXAMPLES and not files:
            files = sorted(EXAMPLES.glob("*/questions.jsonl"))
        questions = questions_of(files, documents, asked)
        vectors = [embedder.embed_query(one).vector.tolist() for one in questions]
        client.collections.create_from_dict(raw_schema(NAMES[1]))
        stock = WeaviateDocumentStore(
            **server,
            collection_settings={"class": NAMES[2]},
            auth_client_secret=AuthApiKey(key) if key.resolve_value() else None,
        )
        figures: dict[str, float | int | str] = {
            "server": client.get_meta()["version"],
            "passages": len(documents),
        }
        try:
            figures |= import_figures(store, client.collections.get(NAMES[1]), stock, documents)
            figures |= query_figures(store, questions, vectors)
            figures["recall_at_10"] = recall(store, matrix, vectors)
            sqlite = SqliteDocumentStore(Path(temporary) / "passages.sqlite")
            sqlite.write_documents(documents)
            figures |= parity(store, sqlite, questions, vectors)
            sqlite.close()
        finally:
            for name in NAMES:
                client.collections.delete(name)
            stock.close()
            store.close()
    report("The Weaviate store", figures, arguments.json)


if __name__ == "__main__":
    main()
