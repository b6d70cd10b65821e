"""Look-ups as the product meets them, to teach the reader with: a question and all its evidence.

Each line of the questions names the document that it was written on, and where in its text the
answer stands, or that nothing answers (see ``lookups/README.md``). The documents are indexed and
searched as ``expert ask`` does. What is found is compared in one softmax (Clark and Gardner 2018),
so that scores of one text weigh against those of another, and against none.
"""

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from answers import index_folder
from haystack import Document
from reader_batches import answer_tokens, learning_scores, padded
from reader_data import Example, as_typed, stretch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from agent.assemble import open_pipeline, open_store
from agent.lab.sources import json_lines, piece_at
from agent.workspace import Workspace
from pipelines.evidence import Evidence
from pipelines.read.torch_reader import TorchReader
from pipelines.search import retrieve
from pipelines.sentences import sentence_spans
from pipelines.split import passage_context
from pipelines.stores.sqlite import SqliteDocumentStore

_LONGEST = 320
# Texts read at once for a question while learning, and how often none of them holds the answer
# though there is one.
_TEXTS, _TAKEN = 4, 0.2
_QUESTIONS_AT_ONCE = 6
# Half the weight of a text's own softmax keeps "not in this text" at 0.
_OWN = 0.5
# Words from which an answer that stands in another document too is taken for the same one.
_TELLING = 3


@dataclass(frozen=True, slots=True)
class LookUp:
    """A question with what was found for it.

    :param document: The document that it was written on.
    :param written_on: The passage that answers, with the answer's place in it; None where nothing
        does.
    :param evidence: What was found, best first.
    """

    question: str
    document: str
    written_on: Example | None
    evidence: list[Evidence]

    @property
    def answer(self) -> str | None:
        """The answer's words."""
        return self.written_on and self.written_on.answer


@dataclass(frozen=True, slots=True)
class WrittenQuestion:
    """A question as it was written.

    :param document: The document that it was written on.
    :param written_on: The passage that answers, with the answer's place in it; None where nothing
        does.
    :param passages: All of the document's.
    """

    question: str
    document: str
    written_on: Example | None
    passages: list[Document]


def look_up(path: Path, documents: Path) -> Iterator[LookUp]:
    """Yield the questions of a file with what the product finds for them.

    :param path: JSON lines of ``document``, ``question`` and ``answer``: where it begins and ends
        in the document's text, or null.
    :param documents: The folder of what they were written on.
    :raises ValueError: When a document is not there as it was.
    """
    yield from _looked_up(json_lines(path), documents)


def look_up_apart(path: Path) -> Iterator[LookUp]:
    """Yield questions on documents that have an index of their own.

    :param path: JSON lines of ``name``, ``text`` (Markdown) and ``questions``, each with
        ``question`` and ``answer`` as in :func:`look_up`. Documents of the same ``shelf`` are in
        one index; without it each is alone.
    """
    shelves = defaultdict(list)
    for row in json_lines(path):
        shelves[row.get("shelf", row["name"])].append(row)
    for rows in shelves.values():
        asked = []
        with tempfile.TemporaryDirectory() as folder:
            for row in rows:
                document = f"{row['name']}.md"
                (Path(folder) / document).write_text(row["text"], encoding="utf-8")
                asked += [{"document": document, **one} for one in row["questions"]]
            yield from _looked_up(asked, Path(folder))


def _looked_up(rows: Iterable[Mapping[str, Any]], documents: Path) -> Iterator[LookUp]:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        index_folder(documents, workspace)
        with open_store(workspace, read_only=True) as store:
            asked = list(written_questions(rows, store))
        with open_pipeline(workspace) as pipeline:
            for one in asked:
                found = retrieve(pipeline, one.question)
                yield LookUp(one.question, one.document, one.written_on, found.evidence)


def written_questions(
    rows: Iterable[Mapping[str, Any]], store: SqliteDocumentStore
) -> Iterator[WrittenQuestion]:
    """Yield questions with the passages that they were written on.

    :param rows: As in the file of :func:`look_up`.
    :param store: Their documents' passages.
    :raises ValueError: When a document is not there as it was.
    """
    passages = defaultdict(list)
    for passage in store.filter_documents():
        passages[passage.meta["document"]].append(passage)
    for row in rows:
        question, own = row["question"], passages[row["document"]]
        written_on = _written_on(question, own, row["answer"])
        yield WrittenQuestion(question, row["document"], written_on, own)


def _written_on(
    question: str, passages: Sequence[Document], answer: Sequence[int] | None
) -> Example | None:
    if answer is None:
        return None
    start, end = answer
    for passage in passages:
        if passage.meta["start"] <= start and end <= passage.meta["end"]:
            cut = passage.meta["start"]
            text = passage.content or ""
            return Example(question, passage_context(passage), text, start - cut, end - cut)
    raise ValueError(
        f"no passage holds the answer to {question!r}: are its documents as they were?"
    )


