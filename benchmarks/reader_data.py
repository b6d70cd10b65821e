"""Examples to teach the reader: a question, a few sentences or rows, and where they answer it.

Texts are cut as evidence is: a stretch of one passage, its title before it. A part of
them does not hold the answer: the rest of the right paragraph, the most similar other
one of its article, or, in SQuAD 2, a paragraph that only seems to answer.
"""

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agent.lab.mislead import misled
from agent.lab.sources import Article, Asked, Text, piece_at, row_named, table_questions
from pipelines.sentences import sentence_spans

_WORD = re.compile(r"\w+")
_UNANSWERED = 0.35
# How often an answered question is asked again, changed to mislead.
_MISLED = 0.25
_TITLED = 0.7
# Characters of a stretch, about four to a token.
_SHORTEST, _LONGEST = 100, 480
_MOST_CELLS, _MOST_ROWS = 10, 6
# How often a question loses words that it shares with the text: users word it their own way.
_REWORDED, _WORDS_LOST = 0.4, 0.5


@dataclass(frozen=True, slots=True)
class Example:
    """One question with one text.

    :param context: Title and headings that stand before the text.
    :param start: Offset of the answer in the text, -1 when it is not there.
    """

    question: str
    context: str
    text: str
    start: int = -1
    end: int = -1

    @property
    def answer(self) -> str | None:
        """The answer's words."""
        return self.text[self.start : self.end] if self.start >= 0 else None

    def joined(self) -> tuple[str, int]:
        """Return context and text as the reader gets them, and where the text begins."""
        head = f"{self.context}\n" if self.context else ""
        return head + self.text, len(head)


def squad(path: Path, chance: random.Random, articles: slice = slice(None)) -> Iterator[Example]:
    """Yield examples of a SQuAD 1.1 or 2.0 file.

    :param articles: Which of its articles.
    """
    for article in _articles(path)[articles]:
        title = article["title"].replace("_", " ")
        texts = [paragraph["context"] for paragraph in article["paragraphs"]]
        words = [set(_WORD.findall(text.lower())) for text in texts]
        whole = Article(
            "squad",
            tuple(Text(title, tuple(t[a:b] for a, b in sentence_spans(t)), ()) for t in texts),
        )
        for number, paragraph in enumerate(article["paragraphs"]):
            spans = sentence_spans(texts[number])
            for asked in paragraph["qas"]:
                question = as_typed(asked["question"].strip(), chance)
                context = title if chance.random() < _TITLED else ""
                answers = asked["answers"]
                if asked.get("is_impossible") or not answers:
                    # The look-alike is what makes it seem to be answered.
                    likely = (asked.get("plausible_answers") or [{"answer_start": 0, "text": ""}])[
                        0
                    ]
                    at = piece_at(spans, likely["answer_start"])
                    yield Example(question, context, stretch(texts[number], spans, at, chance)[0])
                    continue
                start = answers[0]["answer_start"]
                end = start + len(answers[0]["text"])
                at = piece_at(spans, start)
                if chance.random() >= _UNANSWERED:
                    text, cut = stretch(texts[number], spans, at, chance)
                    if end - cut <= len(text):
                        asks = _unlike(question, text, chance)
                        yield Example(asks, context, text, start - cut, end - cut)
                        if chance.random() < _MISLED:
                            told = Asked(question, answers[0]["text"], at)
                            gold = texts[number][spans[at][0] : spans[at][1]]
                            changed = misled(told, whole, gold, (text,), chance)
                            if changed is not None:
                                yield Example(changed, context, text)
                    continue
                rest = [span for n, span in enumerate(spans) if n != at]
                answer = answers[0]["text"].lower()
                if len(texts) > 1 and (chance.random() < 0.5 or len(rest) < 2):
                    mine = set(_WORD.findall(question.lower()))
                    likely_ones = sorted(
                        (
                            n
                            for n in range(len(texts))
                            if n != number and answer not in texts[n].lower()
                        ),
                        key=lambda n: -len(mine & words[n]),
                    )[:3]
                    if likely_ones:
                        other = texts[chance.choice(likely_ones)]
                        near = _nearest(other, mine)
                        yield Example(
                            question,
                            context,
                            stretch(other, sentence_spans(other), near, chance)[0],
                        )
                    continue
                text = _around(texts[number], spans, at, chance)
                if text and answer not in text.lower():
                    yield Example(question, context, text)


def articles_in(path: Path) -> int:
    """Return how many articles a SQuAD file has."""
    return len(_articles(path))


