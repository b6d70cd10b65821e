"""Public question sets in one form: texts in pieces, and which piece answers what.

A piece is a sentence or a table's row. Each set is read as its publisher distributes it.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import IO, Any

from agent.errors import LabError
from pipelines.convert.extracted import row_text
from pipelines.sentences import sentence_spans

WORD = re.compile(r"\w+")
_UNREADABLE = (OSError, EOFError, zlib.error, ValueError)
_OF_ANOTHER_FORM = (*_UNREADABLE, tarfile.TarError, LookupError, TypeError, AttributeError)
_MOST_COLUMNS, _MOST_ROWS, _MOST_PIECE = 10, 60, 600
# Longer first sentences say more than was asked.
_LONGEST_ANSWER = 160
# "What is (are) X ?" is how one publisher writes each of its questions.
_ODD = {"What is (are)": "What is", "What are the treatments for": "How is", " ?": "?"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a text.

    :param answer: The answer, word for word from the piece where it is a span; None when the
        text does not answer.
    :param piece: Index of the piece that answers, or that only seems to; -1 for none.
    :param accepted: All answers that are right, where there are several.
    """

    question: str
    answer: str | None
    piece: int = -1
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A question made from another one.

    :param answered: Whether what answers that one answers it too; nothing does, otherwise.
    """

    question: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A text in pieces.

    :param title: What it stands under; may be empty.
    :param pieces: Its sentences or rows, in order.
    :param asked: The questions about it.
    """

    title: str
    pieces: tuple[str, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """Texts that belong together, so that each is a likely mistake for another.

    :param kind: The set it is from.
    """

    kind: str
    texts: tuple[Text, ...]


def squad(
    path: Path,
    articles: slice = slice(None),
    *,
    kind: str = "squad",
    written: Mapping[str, Sequence[Written]] | None = None,
) -> Iterator[Article]:
    """Yield the articles of a SQuAD 1.1 or 2.0 file (Rajpurkar et al. 2016, 2018).

    :param path: JSON, or gzip of it.
    :param articles: Which of them.
    :param written: Further questions, as :func:`written` reads them.
    :raises LabError: When it is not such a file.
    """
    try:
        for article in _json(path)["data"][articles]:
            title = article["title"].replace("_", " ")
            texts = tuple(_paragraph(title, one, written or {}) for one in article["paragraphs"])
            yield Article(kind, texts)
    except (KeyError, TypeError) as error:
        raise LabError(f"{path} is not a SQuAD file: {error!r} is missing") from None


def written(path: Path) -> dict[str, list[Written]]:
    """Return questions written on others, by :func:`key` of the one that each is made from.

    :param path: JSON lines of ``of``, that key, ``question`` and ``answered``: whether what
        answers that one answers it too, or nothing does.
    :raises LabError: When it cannot be read.
    """
    found: dict[str, list[Written]] = {}
    try:
        for line in json_lines(path):
            found.setdefault(line["of"], []).append(Written(line["question"], line["answered"]))
    except (KeyError, TypeError) as error:
        raise LabError(f"{path} holds no written questions: {error!r} is missing") from None
    return found


def key(question: str) -> str:
    """Return what a question is known by without being repeated: SHA-256, 16 digits of it."""
    return hashlib.sha256(question.encode()).hexdigest()[:16]


def _paragraph(
    title: str, paragraph: dict[str, Any], written: Mapping[str, Sequence[Written]]
) -> Text:
    text = paragraph["context"]
    spans = sentence_spans(text)
    asked = []
    for one in paragraph["qas"]:
        answers = one["answers"]
        # The shortest of what several people marked is the answer and nothing else.
        best = min(answers, key=lambda a: len(a["text"])) if answers else None
        likely = best or (one.get("plausible_answers") or [None])[0]
        question = " ".join(one["question"].split())
        if not question or not spans:
            continue
        at = likely["answer_start"] if likely else spans[_most_alike(question, text, spans)][0]
        piece = piece_at(spans, at)
        if best is None:
            asked.append(Asked(question, None, piece))
        elif best["text"] in text[spans[piece][0] : spans[piece][1]]:
            accepted = tuple(dict.fromkeys(answer["text"] for answer in answers))
            asked.append(Asked(question, best["text"], piece, accepted))
            asked += [
                Asked(more.question, best["text"] if more.answered else None, piece)
                for more in written.get(key(question), ())
            ]
    return Text(title, tuple(text[a:b] for a, b in spans), tuple(asked))


def _most_alike(question: str, text: str, spans: Sequence[tuple[int, int]]) -> int:
    """Return the sentence that shares most words with a question: it seems to answer."""
    asked = set(WORD.findall(question.lower()))
    shared = [len(asked & set(WORD.findall(text[a:b].lower()))) for a, b in spans]
    return shared.index(max(shared))


def piece_at(spans: Sequence[tuple[int, int]], offset: int) -> int:
    """Return which of some stretches of a text an offset is in, the last for one after all."""
    return next((n for n, (_, end) in enumerate(spans) if offset < end), len(spans) - 1)


def _named(read: Callable[[Path], Iterator[Article]]) -> Callable[[Path], Iterator[Article]]:
    """Have a reader say which file is not of the form that it reads."""

    @wraps(read)
    def told(path: Path) -> Iterator[Article]:
        try:
            yield from read(path)
        except _OF_ANOTHER_FORM as error:
            raise LabError(f"{path} does not hold {read.__name__}: {error!r}") from None

    return told


@_named
def tables(folder: Path) -> Iterator[Article]:
    """Yield WikiTableQuestions whose answer is a cell of the one row that they name.

    Others take counting or comparing, which no row answers (Pasupat and Liang 2015).

    :param folder: Holds ``training.tsv`` and ``tables_csv.tar.gz``.
    """
    grids, lines = table_questions(folder)
    asked: dict[str, list[tuple[str, str]]] = {}
    for name, question, target in lines:
        asked.setdefault(name, []).append((question, target))
    for name, questions in asked.items():
        grid = grids[name]
        if not grid or len(grid[0]) > _MOST_COLUMNS:
            continue
        header, rows = grid[0], grid[1 : 1 + _MOST_ROWS]
        found = [
            Asked(question, target, row)
            for question, target in questions
            if (row := row_named(question, target, rows)) >= 0
        ]
        texts = tuple(row_text(list(zip(header, row, strict=False))) for row in rows)
        if found and all(0 < len(text) < _MOST_PIECE for text in texts):
            yield Article("tables", (Text("", texts, tuple(found)),))


def table_questions(
    folder: Path,
) -> tuple[dict[str, list[list[str]]], list[tuple[str, str, str]]]:
    """Return WikiTableQuestions' tables by name, and each question: table, words, answer.

    :param folder: Holds ``training.tsv`` and ``tables_csv.tar.gz``.
    """
    grids = {}
    with tarfile.open(folder / "tables_csv.tar.gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".csv") else None
            if file is not None:
                text = io.StringIO(file.read().decode("utf-8", "replace"))
                grids[member.name] = list(csv.reader(text, escapechar="\\"))
    lines = (folder / "training.tsv").read_text(encoding="utf-8").splitlines()[1:]
    fields = [line.split("\t") for line in lines]
    return grids, [(name, question, target) for _, question, name, target, *_ in fields]


def row_named(question: str, target: str, rows: Sequence[Sequence[str]]) -> int:
    """Return the only row that holds the answer and that the question names, or -1."""
    words = question.lower()
    holding = [n for n, row in enumerate(rows) if target in row]
    named = [
        n
        for n in holding
        if any(len(cell) > 2 and cell != target and cell.lower() in words for cell in rows[n])
    ]
    return named[0] if len(holding) == 1 and len(named) == 1 and target else -1


@_named
def reports(path: Path) -> Iterator[Article]:
    """Yield TAT-QA's questions that one row or sentence answers (Zhu et al. 2021).

    :param path: JSON, or gzip of it.
    """
    for report in _json(path):
        grid = [[" ".join(cell.split()) for cell in row] for row in report["table"]["table"]]
        # Years and the like stand above all columns but the first.
        names = next((n for n, row in enumerate(grid) if all(row[1:])), 0)
        rows = [row_text(list(zip(grid[names], row, strict=False))) for row in grid[names + 1 :]]
        sentences = [
            part["text"][a:b]
            for part in report["paragraphs"]
            for a, b in sentence_spans(part["text"])
        ]
        pieces = tuple(piece for piece in (*rows, *sentences) if piece)
        asked = []
        for one in report["questions"]:
            if one["answer_type"] != "span" or len(one["answer"]) != 1:
                continue
            holding = [n for n, piece in enumerate(pieces) if one["answer"][0] in piece]
            if len(holding) == 1:
                asked.append(Asked(one["question"], one["answer"][0], holding[0]))
        if asked and all(len(piece) < _MOST_PIECE for piece in pieces):
            yield Article("reports", (Text("", pieces, tuple(asked)),))


@_named
def studies(path: Path) -> Iterator[Article]:
    """Yield PubMedQA's questions, answered yes, no or maybe by an abstract (Jin et al. 2019).

    :param path: JSON, or gzip of it.
    """
    for one in _json(path).values():
        pieces = tuple(one["CONTEXTS"])
        if pieces and len(pieces[-1]) < 2 * _MOST_PIECE:
            # What a study found stands at its end.
            asked = Asked(one["QUESTION"], one["final_decision"].capitalize(), len(pieces) - 1)
            yield Article("studies", (Text("", pieces, (asked,)),))


@_named
def topics(path: Path) -> Iterator[Article]:
    """Yield MedQuAD's questions whose answer opens with a sentence that says it (Ben Abacha 2019).

    :param path: JSON lines, or gzip of them.
    """
    about: dict[tuple[str, str], list[Text]] = {}
    for line in json_lines(path):
        pieces = tuple(line["answer"][a:b] for a, b in sentence_spans(line["answer"]))
        if not pieces or len(pieces[0]) > _LONGEST_ANSWER or not pieces[0].endswith("."):
            continue
        question = line["question"]
        for odd, usual in _ODD.items():
            question = question.replace(odd, usual)
        title = f"{line['focus']} > {line['qtype'].capitalize()}"
        pieces = tuple(piece for piece in pieces[:12] if len(piece) < _MOST_PIECE)
        text = Text(title, pieces, (Asked(question, pieces[0], 0),))
        about.setdefault((line["collection"], line["focus"]), []).append(text)
    for texts in about.values():
        yield Article("topics", tuple(texts))


def elsewhere(path: Path) -> list[str]:
    """Return Dolly's open questions, which no text at hand answers (Conover et al. 2023).

    :param path: JSON lines.
    """
    try:
        asked = [" ".join(line["instruction"].split()) for line in json_lines(path)]
    except (AttributeError, KeyError, TypeError) as error:
        raise LabError(f"{path} holds no open questions: {error!r}") from None
    return [question for question in asked if 15 < len(question) < 120]


def _json(path: Path) -> Any:
    try:
        with _open(path) as file:
            return json.load(file)
    except _UNREADABLE as error:
        raise LabError(f"cannot read {path}: {error}") from None


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a file's JSON lines.

    :raises LabError: When it cannot be read.
    """
    try:
        with _open(path) as file:
            for line in file:
                if line.strip():
                    yield json.loads(line)
    except _UNREADABLE as error:
        raise LabError(f"cannot read {path}: {error}") from None


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")
