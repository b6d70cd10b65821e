"""From question to answer: how right, how well cited, how long, and beside plain Haystack.

    python benchmarks/end_to_end.py [--documents FOLDER… --questions FILE…] [--passages 10]
        [--limit N] [--cold 5] [--quick] [--json OUT]

Every question of the example suites, over all their documents in one index, is asked in turn of
the product as it comes, of the product with the language model writing (``phi3_``), and of a
plain Haystack pipeline of stock parts with the same embedding and language model (``haystack_``,
and ``haystack_3_`` with three passages, about what ours reads; benchmarks/end_to_end_rival.py), so
that whatever else the machine does slows all alike. One judge serves all
(agent/evaluation/metrics.py). ``citation_precision`` is of the places cited for questions that have
an answer, ``cited`` the share of the answers given that cite any. Ratios are ours over Haystack's.
Steps are milliseconds warm, and ``cold_`` in a fresh process, loading included; what grounding
costs is part of no other step. Haystack's converters need the extra ``bench``.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from end_to_end_stages import STAGES, answering, traced
from report import report

from adapters.errors import ExpertError
from adapters.lab import lab_model
from agent.assemble import open_generator, open_indexer
from agent.evaluation.metrics import Measured, judge
from agent.evaluation.recounted import Recount
from agent.expert import Expert, Failure, Reply
from agent.suite import SuiteQuestion, read_suite
from agent.workspace import Workspace
from pipelines.read import open_reader

EXAMPLES = [
    Path(__file__).parents[1] / "examples" / name for name in ("hr", "maintenance", "health")
]
_FIGURES = {
    "f1": "f1",
    "right": "right",
    "citation_precision": "citation_precision",
    "grounded_share": "grounded",
    "withheld_unanswerable": "withheld",
    "withheld_answerable": "falsely_withheld",
    "latency_p50_ms": "latency_p50_ms",
    "latency_p95_ms": "latency_p95_ms",
    "prompt_tokens": "prompt_tokens",
}
_WARM_UP = "How is this kept?"
_FEW = 3
Ask = Callable[[str], Reply]


def index(workspace: Workspace, folders: Sequence[Path]) -> float:
    """Index folders; return the seconds."""
    started = time.perf_counter()
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths(folders)
    return time.perf_counter() - started


def few(folder: Path) -> tuple[list[Path], list[SuiteQuestion]]:
    """Copy ten pages into a folder; return it, with three questions on them and one on none."""
    folder.mkdir()
    pages = sorted((EXAMPLES[2] / "documents" / "markdown").iterdir())[:10]
    for page in pages:
        shutil.copy(page, folder)
    asked = read_suite(EXAMPLES[2] / "questions.jsonl").questions
    names = {f"markdown/{page.name}" for page in pages}
    there = [one for one in asked if one.has_answer and set(one.gold_files) <= names]
    return [folder], [*there[:3], next(one for one in asked if not one.has_answer)]


def ask_all(
    ways: dict[str, Ask], questions: Sequence[SuiteQuestion], told: Callable[[], dict[str, float]]
) -> tuple[dict[str, list[Reply | Failure]], dict[str, list[dict[str, float]]]]:
    """Ask each way every question in turn; return the replies and how long the steps took."""
    for ask in ways.values():
        ask(_WARM_UP)
    told()
    replies: dict[str, list[Reply | Failure]] = {way: [] for way in ways}
    steps: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number, question in enumerate(questions, 1):
        for way, ask in ways.items():
            # It keeps what it read for the last question, which is the same for all ways.
            open_reader().read("", [])
            try:
                replies[way].append(ask(question.question))
            except ExpertError as error:
                replies[way].append(Failure(question.question, error))
            steps[way].append(told())
        if number % 20 == 0:
            print(f"{number} of {len(questions)} questions", file=sys.stderr, flush=True)
    return replies, steps


def figures(
    questions: Sequence[SuiteQuestion],
    replies: Sequence[Reply | Failure],
    prefix: str,
    recounted: Callable[[Reply], bool],
) -> dict[str, float | int | str]:
    judged = tuple(
        judge(question, reply, {}, lambda one, other: 0.0, recounted)
        for question, reply in zip(questions, replies, strict=True)
    )
    found = Measured(prefix, judged).figures
    given = [r for r in replies if isinstance(r, Reply) and not r.answer.abstained]
    return {
        **{f"{prefix}{key}": found[name] for key, name in _FIGURES.items() if name in found},
        f"{prefix}cited": sum(bool(r.answer.citations) for r in given) / max(len(given), 1),
        f"{prefix}failed": int(found["failed"]),
    }


def cold(workspace: Workspace, answerer: str, questions: Sequence[str]) -> list[dict[str, float]]:
    """Ask each question in a process of its own; return how long the steps took."""
    script = Path(__file__).with_name("end_to_end_stages.py")
    told = []
    for question in questions:
        command = [sys.executable, str(script), str(workspace.path), answerer, question]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        process = 1000 * (time.perf_counter() - started)
        told.append(json.loads(done.stdout.splitlines()[-1]) | {"process": process})
    return told


def steps_of(taken: Sequence[dict[str, float]], prefix: str) -> dict[str, float]:
    """Return the median and the 95th percentile of each step that was taken."""
    found = {}
    for name in (*STAGES, "open", "process"):
        times = [one[name] for one in taken if name in one]
        if any(times):
            found[f"{prefix}{name}_p50_ms"] = float(np.percentile(times, 50))
            found[f"{prefix}{name}_p95_ms"] = float(np.percentile(times, 95))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--documents", type=Path, nargs="+", help="folders")
    parser.add_argument("--questions", type=Path, nargs="+", help="suites, JSON lines")
    parser.add_argument("--passages", type=int, default=10, help="Haystack's top_k")
    parser.add_argument("--limit", type=int, help="ask this many, drawn at random")
    parser.add_argument("--cold", type=int, default=5, help="fresh processes for each answerer")
    parser.add_argument("--quick", action="store_true", help="four questions on ten pages")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if (options.documents is None) != (options.questions is None):
        parser.error("--documents and --questions go together")
    suites = options.questions or [folder / "questions.jsonl" for folder in EXAMPLES]
    lab_model()
    try:
        from end_to_end_rival import HaystackRag

        with tempfile.TemporaryDirectory() as temporary:
            if options.quick:
                documents, questions = few(Path(temporary) / "documents")
            else:
                documents = options.documents or [folder / "documents" for folder in EXAMPLES]
                questions = [one for suite in suites for one in read_suite(suite).questions]
            if options.limit:
                count = min(options.limit, len(questions))
                questions = random.Random(0).sample(questions, count)
            workspace = Workspace(Path(temporary) / ".expert")
            values: dict[str, float | int | str] = {
                "questions": len(questions),
                "haystack_passages": options.passages,
                "index_s": index(workspace, documents),
            }
            started = time.perf_counter()
            rival = HaystackRag(documents)
            values["haystack_index_s"] = time.perf_counter() - started
            # A generator each: one keeps the beginning of the prompt that it read last.
            rivals = {
                "haystack_": rival.asking(open_generator(workspace), options.passages),
                f"haystack_{_FEW}_": rival.asking(open_generator(workspace), _FEW),
            }
            values |= measured(workspace, rivals, questions, 1 if options.quick else options.cold)
    except ImportError as error:
        parser.error(f"{str(error).splitlines()[0]}: pip install -e '.[bench]'")
    report("end_to_end", values, options.json)


def measured(
    workspace: Workspace,
    rivals: Mapping[str, Ask],
    questions: Sequence[SuiteQuestion],
    processes: int,
) -> dict[str, float | int | str]:
    values: dict[str, float | int | str] = {}
    stages, recount = traced(), Recount(workspace)
    with (
        Expert(answering(workspace.path, "auto")) as ours,
        Expert(answering(workspace.path, "phi3")) as writing,
    ):
        ways = {"": ours.ask, "phi3_": writing.ask, **rivals}
        replies, steps = ask_all(ways, questions, stages.told)
    for way, given in replies.items():
        values |= figures(questions, given, way, recount.backs)
    # Those that take every step.
    answered = [
        reply.question
        for reply in replies[""]
        if isinstance(reply, Reply) and reply.route == "retrieval"
    ]
    for way in ("", "phi3_"):
        for rival in rivals:
            ratio = float(values[f"{way}latency_p50_ms"]) / float(values[f"{rival}latency_p50_ms"])
            values[f"{way}latency_vs_{rival.rstrip('_')}"] = ratio
        values |= steps_of(steps[way], way)
        first = cold(workspace, "phi3" if way else "auto", answered[:processes])
        values |= steps_of(first, f"{way}cold_")
    return values


if __name__ == "__main__":
    main()
