"""Build the data that teaches the lab model to read, the same bytes for the same seed."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adapters.cache import write_whole
from agent.errors import LabError
from agent.lab import sources
from agent.lab.compose import Row, over, rows, show, typed
from agent.lab.retrieved import read_retrieved
from agent.lab.retrieved import rows_of as asked_over
from agent.lab.sources import Article, Text
from agent.training_context import REFUSES

TRAIN, HELD_OUT, ABOUT = "train.jsonl", "held_out.jsonl", "about.json"
# Of SQuAD 1.1, so many articles are learned from; the rest is held out.
SQUAD_LEARNED = 420
# Of SQuAD 2.0, these are held out.
HELD_OUT_ARTICLES = slice(2, None, 3)
_TOPICS, _ELSEWHERE = 1200, 900
_MEASURED = 100
# Each question over evidence that has nothing to do with it.
_ASKED_ELSEWHERE = 3

_LICENCES = {
    "squad": "SQuAD 1.1, CC BY-SA 4.0",
    "squad2": "SQuAD 2.0, CC BY-SA 4.0",
    "tables": "WikiTableQuestions, CC BY-SA 4.0",
    "reports": "TAT-QA, CC BY 4.0",
    "studies": "PubMedQA, MIT",
    "topics": "MedQuAD, CC BY 4.0",
    "elsewhere": "Dolly 15k, CC BY-SA 3.0",
    "written": "written for this project, Apache-2.0",
    "retrieved": "written for this project, Apache-2.0, on documents with licences of their own",
}


@dataclass(frozen=True, slots=True)
class Files:
    """Where the question sets are; all but the first may be missing.

    :param squad: SQuAD 1.1's training file.
    :param squad2: A SQuAD 2.0 file; every third of its articles is held out, here and in ``squad``.
    :param tables: Folder of WikiTableQuestions.
    :param reports: A TAT-QA file.
    :param studies: A PubMedQA file.
    :param topics: MedQuAD as JSON lines.
    :param elsewhere: Dolly's open questions as JSON lines.
    :param written: Further questions on SQuAD's texts, such as those in ``agent/lab/questions``;
        see :func:`agent.lab.sources.written`.
    :param retrieved: Questions with what was found for them, as ``expert lab evidence`` writes.
    """

    squad: Path
    squad2: Path | None = None
    tables: Path | None = None
    reports: Path | None = None
    studies: Path | None = None
    topics: Path | None = None
    elsewhere: Path | None = None
    written: Path | None = None
    retrieved: Path | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What was built.

    :param learned: Rows to learn from, by kind.
    :param refused: How many of them are refusals.
    :param measured: Rows held out.
    :param sha256: Of each file written.
    """

    learned: dict[str, int]
    refused: int
    measured: int
    sha256: dict[str, str]


