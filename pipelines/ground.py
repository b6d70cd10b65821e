"""Hold what a language model wrote against its evidence, sentence by sentence."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from adapters.training.sameness import content_words
from pipelines.answer import Claim
from pipelines.citations import without_marks
from pipelines.embed.embedder import Embedder
from pipelines.embed.opening import open_embedder
from pipelines.entailment import Entails, Verdict
from pipelines.evidence import Evidence
from pipelines.facts import faults, plain, stems
from pipelines.sentences import sentence_spans

# A sentence is backed where so many of its words stand in the source or the question, or where
# it is so near to a sentence of the source by the shipped embedder (docs/decisions.md).
_BACKED, _ALIKE = 0.75, 0.6

_EMPTY = frozenset(["yes", "no", "not", "none"])
# Stand in many a source for something else: "Dial No. 5".
_BARE = frozenset(["yes", "no"])
_ENUMERATOR = re.compile(r"[-*\s(]*(?:step\s+)?(\d{1,2})[.):][*)]*\s+(?=\S)", re.IGNORECASE)

Alike = Callable[[str, Sequence[str]], float]
"""Returns the cosine of a text and the likest of others."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of a reply, without its marks.

    :param shown: As it was written.
    :param said: Without its number in a list, which no source need have.
    :param cited: The pieces that it cites, from 0.
    :param line: The line of the reply that it stands on.
    """

    shown: str
    said: str
    cited: Sequence[int]
    line: int


@dataclass(frozen=True, slots=True)
class Grounded:
    """A reply without what its evidence does not back.

    :param reply: The sentences that are backed, each with the mark of what backs it, in lines
        as they were written.
    :param claims: All sentences, also those left out.
    """

    reply: str
    claims: tuple[Claim, ...]

    @property
    def fault(self) -> str | None:
        """Why a sentence was left out, the first one; None where none was."""
        return next((claim.fault for claim in self.claims if claim.fault), None)


def ground(
    question: str,
    reply: str,
    evidence: Sequence[Evidence],
    alike: Alike | None = None,
    entails: Entails | None = None,
) -> Grounded:
    """Keep the sentences of a reply that its evidence backs.

    A sentence is backed by a piece of evidence when its numbers with their units and bounds,
    its names and what it denies stand there alike, and most of its words do or it means what a
    sentence of the piece means. It is first held against the pieces that it cites; when another
    backs it and those do not, it cites that one instead, and so does a sentence that cites
    nothing.

    Where a model of inference is given, what a piece contradicts by its verdict is not backed by
    it, and what follows from the piece needs neither its words nor its nearness.

    :param question: What was asked; its words may be said again. Empty where they need a source
        as others do.
    :param reply: What the model wrote, with marks such as ``[1]``.
    :param evidence: In the order in which it was numbered from 1; at least one piece.
    :param alike: How alike in meaning a sentence and the likest of others are; by the shipped
        embedder where none is given.
    :param entails: Judges whether a sentence follows from a text, asked once; None for no judge.
    :raises EmbedderError: When the embedder cannot be loaded.
    :raises GroundingError: When the judge cannot be loaded.
    """
    claims, kept, line = [], "", 0
    sentences = _sentences(reply, len(evidence))
    verdicts = _verdicts(sentences, evidence, entails)
    for sentence, judged in zip(sentences, verdicts, strict=True):
        held = _Held(question, sentence, evidence, judged, alike or nearness)
        claim, marks = _best(held, sentence.cited, len(evidence))
        claims.append(claim)
        if claim.fault is None:
            # What has no stop, as in a list, would run into the next.
            gap = "\n" if sentence.line > line else " "
            cited = ", ".join(str(mark + 1) for mark in marks)
            kept += f"{gap if kept else ''}{sentence.shown} [{cited}]"
            line = sentence.line
    return Grounded(kept, tuple(claims))


def _verdicts(
    sentences: Sequence[_Sentence],
    evidence: Sequence[Evidence],
    entails: Entails | None,
) -> list[Sequence[Verdict]]:
    """Return the judge's verdicts on each sentence and each piece, asked for all at once."""
    if entails is None or not sentences:
        return [["neutral"] * len(evidence) for _ in sentences]
    pairs = [(piece.text, sentence.said) for sentence in sentences for piece in evidence]
    found = entails(pairs)
    return [found[n : n + len(evidence)] for n in range(0, len(found), len(evidence))]


