"""Facts change in the documents after an adapter learned them: what is still told from memory.

    python benchmarks/freshness.py [--medquad FILE] [--json OUT]

Each answer of examples/hr/know_how.jsonl that has a number becomes a document, and the HR
adapter's card says that it rests on them. Then the number is changed in half of the documents.
Those facts are asked for in other words (know_how_paraphrased.jsonl), as the router decides:
``told_new`` holds the new number, ``told_old`` the old one and not the new. ``blind`` is the same
without the card's sources, as before they were kept.

``--medquad`` names MedQuAD's questions and answers as JSON lines, plain or .gz. Then the same is
done with the health adapter and the whole pages that its facts were taken from: ``pages_…``.
"""

import argparse
import gzip
import json
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from report import report

from adapters.card import AdapterCard
from adapters.lab import lab_model
from adapters.registry import Registry
from adapters.training.sameness import content_words
from agent.advise.facts import Change, change_of
from agent.assemble import open_indexer
from agent.expert import Expert, Reply
from agent.freshness import IndexedDocuments
from agent.workspace import Workspace
from pipelines.facts import stems
from pipelines.sentences import sentence_spans

EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True)
class Taught:
    """What an adapter of the examples was taught, and the documents that say so.

    :param industry: Folder of the examples.
    :param documents: Text of each file.
    :param places: File that an answer stands in.
    """

    industry: str
    documents: Mapping[str, str]
    places: Mapping[str, str]

    @property
    def folder(self) -> Path:
        return EXAMPLES / self.industry