def build(
    files: Files,
    target: Path,
    *,
    seed: int = 0,
    most_texts: int | None = None,
    times: int = 2,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Built:
    """Write rows to learn from and rows to measure on, as ``expert train`` reads them.

    :param files: The question sets.
    :param target: Folder to write into; made if missing.
    :param seed: Decides what is shown and how questions are worded.
    :param most_texts: Of SQuAD 1.1, ask on so many texts at most, first on those with further
        questions; the others still stand beside them. None for all.
    :param times: How often people's misleading questions and retrieved ones are shown, over other
        evidence each time.
    :param on_progress: Told how many articles are done, and of how many.
    :raises LabError: When a set cannot be read.
    """
    learned, held_out = _articles(files, random.Random(seed), most_texts, times)  # noqa: S311
    texts: list[list[Row]] = []
    for done, article in enumerate(learned, 1):
        # Of its own seed: another set more or less changes nothing here.
        chance = random.Random(f"{seed} {done} {article.kind}")  # noqa: S311
        texts += rows(article, chance)
        on_progress(done, len(learned))
    chance = random.Random(seed)  # noqa: S311
    if files.elsewhere is not None:
        texts += _elsewhere(sources.elsewhere(files.elsewhere), learned, chance)
    if files.retrieved is not None:
        found = read_retrieved(files.retrieved)
        texts += [asked_over(group, chance) for group in found for _ in range(times)]
    # Those over the same evidence stay together, so that a part of the file has them too.
    chance.shuffle(texts)
    made = [row for about in texts for row in about]
    measured = [row for article in held_out for about in rows(article, chance) for row in about]
    measured = chance.sample(measured, min(_MEASURED, len(measured)))
    target.mkdir(parents=True, exist_ok=True)
    hashes = {TRAIN: _write(target / TRAIN, made), HELD_OUT: _write(target / HELD_OUT, measured)}
    built = Built(
        learned=dict(sorted(Counter(row.kind for row in made).items())),
        refused=sum(_refuses(row) for row in made),
        measured=len(measured),
        sha256=hashes,
    )
    about = asdict(built) | {
        "seed": seed,
        "most_texts": most_texts,
        "times": times,
        "sources": {name: _source(path, name) for name, path in asdict(files).items() if path},
    }
    write_whole(target / ABOUT, (json.dumps(about, indent=1) + "\n").encode())
    return built


def _articles(
    files: Files, chance: random.Random, most_texts: int | None, times: int
) -> tuple[list[Article], list[Article]]:
    further = None if files.written is None else sources.written(files.written)
    articles = list(sources.squad(files.squad, written=further))
    learned, held_out = articles[:SQUAD_LEARNED], articles[SQUAD_LEARNED:]
    misleading: list[Article] = []
    if files.squad2 is not None:
        misleading = list(sources.squad(files.squad2, kind="squad2"))
        held_out = misleading[HELD_OUT_ARTICLES]
        # Both versions of SQuAD have much the same articles.
        titles = {text.title for article in held_out for text in article.texts}
        learned, misleading = (
            [one for one in some if not any(text.title in titles for text in one.texts)]
            for some in (learned, misleading)
        )
    if most_texts is not None:
        once = random.Random(chance.random())  # noqa: S311
        learned = _asked_on(learned, most_texts, frozenset(further or ()), once)
    learned += times * misleading
    if files.tables is not None:
        learned += sources.tables(files.tables)
    if files.reports is not None:
        learned += sources.reports(files.reports)
    if files.studies is not None:
        learned += sources.studies(files.studies)
    if files.topics is not None:
        topics = list(sources.topics(files.topics))
        learned += chance.sample(topics, min(_TOPICS, len(topics)))
    if not learned:
        raise LabError("the question sets hold no article to learn from")
    return learned, held_out


def _asked_on(
    articles: Sequence[Article], most: int, further: frozenset[str], chance: random.Random
) -> list[Article]:
    """Return articles with questions on some of their texts alone, first where more are asked."""

    def order(text: Text) -> tuple[bool, float]:
        known = any(sources.key(one.question) in further for one in text.asked)
        return not known, chance.random()

    texts = [text for article in articles for text in article.texts]
    kept = {id(text) for text in sorted(texts, key=order)[:most]}
    return [
        replace(
            article,
            texts=tuple(
                text if id(text) in kept else replace(text, asked=()) for text in article.texts
            ),
        )
        for article in articles
    ]


def _elsewhere(
    questions: Sequence[str], articles: Sequence[Article], chance: random.Random
) -> Iterator[list[Row]]:
    """Yield questions over evidence of an article that has nothing to do with them."""
    asked = chance.sample(questions, min(_ELSEWHERE, len(questions)))
    for first in range(0, len(asked), _ASKED_ELSEWHERE):
        article = chance.choice(articles)
        shown = show(article, chance.randrange(len(article.texts)), chance)
        yield [
            Row("elsewhere", over(typed(question, chance), shown.evidence, REFUSES))
            for question in asked[first : first + _ASKED_ELSEWHERE]
        ]


def _write(path: Path, made: Iterable[Row]) -> str:
    lines = [
        json.dumps({"messages": row.messages, "domain": row.kind}, ensure_ascii=False) + "\n"
        for row in made
    ]
    content = "".join(lines).encode()
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def _refuses(row: Row) -> bool:
    return row.messages[-1]["content"] == REFUSES


def _source(path: Path, name: str) -> dict[str, Any]:
    inside = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    sha256 = hashlib.sha256()
    for one in inside:
        sha256.update(one.read_bytes())
    return {"file": path.name, "licence": _LICENCES[name], "sha256": sha256.hexdigest()}