@cache
def _articles(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        found: list[dict[str, Any]] = json.load(file)["data"]
    return found


def tables(folder: Path, chance: random.Random) -> Iterator[Example]:
    """Yield look-ups of WikiTableQuestions: a cell of one row that the question names.

    :param folder: Holds ``training.tsv`` and ``tables_csv.tar.gz``.
    """
    grids, lines = table_questions(folder)
    for name, question, target in lines:
        header, rows = [" ".join(cell.split()) for cell in grids[name][0]], grids[name][1:]
        named = row_named(question, target, rows)
        if len(header) <= _MOST_CELLS and named >= 0:
            yield from _look_up(question, target, header, rows, named, chance)


def _look_up(
    question: str,
    target: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    named: int,
    chance: random.Random,
) -> Iterator[Example]:
    """Yield a look-up among some other rows, at times without the one that it names."""
    others = [row for row in rows if row is not rows[named]]
    shown = chance.sample(others, min(len(others), chance.randrange(_MOST_ROWS)))
    if chance.random() >= _UNANSWERED:
        shown.insert(chance.randrange(len(shown) + 1), rows[named])
    parts, at = [], -1
    for row in shown:
        text = ""
        for head, cell in zip(header, row, strict=False):
            cell = " ".join(cell.split())
            if not cell:
                continue
            text += f" | {head}: " if text else f"{head}: "
            if row is rows[named] and cell == target:
                at = sum(len(part) + 1 for part in parts) + len(text)
            text += cell
        parts.append(text)
    joined = "\n".join(parts)[: 2 * _LONGEST]
    if joined and at + len(target) <= len(joined):
        end = at + len(target) if at >= 0 else -1
        yield Example(as_typed(question, chance), "", joined, at, end)


def stretch(
    text: str, spans: Sequence[tuple[int, int]], at: int, chance: random.Random
) -> tuple[str, int]:
    """Return a sentence with neighbours, of random length, and where it begins."""
    first = last = at
    wanted = chance.randrange(_SHORTEST, _LONGEST)
    while spans[last][1] - spans[first][0] < wanted and (first > 0 or last < len(spans) - 1):
        if last == len(spans) - 1 or (first > 0 and chance.random() < 0.5):
            first -= 1
        else:
            last += 1
    return text[spans[first][0] : spans[last][1]], spans[first][0]


def _around(text: str, spans: Sequence[tuple[int, int]], at: int, chance: random.Random) -> str:
    """Return the sentences before or after one, of which it is none."""
    before, after = spans[:at], spans[at + 1 :]
    side = chance.choice([part for part in (before, after) if part] or [[]])
    if not side:
        return ""
    near = len(side) - 1 if side is before else 0
    return stretch(text, side, near, chance)[0]


def _nearest(text: str, words: set[str]) -> int:
    spans = sentence_spans(text)
    shared = [len(words & set(_WORD.findall(text[a:b].lower()))) for a, b in spans]
    return shared.index(max(shared))


def financial_texts(path: Path, chance: random.Random) -> Iterator[Example]:
    """Yield the questions of TAT-QA that one stretch of a report's text answers."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        reports: list[dict[str, Any]] = json.load(file)
    for report in reports:
        texts = {str(part["order"]): part["text"] for part in report["paragraphs"]}
        for asked in report["questions"]:
            if (asked["answer_type"], asked["answer_from"]) != ("span", "text"):
                continue
            answer = asked["answer"][0]
            text = next((texts[n] for n in asked["rel_paragraphs"] if answer in texts[n]), None)
            if text is None:
                continue
            spans, start = sentence_spans(text), text.index(answer)
            at = piece_at(spans, start)
            question = as_typed(asked["question"], chance)
            if chance.random() < _UNANSWERED:
                rest = _around(text, spans, at, chance)
                if rest and answer not in rest:
                    yield Example(question, "", rest)
                continue
            shown, cut = stretch(text, spans, at, chance)
            if start - cut + len(answer) <= len(shown):
                yield Example(question, "", shown, start - cut, start - cut + len(answer))


def _unlike(question: str, text: str, chance: random.Random) -> str:
    """Return a question with some of the words gone that the text has too."""
    if chance.random() >= _REWORDED:
        return question
    shared = {word for word in _WORD.findall(text.lower()) if len(word) > 3}
    words = question.split()
    kept = [
        word
        for word in words
        if word.lower().strip("?,.'\"()") not in shared or chance.random() >= _WORDS_LOST
    ]
    return " ".join(kept) if 2 * len(kept) > len(words) else question


def as_typed(question: str, chance: random.Random) -> str:
    """Return a question as people type it: at times without its mark, or with a word lost."""
    if chance.random() < 0.2:
        question = question.rstrip("?")
    if chance.random() < 0.1:
        words = question.split()
        words.pop(chance.randrange(len(words)))
        question = " ".join(words) or question
    return question
