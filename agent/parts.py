"""The answers to a question that asks for several things: told in short, and put together."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agent.reply import Answered, Part
from pipelines.answer import Answer, Citation
from pipelines.citations import renumbered
from pipelines.search import Found
from pipelines.sentences import sentence_spans

# What begins anew, and, behind the answer, what only adds to it.
_CUT = re.compile(r";(?=\s)|\s\|\s|(?<!\d)\s[-–—]\s|(?<=\w)\.\d+\s-\s")
_ADDS = re.compile(r"[,:](?=\s)")
# What says when it holds is no addition.
_CONDITION = re.compile(
    r"\b(?:if|unless|except|but|provided|only|when|until|without|not|no|or|and)\b", re.IGNORECASE
)
_ENDED = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
# Least likelihood of a second sentence, relative to the first's.
_ALMOST_AS_LIKELY = 0.5


def in_short(answer: Answer) -> Answer:
    """Return a quote cut down to the clauses that the very answer stands in.

    Beside the answers to other parts whole sentences hide it, and a second one that is much less
    likely to answer hides it too. What is cited is whole still.
    """
    text = answer.text
    if text is None or answer.answerer != "quote" or not answer.highlights:
        return answer
    highlights, citations = answer.highlights, answer.citations
    if len(highlights) == len(citations) == 2:
        likelier, other = sorted(citations, key=lambda citation: -citation.score)
        if other.score < _ALMOST_AS_LIKELY * likelier.score:
            # The likelier sentence's words stand first.
            highlights, citations = highlights[:1], (likelier,)
    pieces: dict[str, tuple[int, int]] = {}
    length = 0
    for start, end in highlights:
        first, last = _clause(text, start, end)
        told = text[first:last]
        told += "" if _ENDED.search(told) else "."
        if told not in pieces:
            pieces[told] = (length + start - first, length + end - first)
            length += len(told) + 1
    short = " ".join(pieces)
    if short == text:
        return answer
    return replace(answer, text=short, citations=citations, highlights=tuple(pieces.values()))


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    """Return where the clause begins and ends that a stretch of a text stands in."""
    first, last = 0, len(text)
    for begins, ends in sentence_spans(text):
        if begins <= start < ends:
            first, last = begins, max(ends, end)
    for cut in _CUT.finditer(text, first, last):
        if cut.end() <= start:
            first = cut.end()
        elif cut.start() >= end:
            last = cut.start()
            break
    adds = _ADDS.search(text, end, last)
    if adds is not None and not _CONDITION.search(text, adds.end(), last):
        last = adds.start()
    clause = text[first:last]
    first += len(clause) - len(clause.lstrip())
    return first, first + len(clause.strip())


def put_together(
    parts: Sequence[str], answered: Sequence[Answered], conclusion: str | None = None
) -> Answered:
    """Return the answers to a question's parts as one answer to it.

    Each part's answer is followed by the marks of what it cites. Where some parts have an answer
    and others not, those are named as missing; where none has, the first one's reason stands.

    :param parts: What was asked, one by one.
    :param answered: What came of each.
    :param conclusion: What they come to, in a sentence; it stands last.
    """
    found = Found(
        [hit for one in answered for hit in one.found.hits],
        [piece for one in answered for piece in one.found.evidence],
    )
    took: dict[str, float] = {}
    for one in answered:
        for name, milliseconds in one.took.items():
            took[name] = took.get(name, 0.0) + milliseconds
    given = [one for one in answered if not one.answer.abstained]
    answer, told = _answer(parts, answered, conclusion) if given else (answered[0].answer, ())
    by_documents = {one.route for one in given or answered} == {"retrieval"}
    return Answered(
        "retrieval" if by_documents else "hybrid",
        answer,
        next((one.adapter for one in given if one.adapter), None),
        found,
        took,
        tuple(dict.fromkeys(name for one in given for name in one.changed)),
        told,
    )


def _joined(texts: Sequence[str]) -> str:
    """Join answers with one character each: behind or before a list it begins a new line."""
    told = texts[0]
    for before, text in pairwise(texts):
        told += ("\n" if "\n" in before + text else " ") + text
    return told


def _answer(
    parts: Sequence[str], answered: Sequence[Answered], conclusion: str | None
) -> tuple[Answer, tuple[Part, ...]]:
    texts: list[str] = []
    told: list[Part] = []
    citations: list[Citation] = []
    highlights: list[tuple[int, int]] = []
    usage: dict[str, int] = {}
    confidence, length = 1.0, 0
    for part, one in zip(parts, answered, strict=True):
        answer = one.answer
        for name, count in answer.usage.items():
            usage[name] = usage.get(name, 0) + count
        if answer.text is None:
            continue
        highlights += [(start + length, end + length) for start, end in answer.highlights]
        # What looks like a mark in a quote is the document's.
        is_marked = bool(answer.claims or one.parts)
        text = renumbered(answer.text, len(citations)) if is_marked else answer.text
        if answer.citations and not is_marked:
            marks = range(len(citations) + 1, len(citations) + len(answer.citations) + 1)
            text = f"{text} [{', '.join(map(str, marks))}]"
        citations += answer.citations
        confidence *= answer.confidence
        texts.append(text)
        told.append(Part(part, one.route, one.adapter, length, length + len(text)))
        length += len(text) + 1
    given = [one.answer for one in answered if not one.answer.abstained]
    whole = replace(
        given[0],
        text=_joined([*texts, conclusion] if conclusion else texts),
        confidence=confidence,
        citations=tuple(citations),
        answerer="+".join(dict.fromkeys(answer.answerer for answer in given)),
        highlights=tuple(highlights),
        dropped_citations=sum(one.answer.dropped_citations for one in answered),
        usage=usage,
        claims=tuple(claim for one in answered for claim in one.answer.claims),
        missing=tuple(
            part for part, one in zip(parts, answered, strict=True) if one.answer.abstained
        ),
        written={"parts": [dict(one.answer.written) for one in answered]},
    )
    return whole, tuple(told)
