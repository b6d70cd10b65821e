"""How often answers are right, cited rightly and withheld rightly, for both answerers.

    python benchmarks/answers.py --squad dev-v2.0.json.gz [--questions 1000] [--json OUT]
    python benchmarks/answers.py --suite questions.jsonl --documents FOLDER
    python benchmarks/answers.py --quick

``--squad`` indexes the paragraphs of any SQuAD 1.1 or 2.0 file and asks its questions;
``--suite`` indexes a folder and shows where answers are lost on the way. EM and F1 are
SQuAD's own, of the language model's reply without its citation marks.
"""

import argparse
import gzip
import json
import random
import re
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from report import report
from retrieval import read_squad

from adapters.training.squad import f1, same_words
from agent.assemble import open_embedder, open_indexer, open_store
from agent.expert import Expert
from agent.measure import Outcome, figures, outcomes
from agent.suite import SuiteQuestion
from agent.suite import read_suite as read_questions
from agent.workspace import Workspace
from pipelines.catalog import Catalog
from pipelines.embed.components import embed_passages

EXAMPLES = Path(__file__).parents[1] / "examples"
_QUICK = 60
_MARK = re.compile(r"\s*\[[\d, ]+\]")


def index_squad(path: Path, workspace: Workspace) -> list[SuiteQuestion]:
    """Index a SQuAD file's paragraphs, one passage each, and return all its questions."""
    documents, _ = read_squad(path)
    embedder = open_embedder(workspace)
    workspace.create()
    with Catalog(workspace.index_folder / "catalog.sqlite"):
        store = open_store(workspace)
        store.write_documents(embed_passages(embedder, documents))
        store.set_metadata({"embedder": embedder.fingerprint})
        store.close()
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        articles = json.load(file)["data"]
    return [
        SuiteQuestion(
            id=str(asked["id"]),
            question=asked["question"].strip(),
            accepted=accepted,
            gold_files=(f"{article['title'].replace('_', ' ')}.txt",),
        )
        for article in articles
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
        for accepted in [_references(asked["answers"])]
        # What has none left is not known to be unanswerable.
        if asked["question"].strip() and bool(accepted) == bool(asked["answers"])
    ]


def _references(answers: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return an answer's references, each once; a few of SQuAD's are a mere stop."""
    return tuple(dict.fromkeys(one["text"] for one in answers if re.search(r"\w", one["text"])))


def index_folder(folder: Path, workspace: Workspace) -> None:
    """Index a folder as ``expert index`` does."""
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([folder])


def measure(
    workspace: Workspace, questions: Sequence[SuiteQuestion], answerer: str
) -> tuple[list[Outcome], float]:
    """Ask the questions; return what became of each and the mean time in milliseconds."""
    with Expert(workspace, answerer=answerer) as expert:
        expert.ask("warm up")
        started = time.perf_counter()
        found = []
        for one in outcomes(expert, questions):
            if not isinstance(one, Outcome):
                raise one[1].error
            found.append(one)
        return found, 1000 * (time.perf_counter() - started) / max(len(questions), 1)


def named(found: Sequence[Outcome], name: str) -> dict[str, float]:
    """Return an answerer's figures under the names that others rely on."""
    asked = [outcome for outcome in found if outcome.answerable]
    given = [outcome for outcome in asked if not outcome.reply.answer.abstained]
    values = {f"{name}_{key}": value for key, value in figures(found).items()}
    values[f"{name}_contains"] = sum(o.right for o in given) / max(len(given), 1)
    if name != "quote":
        pairs = [(_MARK.sub("", o.reply.answer.text or ""), o.question.accepted) for o in asked]
        values[f"{name}_em"] = _mean(
            any(same_words(text, gold) for gold in golds) for text, golds in pairs
        )
        values[f"{name}_f1"] = _mean(max(f1(text, gold) for gold in golds) for text, golds in pairs)
    return values


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / max(len(found), 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--squad", type=Path, help="SQuAD 1.1 or 2.0, JSON(.gz)")
    parser.add_argument("--suite", type=Path, help="a suite of questions, JSON lines")
    parser.add_argument("--documents", type=Path, help="folder of the suite's documents")
    parser.add_argument("--questions", type=int, help="ask this many, drawn at random")
    parser.add_argument("--lab-questions", type=int, default=100, help="ask the lab model so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="60 questions on the health pages")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick and not options.squad and not options.suite:
        options.suite = EXAMPLES / "health" / "questions.jsonl"
        options.documents = EXAMPLES / "health" / "documents"
    if not options.squad and not (options.suite and options.documents):
        parser.error("--squad FILE, or --suite FILE with --documents FOLDER")
    limit = options.questions or (_QUICK if options.quick else None)
    lab_limit = min(options.lab_questions, 5) if options.quick else options.lab_questions
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        if options.squad:
            questions = index_squad(options.squad, workspace)
        else:
            index_folder(options.documents, workspace)
            questions = read_questions(options.suite).questions
        random.Random(options.seed).shuffle(questions)
        found, milliseconds = measure(workspace, questions[:limit], "quote")
        values = named(found, "quote") | {"quote_ms": milliseconds}
        if lab_limit:
            found, milliseconds = measure(workspace, questions[:lab_limit], "phi3")
            values |= named(found, "lab") | {"lab_ms": milliseconds}
    # Quote is the default wherever nothing else was measured to be better.
    values |= {
        "citation_precision": values["quote_citation_precision"],
        "abstention_recall": values["quote_withheld"],
        "false_abstention": values["quote_falsely_withheld"],
    }
    report("answers", values, options.json)


if __name__ == "__main__":
    main()
