"""Speed, memory and encoder's share of indexing, beside sentence-transformers' bare encoding.

    python benchmarks/indexing.py --documents documents.jsonl.gz --limit 5000
    python benchmarks/indexing.py --quick

Takes a folder, or JSON lines with ``text`` that are unpacked as Markdown files first.
"""

import argparse
import gzip
import json
import resource
import tempfile
import time
from pathlib import Path

from report import report

EXAMPLES = Path(__file__).parents[1] / "examples"


class TimedEmbedder:
    """Passes everything on to an embedder and adds up the time its encoding takes."""

    def __init__(self, embedder):
        self._embedder = embedder
        self.seconds = 0.0
        self.passages: list[str] = []

    def __getattr__(self, name):
        return getattr(self._embedder, name)

    def embed_states(self, texts):
        self.passages += texts
        states = self._embedder.embed_states(texts)
        while True:
            started = time.perf_counter()
            tokens = next(states, None)
            self.seconds += time.perf_counter() - started
            if tokens is None:
                return
            yield tokens


def unpack(source: Path, folder: Path, limit: int) -> None:
    with gzip.open(source, "rt") if source.suffix == ".gz" else source.open() as lines:
        for number, line in zip(range(limit), lines, strict=False):
            row = json.loads(line)
            path = folder / f"{number // 1000:03d}" / f"{number:06d}.md"
            path.parent.mkdir(exist_ok=True)
            path.write_text(row.get("text") or row.get("content") or "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--documents", type=Path, default=EXAMPLES)
    parser.add_argument("--limit", type=int, default=1_000_000)
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--quick", action="store_true", help="the health pages only")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    source = EXAMPLES / "health" if arguments.quick else arguments.documents

    from pipelines.catalog import Catalog
    from pipelines.embed import open_embedder
    from pipelines.index import Indexer
    from pipelines.stores.sqlite import SqliteDocumentStore

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "documents"
        if source.is_dir():
            folder = source.resolve()
        else:
            folder.mkdir()
            unpack(source, folder, arguments.limit)
        store = SqliteDocumentStore(Path(temporary) / "passages.sqlite")
        embedder = TimedEmbedder(open_embedder(arguments.embedder))
        embedder.embed_query("warm up")
        with Catalog(Path(temporary) / "catalog.sqlite") as catalog:
            indexer = Indexer(catalog, store, embedder)
            first = indexer.index_paths([folder])
            again = indexer.index_paths([folder])
        store.close()
        size = sum(path.stat().st_size for path in Path(temporary).glob("*.sqlite*"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    figures = {
        "documents": first.documents,
        "passages": first.chunks,
        "skipped": len(first.skipped),
        "seconds": first.seconds,
        "docs_per_s": first.documents / first.seconds,
        "passages_per_s": first.chunks / first.seconds,
        "encoder_share": embedder.seconds / first.seconds,
        "unchanged_share": again.seconds / first.seconds,
        "peak_rss_gib": peak,
        "index_kb_per_passage": size / max(first.chunks, 1) / 1000,
    }
    # The competitor encodes the same passages, as many as it can in a fair time.
    sample = embedder.passages[:: max(1, len(embedder.passages) // 1000)]
    from sentence_transformers import SentenceTransformer

    from pipelines.embed.model_files import find_model

    model = SentenceTransformer(str(find_model("minilm").folder), device="cpu")
    model.encode(sample[:8])
    started = time.perf_counter()
    model.encode(sample, batch_size=32)
    theirs = len(sample) / (time.perf_counter() - started)
    started = time.perf_counter()
    embedder.embed_passages(sample)
    ours = len(sample) / (time.perf_counter() - started)
    figures["vs_sentence_transformers"] = ours / theirs
    report("indexing", figures, arguments.json)


if __name__ == "__main__":
    main()
