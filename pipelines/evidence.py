"""Evidence: what of the passages found an answer rests on, with its place."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from haystack import Document, component, default_from_dict, default_to_dict

from pipelines.convert.extracted import page_at
from pipelines.embed.embedder import TokenStates
from pipelines.late_interaction import MIME, compare, load_late_interaction
from pipelines.packing import Span
from pipelines.rerank import tokens_of
from pipelines.rerank_scoring import sentence_scores
from pipelines.retrieve import SCORES
from pipelines.sentences import sentence_spans
from pipelines.split import passage_context

_WORD = re.compile(r"\w+")
# A sentence joins the passage's best one when it scores almost as well.
_NEARLY = 0.9
_CHARACTERS_PER_TOKEN = 4
_NUMBER = re.compile(r"(\d{1,3})[.)]\s")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of a passage that an answer may rest on.

    :param document: Path or table it stands in, relative to the indexed root.
    :param passage: Id of the passage.
    :param title: The document's title, or None.
    :param context: Title, sheet and headings it stands under, in one line; may be empty.
    :param start: Offset of its first character in the document's extracted text.
    :param end: Offset after its last character.
    :param page: Page or slide that it begins on, from 1, or None.
    :param text: The stretch, exactly as it stands there.
    :param score: How well its best sentence meets the question's words, from 0 to 1.
    :param sentences: Its sentences: where each begins and ends in ``text``, and how well it
        meets the question's words.
    :param late: Its passage's score by the reranker of late interaction, comparable between
        questions; None where another one ranked it.
    :param turns: Where other pages begin: offset in the document's text, and page.
    :param headings: Where headings begin and end in ``text``.
    :param lists: Of each list that it has whole, where the items begin and end in ``text``.
    """

    document: str
    passage: str
    title: str | None
    context: str
    start: int
    end: int
    page: int | None
    text: str
    score: float
    sentences: tuple[tuple[int, int, float], ...] = ()
    late: float | None = None
    turns: tuple[tuple[int, int], ...] = ()
    headings: tuple[Span, ...] = ()
    lists: tuple[tuple[Span, ...], ...] = ()

    def is_heading(self, start: int) -> bool:
        """Whether a sentence is, or stands in, a heading.

        :param start: Where it begins in ``text``.
        """
        return any(first <= start < last for first, last in self.headings)

    def page_at(self, offset: int) -> int | None:
        """Return the page on which a place stands.

        :param offset: In the document's text.
        """
        return page_at(offset, self.turns, self.page)


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int
    score: float
    tokens: int


def numbered(number: int, piece: Evidence) -> str:
    """Return evidence as a language model is given it, in one line behind its number."""
    context = f"{piece.context}: " if piece.context else ""
    return f"[{number}] {context}{' '.join(piece.text.split())}"


@component
class EvidenceSelector:
    """Picks what of the ranked passages an answer is to rest on.

    Passages are taken whole, best first, as long as there is room: of what the five best
    hold, more answers survive so than by taking the best sentences of each
    (docs/decisions.md). The last one is cut to its best sentence with neighbours. Sentences
    are scored by late interaction where passages have token states, else by the question's
    words, rare ones counting more.

    :param max_tokens: Length of all evidence together, in the embedder's tokens, or where
        these are not known at four characters each.
    :param per_passage: Sentences of a passage pointed out in ``spans``, at most.
    """

    def __init__(self, *, max_tokens: int = 380, per_passage: int = 2) -> None:
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
        :returns: ``documents`` as given; ``evidence`` in their order, as much as
            ``max_tokens`` allows; ``spans``: for every passage its best sentences as
            offsets in its content, in reading order.
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
            taken = _stretch(sentences, best[0], room) if best else []
            if taken:
                room -= sum(sentence.tokens for sentence in taken)
                evidence.append(_evidence(document, taken, best[0].score))
        return {"documents": documents, "evidence": evidence, "spans": spans}


def _stretch(sentences: Sequence[_Sentence], best: _Sentence, room: int) -> list[_Sentence]:
    """Return the best sentence with as many neighbours as there is room for."""
    first = last = sentences.index(best)
    room -= best.tokens
    while room >= 0:
        beside = [
            (sentences[number].score, number)
            for number in (first - 1, last + 1)
            if 0 <= number < len(sentences) and sentences[number].tokens <= room
        ]
        if not beside:
            return list(sentences[first : last + 1])
        _, number = max(beside)
        first, last = min(first, number), max(last, number)
        room -= sentences[number].tokens
    return []


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
        own = scores[int(first) + int(has_context) :]
        lengths = np.diff(passage.sentences["token"], append=len(passage.token_ids))
        found.append(
            [
                _Sentence(int(span["start"]), int(span["end"]), float(score), int(length))
                for span, score, length in zip(passage.sentences, own, lengths, strict=False)
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
            _Sentence(
                start,
                end,
                sum(weights[w] for w in asked & (words | context)) / whole,
                math.ceil((end - start) / _CHARACTERS_PER_TOKEN),
            )
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


def _evidence(document: Document, taken: Sequence[_Sentence], score: float) -> Evidence:
    meta = document.meta
    at = int(meta.get("start", 0))
    start, end = taken[0].start, taken[-1].end
    text = document.content or ""
    turns = tuple(span_pairs(meta.get("page_turns")))
    lists = _whole_lists(text, span_pairs(meta.get("items_at")))
    return Evidence(
        document=str(meta.get("document", document.id)),
        passage=document.id,
        title=meta.get("title"),
        context=passage_context(document),
        start=at + start,
        end=at + end,
        page=page_at(at + start, turns, meta.get("page")),
        text=text[start:end],
        score=min(max(score, 0.0), 1.0),
        sentences=tuple((s.start - start, s.end - start, s.score) for s in taken),
        late=meta.get(SCORES, {}).get("late"),
        turns=turns,
        headings=_inside(span_pairs(meta.get("headings_at")), start, end),
        lists=tuple(
            _inside(items, start, end)
            for items in lists
            if start <= items[0][0] and items[-1][1] <= end
        ),
    )


def span_pairs(flat: Sequence[float] | None) -> Iterator[Span]:
    """Return numbers two by two, as whole ones: a store may keep them as others."""
    whole = list(map(int, flat or ()))
    return zip(whole[::2], whole[1::2], strict=False)


def _inside(places: Iterable[Span], start: int, end: int) -> tuple[Span, ...]:
    """Return places of a passage that are whole in a stretch of it, counted from its start."""
    return tuple((s - start, e - start) for s, e in places if start <= s and e <= end)


def _whole_lists(text: str, items: Iterable[Span]) -> list[list[Span]]:
    """Return items by their lists: between those of one there is nothing else.

    Left out is what something else cuts in two: its first number is not 1, or "then do:" ends it.
    """
    runs: list[list[Span]] = []
    for item in items:
        if runs and not text[runs[-1][-1][1] : item[0]].strip():
            runs[-1].append(item)
        else:
            runs.append([item])
    told = [text[run[0][0] : run[-1][1]] for run in runs]
    opens = [False, *(one.endswith(":") for one in told)]
    goes_on = [*(_goes_on(one) for one in told), False]
    return [
        run
        for n, run in enumerate(runs)
        if not (opens[n] or opens[n + 1] or goes_on[n] or goes_on[n + 1])
    ]


def _goes_on(item: str) -> bool:
    number = _NUMBER.match(item)
    return number is not None and int(number[1]) > 1