def pairs(file: Path) -> list[tuple[str, str]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [(row["question"], row["answer"]) for row in map(json.loads, lines)]


def number_of(answer: str) -> Change | None:
    """Return a change of the number in an answer; None where it has none."""
    change = change_of(answer, 0)
    return change if change is not None and change.old[0].isdigit() else None


def short_documents() -> Taught:
    """Return a document of a heading and a sentence for each fact of the HR adapter."""
    titles = {answer: q for q, answer in reversed(pairs(EXAMPLES / "hr/know_how.jsonl"))}
    facts = [answer for answer in reversed(titles) if number_of(answer)]
    places = {answer: f"fact-{number:03}.md" for number, answer in enumerate(facts)}
    texts = {
        file: f"# {titles[answer].rstrip('?')}\n\n{answer}\n" for answer, file in places.items()
    }
    return Taught("hr", texts, places)


def handbook(industry: str) -> Taught:
    """Return documents of five facts of an adapter each, under the questions it was taught."""
    titles = {answer: q for q, answer in reversed(pairs(EXAMPLES / industry / "know_how.jsonl"))}
    texts: dict[str, str] = defaultdict(str)
    places = {}
    for number, (answer, title) in enumerate(sorted(titles.items())):
        places[answer] = f"part-{number % (len(titles) // 5):03}.md"
        texts[places[answer]] += f"# {title.rstrip('?')}\n\n{answer}\n\n"
    return Taught(industry, texts, places)


def medical_pages(medquad: Path) -> Taught:
    """Return the pages of MedQuAD that the health adapter's facts were taken from."""
    opened = gzip.open if medquad.suffix == ".gz" else open
    topics: dict[tuple[str, str], list[str]] = defaultdict(list)
    with opened(medquad, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            section = f"## {row['question']}\n\n{row['answer']}\n"
            topics[row["source"], row["focus"].lower()].append(section)
    answers = {f"{q} {answer}": answer for q, answer in pairs(EXAMPLES / "health/know_how.jsonl")}
    sources = (EXAMPLES / "health/know_how_sources.md").read_text(encoding="utf-8")
    documents, places = {}, {}
    for fact, source, topic in re.findall(r"(?m)^\| (.*) \| MedQuAD, (\w+): (.*) \|$", sources):
        if (source, topic.lower()) in topics:
            file = re.sub(r"\W+", "-", f"{topic} {source}".lower()) + ".md"
            documents[file] = "\n".join([f"# {topic}\n", *topics[source, topic.lower()]])
            places[answers[fact]] = file
    return Taught("health", documents, places)


def index(workspace: Workspace, folder: Path) -> None:
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([folder])


def indexed(taught: Taught, within: Path) -> tuple[Path, Workspace]:
    """Return the folder that the documents are written into, and the workspace that has them."""
    folder, workspace = within / "docs", Workspace(within / ".expert")
    folder.mkdir()
    for file, text in taught.documents.items():
        (folder / file).write_text(text, encoding="utf-8")
    index(workspace, folder)
    return folder, workspace


def publish(
    workspace: Workspace, taught: Taught, keeps_sources: bool, facts: Container[str] | None = None
) -> None:
    """Put the examples' adapter into a workspace.

    :param facts: What its card says that it was taught, of what the documents say; None for all.
    """
    card = AdapterCard.read(taught.folder / "adapter")
    if keeps_sources:
        known = IndexedDocuments.of(workspace)
        assert known is not None
        sources, _ = known.sources(taught.places.values())
        answers = dict(pairs(taught.folder / "know_how.jsonl"))
        told = [(question, answers.get(question, "")) for question in card.questions]
        kept = [(q, a) for q, a in told if facts is None or a in facts or a not in taught.places]
        resting = tuple((taught.places[a],) if a in taught.places else () for _, a in kept)
        card = card.model_copy(
            update={
                "sources": sources,
                "questions": tuple(question for question, _ in kept),
                "question_answers": tuple(answer for _, answer in kept),
                "question_sources": resting,
            }
        )
    Registry(workspace.adapters_folder).publish(taught.folder / "adapter", card)


def words_of(text: str) -> set[str]:
    """Return the stems of a text's words, numbers aside."""
    return stems({word for word in content_words(text) if not any(map(str.isdigit, word))})


def changes_it(change: Change, asks: str, answer: str, text: str) -> bool:
    """Whether a change is one of the sentence that tells a fact, not of another one like it."""
    changed = change.apply(text)
    asked, told = words_of(asks), words_of(answer)

    def alike(sentence: str) -> tuple[int, int]:
        words = words_of(sentence)
        return len(told & words), len(asked & words)

    sentences = [changed[start:end] for start, end in sentence_spans(changed)]
    return changed != text and change.told(max(sentences, key=alike)) == "new"


def change_half(folder: Path, taught: Taught) -> dict[str, Change]:
    """Change the numbers of half of the facts that have one; return the changes by answer."""
    asks = {answer: q for q, answer in reversed(pairs(taught.folder / "know_how.jsonl"))}
    facts = {
        answer: change
        for answer, file in taught.places.items()
        if (change := number_of(answer))
        and changes_it(change, asks[answer], answer, taught.documents[file])
    }
    chosen = random.Random(0).sample(list(facts), len(facts) // 2)
    for answer in chosen:
        path = folder / taught.places[answer]
        path.write_text(facts[answer].apply(path.read_text(encoding="utf-8")), encoding="utf-8")
    return {answer: facts[answer] for answer in chosen}


def asked(workspace: Workspace, taught: Taught, changed: Mapping[str, Change]) -> dict[str, float]:
    """Ask for the changed facts in other words."""
    file = taught.folder / "know_how_paraphrased.jsonl"
    told = [(question, changed[answer]) for question, answer in pairs(file) if answer in changed]
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


def measure(taught: Taught, keeps_sources: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        folder, workspace = indexed(taught, Path(temporary))
        publish(workspace, taught, keeps_sources)
        changed = change_half(folder, taught)
        index(workspace, folder)
        count = {"documents": len(taught.documents), "changed": len(changed)}
        return count | asked(workspace, taught, changed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--medquad", type=Path, help="MedQuAD as JSON lines, plain or .gz")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lab_model()
    sets = {"": short_documents()}
    if options.medquad:
        sets["pages_"] = medical_pages(options.medquad)
    figures = {
        f"{prefix}{name}_{key}": value
        for prefix, taught in sets.items()
        for name, keeps in (("blind", False), ("fresh", True))
        for key, value in measure(taught, keeps).items()
    }
    report("Freshness", figures, options.json)


if __name__ == "__main__":
    main()
