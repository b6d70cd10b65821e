"""How well and how fast a trained router tells questions apart.

    python benchmarks/routing.py --clinc-train train_val.json --clinc-test test.json \\
        --banking-train train.csv --banking-test test.csv \\
        --outcomes-train train.jsonl --outcomes-test test.jsonl [--rival PYTHON] [--json OUT]
    python benchmarks/routing.py --clinc-train train_val.json --quick

CLINC150 with its questions out of scope, BANKING77, and which of three strategies answers a
question. A part whose files are not given is left out; without a test file some of the training
file is held out, and the title says so. Every question is mended before it is looked at, as the
router does; clinc_closed_as_written is without that. clinc_in_scope and clinc_oos_recall are of
one operating point, found on validation questions: an in-scope question is told rightly when its
class is right and it is not told to be out of scope. ece_mix is over both kinds, out_of_scope_share
of them out of scope, for which the classifier was calibrated. ``--rival`` is the interpreter of an
environment with semantic-router; see routing_rival.py.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from report import report
from routing_data import Labelled, Task, fewer, read_banking, read_clinc
from routing_outcomes import outcomes, read_outcomes
from routing_speed import save, speed

from agent.router.classifier import Scores, thresholds
from agent.router.slips import MOST_UNTUNED, noisy, slips_of
from agent.router.speller import Speller, reads_whole
from agent.router.statistics import auroc, calibration_error, calibration_interval
from agent.router.train import Questions, Trained, last_layers, train
from pipelines.embed.embedder import Embedder
from pipelines.embed.model_files import find_model
from pipelines.embed.opening import open_embedder

_ENCODED, _MANY, _FEW = 20_000, 100_000, 100
_FEW_CLASSES = 10
_BATCH = 3_000
# Questions to warm up with, and of each round.
_TIMED, _QUICK_TIMED = (200, 200), (20, 10)
_QUICK_EACH, _QUICK_BATCH, _QUICK_EPOCHS = 10, 300, 2
_QUICK_ENCODED, _QUICK_MANY = 500, 1_000


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a task."""

    trained: Trained
    speller: Speller
    seconds: float


class Bench:
    """Trains classifiers and asks them.

    :param tune: Whether to tune the encoder's last layers.
    :param epochs: Times that each question is learned from.
    """

    def __init__(self, embedder: Embedder, tune: bool, epochs: int, seed: int) -> None:
        self.embedder, self._epochs, self._seed = embedder, epochs, seed
        self._tune, self._is_word = tune, partial(reads_whole, embedder)

    def learn(self, task: Task, share: float | None) -> Learned:
        """Train on a task's questions, and on all again with slips, as ``router fit`` does."""
        texts = [text for text, _ in task.train]
        speller = Speller.of(texts)
        started = time.perf_counter()
        trained = train(
            task.labels,
            self.questions(task.train, speller),
            slips=slips_of(texts, self.embedder, speller, seed=self._seed),
            calibration=self.questions(task.calibration, speller),
            out_of_scope_share=share,
            body=last_layers(find_model("minilm").folder) if self._tune else None,
            epochs=self._epochs,
            seed=self._seed,
            progress=_progress(f"{len(task.labels)} classes"),
        )
        return Learned(trained, speller, time.perf_counter() - started)

    def plain(self, labels: Sequence[str], encoded: Questions, texts: Sequence[str]) -> Learned:
        """Train heads alone, as ``router fit`` does."""
        started = time.perf_counter()
        speller = Speller.of(texts)
        slips = slips_of(texts, self.embedder, speller, most=MOST_UNTUNED, seed=self._seed)
        trained = train(labels, encoded, slips=slips, epochs=self._epochs, seed=self._seed)
        return Learned(trained, speller, time.perf_counter() - started)

    def questions(self, questions: Labelled, speller: Speller | None) -> Questions:
        """Return encoded questions, mended before where there is a speller."""

        def mended(text: str) -> str:
            return speller.mend(text, is_word=self._is_word) if speller else text

        texts = [mended(text) for text, _ in questions]
        return Questions(self.embedder.embed_queries(texts), np.array([at for _, at in questions]))

    def ask(self, learned: Learned, questions: Labelled, mend: bool = True) -> Scores:
        """Return the scores of questions."""
        encoded = self.questions(questions, learned.speller if mend else None)
        return learned.trained.classifier.run(encoded.encodings)


