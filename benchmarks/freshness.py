"""Facts change in the documents after an adapter learned them: what is still told from memory.

    python benchmarks/freshness.py [--json OUT]

Each answer of examples/hr/know_how.jsonl that has a number becomes a document, and the HR
adapter's card says that it rests on them. Then the number is changed in half of the documents.
Those facts are asked for in other words (know_how_paraphrased.jsonl), as the router decides:
``told_new`` holds the new number, ``told_old`` the old one and not the new. ``blind`` is the same
without the card's sources, as before they were kept.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from report import report

from adapters.card import AdapterCard
from adapters.lab import lab_model
from adapters.registry import Registry
from agent.advise.facts import Change, change_of
from agent.assemble import open_indexer
from agent.expert import Expert, Reply
from agent.freshness import IndexedDocuments
from agent.workspace import Workspace

HR = Path(__file__).parents[1] / "examples" / "hr"


def numbered(answer: str) -> Change | None:
    """Return a change of the number in an answer; None where it has none."""
    change = change_of(answer, 0)
    return change if change is not None and change.old[0].isdigit() else None


def pairs(name: str) -> list[tuple[str, str]]:
    lines = (HR / name).read_text(encoding="utf-8").splitlines()
    return [(row["question"], row["answer"]) for row in map(json.loads, lines)]


def index(workspace: Workspace, folder: Path) -> None:
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([folder])


def asked(workspace: Workspace, changed: Mapping[str, Change]) -> dict[str, float]:
    """Ask for the changed facts in other words."""
    told = [(q, changed[a]) for q, a in pairs("know_how_paraphrased.jsonl") if a in changed]
    new = old = withheld = from_memory = 0
    with Expert(workspace) as expert:
        replies: Iterable[object] = expert.ask_many([question for question, _ in told])
        for reply, (_, change) in zip(replies, told, strict=True):
            assert isinstance(reply, Reply)
            value = change.told(reply.answer.text or "")
            new += value == "new"
            old += value == "old"
            withheld += reply.answer.abstained
            from_memory += reply.route == "expert"
    count = len(told)
    return {
        "questions": count,
        "told_new": new / count,
        "told_old": old / count,
        "withheld": withheld / count,
        "from_memory": from_memory / count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lab_model()
    figures: dict[str, float | int | str] = {}
    for name in ("blind", "fresh"):
        with tempfile.TemporaryDirectory() as temporary:
            folder, workspace = Path(temporary) / "docs", Workspace(Path(temporary) / ".expert")
            folder.mkdir()
            rows = pairs("know_how.jsonl")
            facts = list(dict.fromkeys(answer for _, answer in rows if numbered(answer)))
            titles = {answer: question for question, answer in reversed(rows)}
            files = {answer: f"fact-{number:03}.md" for number, answer in enumerate(facts)}
            for answer, file in files.items():
                (folder / file).write_text(f"# {titles[answer].rstrip('?')}\n\n{answer}\n")
            index(workspace, folder)
            known = IndexedDocuments.of(workspace)
            assert known is not None
            card = AdapterCard.read(HR / "adapter")
            if name == "fresh":
                sources, _ = known.sources(files.values())
                answers = dict(rows)
                resting = [
                    (files[a],) if (a := answers.get(q, "")) in files else ()
                    for q in card.questions
                ]
                card = card.model_copy(
                    update={"sources": sources, "question_sources": tuple(resting)}
                )
            Registry(workspace.adapters_folder).publish(HR / "adapter", card)
            changed = {}
            for answer in random.Random(0).sample(facts, len(facts) // 2):
                change = numbered(answer)
                assert change is not None
                text = change.apply(answer)
                (folder / files[answer]).write_text(f"# {titles[answer].rstrip('?')}\n\n{text}\n")
                changed[answer] = change
            index(workspace, folder)
            figures |= {f"{name}_{key}": value for key, value in asked(workspace, changed).items()}
    figures["documents"], figures["changed"] = len(facts), len(changed)
    report("Freshness", figures, options.json)


if __name__ == "__main__":
    main()
