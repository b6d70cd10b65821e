"""Settle by reading which of some nearly equal passages answers best."""

from dataclasses import replace

from haystack import Document

from pipelines.read import Text, open_reader
from pipelines.retrieve import SCORES
from pipelines.sentences import sentence_spans
from pipelines.split import passage_context

# Fitted on half of the held-out articles of SQuAD 2.0's development set; flat around these.
_READ = 3
_WEIGHT, _SUREST = 0.375, 8.0


def settle(query: str, documents: list[Document], margin: float) -> list[Document]:
    """Return ranked passages with the first few in the order that reading them suggests.

    Reading costs many times what ranking does, so it is done only when the second passage
    comes close to the first. The scores stay where they are: the passages change places.

    :param query: The question.
    :param documents: Passages, best first, with scores.
    :param margin: Difference of the two best scores below which they are read.
    """
    head = documents[:_READ]
    if len(head) < 2 or _score(head[0]) - _score(head[1]) >= margin:
        return documents
    texts = [
        Text(passage_context(document), content, sentence_spans(content))
        for document in head
        for content in [document.content or ""]
    ]
    readings = open_reader().read(query, texts)
    likely = [
        _score(document) + _WEIGHT * min(_SUREST, max((r.score for r in found), default=-_SUREST))
        for document, found in zip(head, readings, strict=True)
    ]
    order = sorted(range(len(head)), key=lambda place: -likely[place])
    return [
        _with_score(head[place], _score(documents[rank])) for rank, place in enumerate(order)
    ] + documents[len(head) :]


def _score(document: Document) -> float:
    return document.score or 0.0


def _with_score(document: Document, score: float) -> Document:
    parts = document.meta.get(SCORES, {}) | {"late": score}
    return replace(document, score=score, meta=document.meta | {SCORES: parts})
