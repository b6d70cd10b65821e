"""Questions of a planner over the example's tables: right, wrong and not read.

The answers of ``examples/maintenance/tables.jsonl`` were computed over the files with pandas. Half
of the first 84 (``held_out``) were worded before the reader of questions was written, and not
looked at while it was; 32 more (``later``) were worded after it, in another voice.
"""

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from report import report

from agent.assemble import open_indexer, open_store
from agent.evaluation.recounted import Recount
from agent.expert import Expert
from agent.suite import SuiteQuestion, read_suite
from agent.workspace import Workspace
from pipelines.convert import convert_file
from pipelines.split import split
from pipelines.stores import PassageStore
from pipelines.stores.sqlite import SqliteDocumentStore
from pipelines.tables import Tables
from pipelines.tables.answer import TableAnswerer

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
FILES = EXAMPLES / "maintenance/documents/original_csv"
_NUMBER = re.compile(r"(?<![\w.,-])-?\d[\d,]*(?:\.\d+)?(?![\w-])")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the tables alone, without the rest")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print what was not right")
    options = parser.parse_args()
    suite = read_suite(EXAMPLES / "maintenance/tables.jsonl").questions
    with TemporaryDirectory() as folder:
        if options.quick:
            store = SqliteDocumentStore(Path(folder) / "passages.sqlite")
            fill(store)
            answerer = TableAnswerer(Tables(store))
            figures = measured(suite, lambda one: by_tables(answerer, one), options.verbose)
            figures |= costs(store)
        else:
            workspace = Workspace(Path(folder))
            with workspace.index_lock(), open_indexer(workspace) as indexer:
                indexer.index_paths([FILES.parent])
            recount = Recount(workspace)
            with Expert(workspace, route="retrieval", answerer="quote") as expert:
                figures = measured(
                    suite, lambda one: by_expert(expert, recount, one), options.verbose
                )
            store = open_store(workspace, read_only=True)
            figures |= costs(store)
        store.close()
    report("tables", figures, options.json)


@dataclass(frozen=True)
class Told:
    """What became of a question: its answer, if a table gave it, and if counting again backs it."""

    text: str | None
    by_table: bool
    reason: str
    recounted: bool | None = None


def fill(store: SqliteDocumentStore) -> None:
    """Write the tables' rows as indexing does, but for the vectors, which no query needs."""
    for path in sorted(FILES.iterdir()):
        passages = split(
            convert_file(path),
            root=str(FILES.parent),
            document=f"{FILES.name}/{path.name}",
            format="csv",
            max_tokens=192,
            count_tokens=lambda texts: [len(text) // 3 for text in texts],
        )
        store.write_documents(passages)


def by_tables(answerer: TableAnswerer, question: str) -> Told:
    found = answerer.answer(question)
    if found is None:
        return Told(None, False, answerer.read(question).reason)
    return Told(found.answer.text, True, found.answer.reason or "")


def by_expert(expert: Expert, recount: Recount, question: str) -> Told:
    reply = expert.ask(question)
    answer = reply.answer
    by_table = answer.answerer == "table"
    backed = recount.backs(reply) if by_table and answer.text is not None else None
    return Told(answer.text, by_table, answer.reason or "", backed)


def measured(
    suite: list[SuiteQuestion], ask: Callable[[str], Told], verbose: bool
) -> dict[str, float]:
    """Ask all questions and count what became of them."""
    counts: dict[str, int] = {}

    def count(name: str) -> None:
        counts[name] = counts.get(name, 0) + 1

    for question in suite:
        told = ask(question.question)
        marks = question.model_extra or {}
        half = "later" if marks.get("later") else "held_out" if marks["held_out"] else "seen"
        kind = "answerable" if question.has_answer else "unanswerable"
        outcome = "withheld" if told.text is None else "wrong" if told.by_table else "quoted"
        if told.by_table and told.text is not None:
            count("from_tables")
            count(f"recounted_{told.recounted}")
            if question.has_answer and says(question, told.text):
                outcome = "right"
        count(f"{half}_{kind}")
        count(f"{half}_{kind}_{outcome}")
        if verbose and outcome != "right":
            print(f"{half} {kind} {outcome}: {question.question} -> {told.text or told.reason}")
    figures: dict[str, float] = dict(sorted(counts.items()))
    for half in ("held_out", "later", "seen"):
        right, asked = counts.get(f"{half}_answerable_right", 0), counts[f"{half}_answerable"]
        figures[f"{half}_right_share"] = right / asked
    wrong = sum(count for name, count in counts.items() if name.endswith("_wrong"))
    figures["wrong"] = wrong
    figures["wrong_share_of_answers"] = wrong / max(counts.get("from_tables", 0), 1)
    return figures


def says(question: SuiteQuestion, text: str) -> bool:
    """Whether an answer has the accepted value as a word or a number of its own."""
    numbers = {float(found.replace(",", "")) for found in _NUMBER.findall(text)}

    def has(value: str) -> bool:
        if _NUMBER.fullmatch(value):
            return float(value.replace(",", "")) in numbers
        # A date may be followed by its time.
        return re.search(rf"(?<!\w){re.escape(value)}(?:T|(?!\w))", text) is not None

    if question.accepted_all:
        return all(map(has, question.accepted_all))
    return any(map(has, question.accepted))


def costs(store: PassageStore) -> dict[str, float]:
    """Time what questions cost that are none of a table, and the first that is."""
    others = [
        question.question
        for path in sorted(EXAMPLES.glob("*/questions.jsonl"))
        for question in read_suite(path).questions
    ]
    answerer = TableAnswerer(Tables(store))
    started = time.perf_counter()
    answerer.answer("How many work orders are there?")
    first = time.perf_counter() - started
    each = []
    read = 0
    for question in others:
        started = time.perf_counter()
        read += answerer.answer(question) is not None
        each.append(1000 * (time.perf_counter() - started))
    tabled = []
    for question in read_suite(EXAMPLES / "maintenance/tables.jsonl").questions:
        started = time.perf_counter()
        if answerer.answer(question.question) is not None:
            tabled.append(1000 * (time.perf_counter() - started))
    return {
        "others": len(others),
        "others_read": read,
        "others_p50_ms": median(each),
        "others_max_ms": max(each),
        "first_ms": 1000 * first,
        "answer_p50_ms": median(tabled),
        "answer_max_ms": max(tabled),
    }


if __name__ == "__main__":
    main()
