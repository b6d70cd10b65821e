"""How fast a trained router decides, beside sentence-transformers' encoding alone.

Run as a script it is the process that decides: it has not imported torch, reads one JSON object
a line (a folder of :func:`save`, and texts) and writes what they took. Its questions and those of
sentence-transformers go in turns, as other load comes and goes.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from agent.router.classifier import Classifier
from agent.router.speller import Speller, reads_whole
from pipelines.embed.embedder import Embedder
from pipelines.embed.model_files import find_model
from pipelines.embed.opening import open_embedder

_ROUNDS = 5
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
Ask = Callable[[str, Path, Sequence[str]], list[tuple[float, float]]]


def save(
    folder: Path, classifier: Classifier, layers: bytes | None, speller: Speller, limit: float
) -> Path:
    """Write all that a decision needs into a folder."""
    folder.mkdir(parents=True)
    classifier.save(folder, layers)
    speller.save(folder / "words.json")
    (folder / "limit.json").write_text(json.dumps(limit), encoding="utf-8")
    return folder


def speed(
    trained: Mapping[str, Path],
    questions: Sequence[str],
    many: Sequence[str],
    warm_up: int,
    each: int,
) -> dict[str, float]:
    """Return the latency of decisions, and what it is beside sentence-transformers.

    :param trained: Folders by the ending of their figures; that of ours is "".
    :param questions: Asked one by one.
    :param many: Decided together.
    :param warm_up: Questions that are not counted.
    :param each: Questions of each of the rounds.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    rival = SentenceTransformer(str(find_model("minilm").folder), device="cpu")
    threads = torch.get_num_threads()
    wall: dict[str, list[list[float]]] = {name: [] for name in (*trained, "default", "one")}
    cpu: list[float] = []
    taken = list(islice(cycle(questions), warm_up + _ROUNDS * each))
    warm, questions = taken[:warm_up], taken[warm_up:]
    with _process() as ask:
        for folder in trained.values():
            ask("single", folder, warm)
        for text in warm:
            rival.encode(text)
        for turn in range(_ROUNDS):
            asked = questions[turn * each : (turn + 1) * each]
            for name, folder in trained.items():
                times = np.array(ask("single", folder, asked)) * 1e3
                wall[name].append(times[:, 0].tolist())
                cpu += times[:, 1].tolist() if name == "" else []
            for name, count in (("default", threads), ("one", 1)):
                torch.set_num_threads(count)
                wall[name].append([1e3 * _timed(rival.encode, text)[0] for text in asked])
        torch.set_num_threads(threads)
        batches = [ask("batch", trained[""], many)[0][0] for _ in range(3)]
    medians = {name: [float(np.median(turn)) for turn in turns] for name, turns in wall.items()}
    all_of = {name: np.concatenate(turns) for name, turns in wall.items()}
    figures: dict[str, float] = {}
    for name in trained:
        figures[f"p50_ms{name}"] = float(np.median(all_of[name]))
    figures["p95_ms"] = float(np.percentile(all_of[""], 95))
    figures["p95_vs_p50"] = figures["p95_ms"] / figures["p50_ms"]
    figures["cpu_p50_ms"], figures["cpu_p95_ms"] = map(float, np.percentile(cpu, [50, 95]))
    figures["sentence_transformers_p50_ms"] = float(np.median(all_of["default"]))
    figures["sentence_transformers_1_thread_p50_ms"] = float(np.median(all_of["one"]))
    for name, key in (("default", ""), ("one", "_1_thread")):
        turns = [ours / theirs for ours, theirs in zip(medians[""], medians[name], strict=True)]
        figures[f"p50_vs_sentence_transformers{key}"] = float(np.median(turns))
    figures["batch_per_s"] = len(many) / float(np.median(batches))
    figures["batch_vs_sentence_transformers_single"] = (
        figures["batch_per_s"] * figures["sentence_transformers_p50_ms"] / 1e3
    )
    return figures


@contextmanager
def _process() -> Iterator[Ask]:
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | _ONE_THREAD,
    ) as process:

        def ask(task: str, folder: Path, texts: Sequence[str]) -> list[tuple[float, float]]:
            job = {"task": task, "folder": str(folder), "texts": texts}
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


def _timed(call: Callable[[Any], Any], argument: Any) -> tuple[float, float]:
    """Return how long a call takes by the wall, and of processors."""
    started, used = time.perf_counter(), time.process_time()
    call(argument)
    return time.perf_counter() - started, time.process_time() - used


class _Decider:
    """Decides as the router does: text in, the class or none out."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self._classifier = Classifier.load(folder)
        self._speller = Speller.load(folder / "words.json")
        self._limit = json.loads((folder / "limit.json").read_text(encoding="utf-8"))

    def decide(self, text: str) -> str | None:
        encoding = self._embedder.embed_query(self._mended(text))
        scores = self._classifier.run([encoding])
        if scores.out_of_scope[0] >= self._limit:
            return None
        return self._classifier.labels[int(scores.classes[0].argmax())]

    def decide_all(self, texts: Sequence[str]) -> None:
        self._classifier.run(self._embedder.embed_queries(list(map(self._mended, texts))))

    def _mended(self, text: str) -> str:
        return self._speller.mend(text, is_word=partial(reads_whole, self._embedder))


def main() -> None:
    embedder = open_embedder("minilm")
    opened: dict[str, _Decider] = {}
    for line in sys.stdin:
        job = json.loads(line)
        folder = job["folder"]
        if folder not in opened:
            opened[folder] = _Decider(embedder, Path(folder))
        decider = opened[folder]
        if job["task"] == "batch":
            found = [_timed(decider.decide_all, job["texts"])]
        else:
            found = [_timed(decider.decide, text) for text in job["texts"]]
        assert "torch" not in sys.modules
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
