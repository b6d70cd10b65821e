"""Questions that one look into the documents cannot answer (examples/hops.jsonl).

    python benchmarks/hops.py [--workspace FOLDER] [--modes off,auto,on] [--quick] [--json OUT]

All three example collections in one index, with their adapters, as the router decides. ``off``
looks once; ``auto`` takes the question apart by its wording; ``on`` lets the language model call
tools as well. An answer is right when it holds all accepted words and, of a comparison, its last
sentence names the right one with the right amounts. ``held_out`` are the questions that were not
looked at while building. ``others`` are the collections' own questions that are not to be
answered: ``others_withheld`` has to stay what it is with ``off``. ``--quick`` asks the first
twelve of each.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from report import report

from adapters.card import AdapterCard
from adapters.lab import lab_model
from adapters.registry import Registry
from agent.assemble import open_indexer
from agent.expert import Expert, Reply
from agent.measure import plain
from agent.settings import AgentSettings
from agent.workspace import Workspace
from pipelines.sentences import sentence_spans

EXAMPLES = Path(__file__).parents[1] / "examples"
COLLECTIONS = ("hr", "health", "maintenance")


def built(folder: Path) -> Workspace:
    workspace = Workspace(folder)
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([EXAMPLES / name / "documents" for name in COLLECTIONS])
    for name in COLLECTIONS:
        adapter = EXAMPLES / name / "adapter"
        Registry(workspace.adapters_folder).publish(adapter, AdapterCard.read(adapter))
    return workspace


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def is_right(row: Mapping[str, Any], reply: Reply) -> bool:
    text = reply.answer.text
    if text is None:
        return False
    last = text[sentence_spans(text)[-1][0] :]
    if not all(plain(words) in plain(text) for words in row["accepted_all"]):
        return False
    if "concludes" not in row:
        return True
    amounts = {number for words in row["accepted_all"] for number in numbers(words)}
    return plain(row["concludes"]) in plain(last) and amounts <= numbers(last)


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))


def asked(workspace: Workspace, mode: str, questions: Sequence[str]) -> list[tuple[Reply, float]]:
    workspace.settings.agent = AgentSettings.model_validate({"mode": mode})
    found = []
    with Expert(workspace) as expert:
        expert.ask(questions[0])  # opens what the first one would wait for
        for question in questions:
            started = time.perf_counter()
            reply = expert.ask(question)
            found.append((reply, time.perf_counter() - started))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--modes", default="off,auto,on")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lab_model()
    most = 12 if options.quick else None
    hops = rows(EXAMPLES / "hops.jsonl")[:most]
    others = [
        row["question"]
        for name in COLLECTIONS
        for row in rows(EXAMPLES / name / "questions.jsonl")
        if row["kind"] == "unanswerable"
    ][:most]
    figures: dict[str, float | int | str] = {"questions": len(hops), "others": len(others)}
    with tempfile.TemporaryDirectory() as temporary:
        workspace = (
            Workspace(options.workspace)
            if options.workspace
            else built(Path(temporary) / ".expert")
        )
        for mode in options.modes.split(","):
            figures |= measured(workspace, mode, hops, others)
    report("Hops", figures, options.json)


def measured(
    workspace: Workspace, mode: str, hops: Sequence[Mapping[str, Any]], others: Sequence[str]
) -> dict[str, float]:
    told = asked(workspace, mode, [row["question"] for row in hops])
    found: dict[str, float] = {}
    for name, kept in (("", (False, True)), ("held_out_", (True,))):
        these = [
            (row, r) for row, (r, _) in zip(hops, told, strict=True) if row["held_out"] in kept
        ]
        for kind in ("comparison", "bridge"):
            of_kind = [(row, reply) for row, reply in these if row["kind"] == kind]
            found[f"{name}{kind}s"] = len(of_kind)
            found[f"{name}{kind}_right"] = sum(is_right(*one) for one in of_kind)
            found[f"{name}{kind}_wrong"] = sum(
                not is_right(*one) and not one[1].answer.abstained for one in of_kind
            )
        none = [reply for row, reply in these if row["kind"] == "unanswerable"]
        found[f"{name}unanswerable"] = len(none)
        found[f"{name}unanswerable_withheld"] = sum(reply.answer.abstained for reply in none)
    found["seconds"] = sum(seconds for _, seconds in told) / len(told)
    rest = asked(workspace, mode, others)
    found["others_withheld"] = sum(reply.answer.abstained for reply, _ in rest)
    found["others_seconds"] = sum(seconds for _, seconds in rest) / len(rest)
    return {f"{mode}_{key}": value for key, value in found.items()}


if __name__ == "__main__":
    main()