def clinc(
    bench: Bench, task: Task, learned: Learned, domains: Path
) -> tuple[dict[str, float], float]:
    """Return the figures of CLINC150, and the limit from which a question is out of scope."""
    known = np.array([at for _, at in task.calibration])
    limit = thresholds(bench.ask(learned, task.calibration), known)
    scores, gold = bench.ask(learned, task.test), np.array([at for _, at in task.test])
    inside, none = gold >= 0, scores.out_of_scope >= limit
    right = scores.classes.argmax(axis=1) == gold
    told = np.where(none, ~inside, right)
    out, best = scores.out_of_scope, scores.classes.max(axis=1)
    sure = np.where(none, out, (1 - out) * best)
    in_scope = [pair for pair in task.test if pair[1] >= 0]
    wanted = gold[inside]

    def closed(found: Scores) -> float:
        return float((found.classes.argmax(axis=1) == wanted).mean())

    chance = random.Random(0)
    slipped = [(noisy(text, chance, share=0.1), at) for text, at in in_scope]
    figures = {
        "clinc_closed": float(right[inside].mean()),
        "clinc_closed_as_written": closed(bench.ask(learned, in_scope, mend=False)),
        "clinc_in_scope": float((right & ~none)[inside].mean()),
        "clinc_oos_recall": float(none[~inside].mean()),
        "clinc_auroc": auroc(out[~inside], out[inside]),
    }
    if domains.is_file():
        by_name = json.loads(domains.read_text(encoding="utf-8"))
        number = {one: at for at, members in enumerate(by_name.values()) for one in members}
        of_class = np.array([number[label] for label in task.labels])
        shares = scores.classes @ np.eye(len(by_name))[of_class]
        figures["clinc_domain"] = float((shares.argmax(axis=1)[inside] == of_class[wanted]).mean())
    figures["out_of_scope_share"] = float((~inside).mean())
    pairs = {
        "ece_in_scope": (best[inside], right[inside]),
        "ece_mix": (sure, told),
    }
    for name, pair in pairs.items():
        figures[name] = calibration_error(*pair)
        figures[f"{name}_low"], figures[f"{name}_high"] = calibration_interval(*pair)
    figures["typo_loss"] = figures["clinc_closed"] - closed(bench.ask(learned, slipped))
    return figures, limit


