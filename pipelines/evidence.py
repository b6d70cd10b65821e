"""Evidence: the sentences of the passages found that answer best, with their place."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from pipelines.embed.embedder import TokenStates
from pipelines.late_interaction import MIME, compare, load_late_interaction
from pipelines.rerank import tokens_of
from pipelines.rerank_scoring import sentence_scores
from pipelines.sentences import sentence_spans
from pipelines.split import passage_context

_WORD = re.compile(r"\w+")
# A sentence joins the passage's best one when it scores almost as well.
_NEARLY = 0.9
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that speaks to a question.

    :param document: Path or table it stands in, relative to the indexed root.
    :param passage: Id of the passage.
    :param start: Offset of its first character in the document's extracted text.
    :param end: Offset after its last character.
    :param page: Page or slide, from 1, or None.
    :param text: The sentence, exactly as it stands there.
    :param score: How well it meets the question's words, from 0 to 1.
    """

    document: str
    passage: str
    start: int
    end: int
    page: int | None
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int
    score: float


@component
class EvidenceSelector:
    """Picks the sentences of ranked passages that answer best.

    By late interaction where passages have token states, else by the question's words,
    rare ones counting more.

    :param max_tokens: Length of all evidence together, in tokens (four characters each).
    :param per_passage: Sentences of one passage at most.
    """

    def __init__(self, *, max_tokens: int = 400, per_passage: int = 2) -> None:
        self.max_tokens = max_tokens
        self.per_passage = per_passage

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component."""
        data: dict[str, Any] = default_to_dict(
            self, max_tokens=self.max_tokens, per_passage=self.per_passage
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "EvidenceSelector":
        """Make a component of what :meth:`to_dict` returned."""
        selector: EvidenceSelector = default_from_dict(cls, data)
        return selector

    @component.output_types(
        documents=list[Document],
        evidence=list[Evidence],
        spans=dict[str, list[tuple[int, int]]],
    )
    def run(
        self,
        query: str,
        documents: list[Document],
        query_tokens: TokenStates | None = None,
        top_k: int | None = None,
    ) -> dict[str, Any]:
        """Pick evidence.

        :param query: The question.
        :param documents: Passages, best first.
        :param query_tokens: The question's tokens, where the embedder gives them.
        :param top_k: Passages at most; all by default.
        :returns: ``documents`` as given; ``evidence`` in their order, and within a passage
            the best sentence first, as much as ``max_tokens`` allows; ``spans``: for every
            passage its best sentences as offsets in its content, in reading order.
        """
        documents = documents[:top_k] if top_k else documents
        evidence: list[Evidence] = []
        spans: dict[str, list[tuple[int, int]]] = {}
        room = self.max_tokens
        for document, sentences in zip(
            documents, _scored(query, documents, query_tokens), strict=True
        ):
            best = _best(sentences, self.per_passage)
            spans[document.id] = sorted((sentence.start, sentence.end) for sentence in best)
            for sentence in best:
                size = math.ceil((sentence.end - sentence.start) / _CHARACTERS_PER_TOKEN)
                if size <= room:
                    room -= size
                    evidence.append(_evidence(document, sentence))
        return {"documents": documents, "evidence": evidence, "spans": spans}


def _scored(
    query: str, documents: Sequence[Document], tokens: TokenStates | None
) -> list[list[_Sentence]]:
    """Return the sentences of each passage with their scores."""
    if tokens is not None and all(
        d.blob is not None and d.blob.mime_type == MIME for d in documents
    ):
        return _by_tokens(documents, tokens)
    return _by_words(query, documents)


def _by_tokens(documents: Sequence[Document], tokens: TokenStates) -> list[list[_Sentence]]:
    if not documents:
        return []
    late = load_late_interaction()
    question = late.question(tokens)
    passages = [tokens_of(document) for document in documents]
    comparison = compare(question, passages)
    scores = sentence_scores(question, comparison)
    found = []
    for passage, first, has_context in zip(
        passages, comparison.first, comparison.has_context, strict=True
    ):
        at = int(first) + int(has_context)
        found.append(
            [
                _Sentence(int(span["start"]), int(span["end"]), float(scores[at + number]))
                for number, span in enumerate(passage.sentences)
            ]
        )
    return found


def _by_words(query: str, documents: Sequence[Document]) -> list[list[_Sentence]]:
    asked = _words(query)
    spans = [sentence_spans(document.content or "") for document in documents]
    sentences = [
        [_words((document.content or "")[start:end]) for start, end in of_document]
        for document, of_document in zip(documents, spans, strict=True)
    ]
    total = sum(len(words) for words in sentences) or 1
    weights = {
        word: math.log(1 + total / (1 + sum(word in s for words in sentences for s in words)))
        for word in asked
    }
    whole = sum(weights.values()) or 1.0
    return [
        [
            _Sentence(start, end, sum(weights[w] for w in asked & (words | context)) / whole)
            for (start, end), words in zip(of_document, of_sentences, strict=True)
        ]
        for of_document, of_sentences, context in zip(
            spans, sentences, [_words(passage_context(d)) for d in documents], strict=True
        )
    ]


def _words(text: str) -> set[str]:
    # The first five letters stand for a word's stem: enough to find a sentence again.
    return {match.group().casefold()[:5] for match in _WORD.finditer(text)}


def _best(sentences: Sequence[_Sentence], most: int) -> list[_Sentence]:
    ordered = sorted(sentences, key=lambda sentence: -sentence.score)
    return [s for s in ordered[:most] if s.score >= _NEARLY * ordered[0].score]


def _evidence(document: Document, sentence: _Sentence) -> Evidence:
    meta = document.meta
    at = int(meta.get("start", 0))
    return Evidence(
        document=str(meta.get("document", document.id)),
        passage=document.id,
        start=at + sentence.start,
        end=at + sentence.end,
        page=meta.get("page"),
        text=(document.content or "")[sentence.start : sentence.end],
        score=min(max(sentence.score, 0.0), 1.0),
    )