@dataclass(frozen=True, slots=True)
class _Encoded:
    ids: list[int]
    # Where an answer may begin and end.
    inside: list[bool]
    first: int
    last: int


class Grouped:
    """Look-ups as token ids, the texts of a question together.

    :param device: Where batches go.
    """

    def __init__(self, tokenizer: Tokenizer, lookups: Sequence[LookUp], device: str) -> None:
        self._tokenizer, self._lookups, self._device = tokenizer, lookups, device

    def losses(self, chance: random.Random) -> Iterator["GroupLoss"]:
        """Yield batches in random order, each question's texts drawn anew."""
        order = list(range(len(self._lookups)))
        chance.shuffle(order)
        for at in range(0, len(order), _QUESTIONS_AT_ONCE):
            drawn = (self._texts(self._lookups[n], chance) for n in order[at:][:_QUESTIONS_AT_ONCE])
            yield GroupLoss([group for group in drawn if group], self._device)

    def _texts(self, one: LookUp, chance: random.Random) -> list[_Encoded]:
        answer, written = one.answer, one.written_on
        right, wrong = [], []
        for piece in one.evidence:
            text = Example(one.question, piece.context, piece.text)
            if answer is None or answer not in piece.text:
                wrong.append(text)
            elif piece.document == one.document:
                start = piece.text.index(answer)
                right.append(replace(text, start=start, end=start + len(answer)))
            elif len(answer.split()) < _TELLING:
                wrong.append(text)
        if answer is not None and chance.random() < _TAKEN:
            right = []
        elif written is not None and not right:
            spans = sentence_spans(written.text)
            shown, cut = stretch(written.text, spans, piece_at(spans, written.start), chance)
            start, end = written.start - cut, written.end - cut
            if end <= len(shown):
                right = [replace(written, text=shown, start=start, end=end)]
        chance.shuffle(wrong)
        question = as_typed(one.question, chance)
        drawn = right + wrong[: max(1, _TEXTS - len(right))]
        return [self._encoded(question, example) for example in drawn]

    def _encoded(self, question: str, one: Example) -> _Encoded:
        text, shift = one.joined()
        encoding = self._tokenizer.encode(question, text)
        places = list(zip(encoding.type_ids, encoding.offsets, strict=True))[:_LONGEST]
        inside = [kind == 1 and end > start >= shift for kind, (start, end) in places]
        answer = [n for n in answer_tokens(encoding, one) if n < _LONGEST]
        first, last = (answer[0], answer[-1]) if answer else (0, 0)
        return _Encoded(encoding.ids[:_LONGEST], inside, first, last)


class GroupLoss:
    """What is wrong with a reader's scores of some questions' texts.

    :param groups: Of each question its texts.
    """

    def __init__(self, groups: Sequence[Sequence[_Encoded]], device: str) -> None:
        self._groups, self._device = groups, device

    def __call__(self, model: TorchReader) -> Tensor:
        """Return the mean loss a question, with gradients."""
        texts = [one for group in self._groups for one in group]
        scores = self._scores(model, texts)
        places = torch.tensor([(one.first, one.last) for one in texts], device=self._device)
        inside = torch.zeros(scores.shape[:2], dtype=torch.bool, device=self._device)
        for row, one in enumerate(texts):
            inside[row, : len(one.ids)] = torch.tensor(one.inside)
        own = sum(functional.cross_entropy(scores[..., k], places[:, k]) for k in (0, 1))
        # Against the text's own "none", so that 0 stands for none in all of them.
        ahead = (scores - scores[:, :1]).masked_fill(~inside[..., None], -1e4)
        shared = scores.new_zeros(())
        at = 0
        for group in self._groups:
            rows = slice(at, at + len(group))
            at += len(group)
            right = places[rows, 0] > 0
            for k in (0, 1):
                every = torch.cat([scores.new_zeros(1), ahead[rows, :, k].flatten()])
                hit = ahead[rows, :, k][right, places[rows, k][right]]
                shared = shared + torch.logsumexp(every, 0)
                shared = shared - (torch.logsumexp(hit, 0) if len(hit) else 0)
        loss: Tensor = _OWN * own + shared / len(self._groups)
        return loss

    def _scores(self, model: TorchReader, texts: Sequence[_Encoded]) -> Tensor:
        """Return logits [texts, tokens, 2], texts of like length read together."""
        longest = max(len(one.ids) for one in texts)
        order = sorted(range(len(texts)), key=lambda n: len(texts[n].ids))
        size = -(-len(texts) // 4)
        found: dict[int, Tensor] = {}
        for rows in (order[n : n + size] for n in range(0, len(order), size)):
            ids, mask = padded([texts[n].ids for n in rows], self._device)
            scores = learning_scores(model, ids, mask)
            wide = functional.pad(scores, (0, 0, 0, longest - ids.shape[1]), value=-1e4)
            found |= dict(zip(rows, wide, strict=True))
        return torch.stack([found[n] for n in range(len(texts))])
