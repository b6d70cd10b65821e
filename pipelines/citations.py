"""Citation marks in a reply, ``[1]`` or ``[1, 3]``, and the places that they point at."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.answer import Citation, cite
from pipelines.evidence import Evidence
from pipelines.sentences import sentence_spans

_MARK = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Cited:
    """A reply with its marks resolved.

    :param text: The reply; marks that point nowhere are taken out, the others renumbered
        in the order of ``citations``.
    :param citations: The places cited, each once.
    :param dropped: How many marks pointed at no evidence.
    """

    text: str
    citations: tuple[Citation, ...]
    dropped: int


def resolve(reply: str, evidence: Sequence[Evidence]) -> Cited:
    """Resolve a reply's marks against the numbered evidence that it was written from.

    The quote of a citation is the sentence of the evidence that shares most words with the
    sentence that cites it.

    :param reply: What the model wrote.
    :param evidence: The evidence, in the order in which it was numbered from 1.
    """
    # By place: another claim may cite it again, which makes it no other place.
    citations: dict[tuple[str, int, int], Citation] = {}
    dropped = 0

    def renumbered(match: re.Match[str]) -> str:
        nonlocal dropped
        marks = []
        for number in re.findall(r"\d+", match[1]):
            if not 0 < int(number) <= len(evidence):
                dropped += 1
                continue
            citation = _nearest(evidence[int(number) - 1], _claim(reply, match.start()))
            place = (citation.document, citation.start, citation.end)
            citations.setdefault(place, citation)
            marks.append(str(list(citations).index(place) + 1))
        return f" [{', '.join(dict.fromkeys(marks))}]" if marks else ""

    text = _MARK.sub(renumbered, reply).strip()
    return Cited(text, tuple(citations.values()), dropped)


def without_marks(reply: str) -> tuple[str, list[int]]:
    """Return a reply without its marks, and the numbers that they name, in order.

    :param reply: What the model wrote.
    """
    numbers = [int(number) for mark in _MARK.findall(reply) for number in re.findall(r"\d+", mark)]
    return _MARK.sub("", reply).strip(), numbers


def renumbered(text: str, by: int) -> str:
    """Return a text whose marks name sources that many places later.

    :param text: With marks such as ``[1]``.
    :param by: How many sources go before.
    """
    return _MARK.sub(lambda m: re.sub(r"\d+", lambda n: str(int(n[0]) + by), m[0]), text)


def renumbered_by(text: str, marks: Mapping[int, Iterable[int]]) -> str:
    """Return a text in which each mark names other sources.

    :param marks: The new numbers of each.
    """

    def other(match: re.Match[str]) -> str:
        numbers = [new for old in re.findall(r"\d+", match[1]) for new in marks[int(old)]]
        return f" [{', '.join(map(str, dict.fromkeys(numbers)))}]"

    return _MARK.sub(other, text)


def _claim(reply: str, at: int) -> str:
    """Return the sentence that a mark at this place stands behind."""
    before = _MARK.sub("", reply[:at]).rstrip()
    spans = sentence_spans(before)
    return before[spans[-1][0] :] if spans else ""


def _nearest(evidence: Evidence, claim: str) -> Citation:
    wanted = _words(claim)
    spans = sentence_spans(evidence.text) or [(0, len(evidence.text))]
    shared = [len(wanted & _words(evidence.text[start:end])) for start, end in spans]
    start, end = spans[shared.index(max(shared))]
    return cite(evidence, start, end, max(shared) / max(len(wanted), 1))


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}