def _best(held: "_Held", cited: Sequence[int], pieces: int) -> tuple[Claim, Sequence[int]]:
    """Hold a sentence against what it cites, that together, and the rest; return what backs it."""
    first = [held.against([n]) for n in cited]
    marks = [n for n, claim in zip(cited, first, strict=True) if claim.fault is None]
    if marks:
        return next(claim for claim in first if claim.fault is None), marks
    if len(cited) > 1:
        together = held.against(cited)
        if together.fault is None:
            return together, cited
    others = [n for n in range(pieces) if n not in cited]
    rest = [held.against([n]) for n in others]
    backed = [(n, c) for n, c in zip(others, rest, strict=True) if c.fault is None]
    if backed:
        number, claim = max(backed, key=lambda one: one[1].support)
        return claim, [number]
    return (first or [max(rest, key=lambda claim: claim.support)])[0], []


def _sentences(reply: str, pieces: int) -> list[_Sentence]:
    found: list[_Sentence] = []
    last = 0
    for start, end in sentence_spans(reply):
        text, numbers = without_marks(reply[start:end])
        cited = list(dict.fromkeys(n - 1 for n in numbers if 0 < n <= pieces))
        if any(letter.isalnum() for letter in text):
            listed, said = _ENUMERATOR.match(text), text
            # Any other number may be what is said: "3. May".
            if listed and int(listed[1]) in (1, last + 1):
                last, said = int(listed[1]), text[listed.end() :]
            found.append(_Sentence(text, said, cited, reply.count("\n", 0, start)))
        elif found:  # a mark behind the stop
            both = dict.fromkeys([*found[-1].cited, *cited])
            found[-1] = replace(found[-1], cited=list(both))
    return found


@dataclass(frozen=True, slots=True)
class _Held:
    """A sentence to be held against pieces of evidence.

    :param judged: The judge's verdict on each piece.
    """

    question: str
    sentence: _Sentence
    evidence: Sequence[Evidence]
    judged: Sequence[Verdict]
    alike: Alike

    def against(self, numbers: Sequence[int]) -> Claim:
        """Return what becomes of the sentence by these pieces together."""
        pieces = [self.evidence[n] for n in numbers]
        text = "\n".join(piece.text for piece in pieces)
        known = "\n".join([self.question, *(piece.context for piece in pieces)])
        sentence = self.sentence.said
        said = stems(content_words(plain(sentence)))
        there = stems(content_words(plain(f"{known}\n{text}")))
        support = len(said & there) / len(said) if said else 1.0
        fault = next(faults(sentence, text, known), None)
        told = content_words(sentence)
        if (told and told <= _BARE) or (not self.question and told <= _EMPTY):
            fault = fault or "it says nothing that a source could"
        verdicts = {self.judged[n] for n in numbers}
        if fault is None and "contradiction" in verdicts:
            fault = "it contradicts what stands there"
        if fault is None and support < _BACKED and "entailment" not in verdicts:
            parts = [text[start:end] for start, end in sentence_spans(text)]
            if self.alike(sentence, parts or [text]) < _ALIKE:
                fault = "too little of it stands there"
        return Claim(self.sentence.shown, support, fault)


@cache
def _embedder() -> Embedder:
    return open_embedder("minilm")


def nearness(text: str, others: Sequence[str]) -> float:
    """Return the cosine of a text and the nearest of others, by the shipped embedder.

    :raises EmbedderError: When it cannot be loaded.
    """
    vectors = _embedder().embed_passages([text, *others]).vectors
    return float((vectors[1:] @ vectors[0]).max())