def latency(
    bench: Bench, task: Task, learned: Learned, limit: float, quick: bool
) -> dict[str, float]:
    """Return how fast it decides, also after learning from few and from many questions."""
    chance = random.Random(1)
    inside = [pair for pair in task.train if pair[1] >= 0]
    few = [pair for pair in inside if pair[1] < _FEW_CLASSES]
    few = _evenly(few, _FEW * 9 // 10) + [pair for pair in task.train if pair[1] < 0][: _FEW // 10]
    most, many = (_QUICK_ENCODED, _QUICK_MANY) if quick else (_ENCODED, _MANY)
    distinct = list(dict.fromkeys(task.train))[:most]
    distinct += [
        (noisy(text, chance, 0.03), at)
        for text, at in chance.choices(distinct, k=most - len(distinct))
    ]
    started = time.perf_counter()
    encoded = bench.questions(distinct, None)
    texts = [text for text, _ in distinct]
    bench.plain(task.labels, encoded, texts)
    figures = {
        "fit_seconds": learned.seconds,
        "fit_plain_seconds_20k": time.perf_counter() - started,
    }
    of_many = bench.plain(task.labels, encoded.at(np.arange(many) % most), texts)
    of_few = bench.plain(
        task.labels[:_FEW_CLASSES], bench.questions(few, None), [text for text, _ in few]
    )
    asked = [text for text, _ in random.Random(2).sample(task.test, len(task.test))]
    batch = random.Random(3).choices(asked, k=_QUICK_BATCH if quick else _BATCH)
    with tempfile.TemporaryDirectory() as folder:
        saved = {
            ending: save(
                Path(folder) / (ending or "ours"),
                one.trained.classifier,
                one.trained.layers,
                one.speller,
                limit,
            )
            for ending, one in (("", learned), ("_100", of_few), ("_100k", of_many))
        }
        return figures | speed(saved, asked, batch, *(_QUICK_TIMED if quick else _TIMED))


def _evenly(questions: Labelled, count: int) -> list[tuple[str, int]]:
    """Return some questions, of each class as many."""
    of_class: dict[int, list[tuple[str, int]]] = {}
    for one in questions:
        of_class.setdefault(one[1], []).append(one)
    return [one for members in of_class.values() for one in members[: count // len(of_class)]]


def semantic_router(python: Path, task: Task) -> dict[str, float | str]:
    """Return what semantic-router makes of the same questions."""
    train: Mapping[str, list[str]] = {label: [] for label in task.labels}
    for text, at in task.train:
        if at >= 0:
            train[task.labels[at]].append(text)

    def named(questions: Labelled) -> list[tuple[str, str | None]]:
        return [(text, task.labels[at] if at >= 0 else None) for text, at in questions]

    timed = [text for text, _ in random.Random(2).sample(task.test, min(400, len(task.test)))]
    job = {
        "model": str(find_model("minilm").folder),
        "train": train,
        "validation": named(task.calibration),
        "test": named(task.test),
        "timed": timed,
    }
    script = Path(__file__).parent / "routing_rival.py"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        done = subprocess.run(
            [str(python), str(script), str(path)], stdout=subprocess.PIPE, text=True, check=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return {f"semantic_router_{key}": value for key, value in found.items()}


def _progress(name: str) -> Callable[[int, int], None]:
    started = time.perf_counter()

    def told(done: int, total: int) -> None:
        if done % 500 == 0 or done == total:
            seconds = time.perf_counter() - started
            print(f"{name}: step {done} of {total}, {seconds:.0f} s", file=sys.stderr, flush=True)

    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name in ("clinc", "banking", "outcomes"):
        for part in ("train", "test"):
            parser.add_argument(f"--{name}-{part}", type=Path, metavar="FILE")
    parser.add_argument("--domains", type=Path, help="default: domains.json beside --clinc-train")
    parser.add_argument("--rival", type=Path, metavar="PYTHON", help="that has semantic-router")
    parser.add_argument("--tune", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few classes, questions and epochs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.banking_train and not (options.clinc_train or options.outcomes_train):
        parser.error("--banking-train needs questions of none: --clinc-train or --outcomes-train")
    quick = options.quick
    bench = Bench(
        open_embedder("minilm"),
        options.tune,
        _QUICK_EPOCHS if quick else options.epochs,
        options.seed,
    )
    figures: dict[str, float | int | str] = {}
    held_out = []
    others: Labelled = []
    if options.outcomes_train is not None:
        # Of everyone's questions none is of a domain.
        others = [(one.question, -1) for one in read_outcomes(options.outcomes_train)]
        others = others[:50] if quick else others
    if options.clinc_train is not None:
        task, said = read_clinc(options.clinc_train, options.clinc_test, options.seed)
        held_out.append(said)
        domains = options.domains or options.clinc_train.parent / "domains.json"
        if quick:
            task = fewer(task, task.labels[:: len(task.labels) // 20], _QUICK_EACH)
        share = float(np.mean([at < 0 for _, at in task.test]))
        learned = bench.learn(replace(task, train=[*task.train, *others]), share)
        found, limit = clinc(bench, task, learned, domains)
        figures |= found | latency(bench, task, learned, limit, quick)
        if options.rival is not None:
            figures |= semantic_router(options.rival, task)
        others = others or [pair for pair in task.train if pair[1] < 0]
    if options.banking_train is not None:
        task, said = read_banking(options.banking_train, options.banking_test, options.seed)
        held_out.append(said)
        if quick:
            task = fewer(task, task.labels[::6], _QUICK_EACH)
        known = replace(task, train=[*task.train, *others])
        scores = bench.ask(bench.learn(known, None), task.test)
        figures["banking77"] = float(
            (scores.classes.argmax(axis=1) == [at for _, at in task.test]).mean()
        )
    if options.outcomes_train is not None:
        if options.outcomes_test is None:
            held_out.append("strategies: a fifth of the questions")
        figures |= outcomes(
            bench.embedder, options.outcomes_train, options.outcomes_test, options.seed, quick
        )
    said = "; ".join(filter(None, held_out))
    report(f"Routing (held out for the test: {said})" if said else "Routing", figures, options.json)


if __name__ == "__main__":
    main()
