"""Answer without a language model: the sentence that answers, word for word, or nothing."""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from haystack import component, default_from_dict, default_to_dict

from adapters.training.sameness import content_words
from pipelines.answer import NOT_IN_SOURCES, NOTHING_FOUND, Answer, Citation, cite, nearest
from pipelines.answer_signs import NAMES, Asked
from pipelines.cells import named_row, names_more, telling_cells
from pipelines.evidence import Evidence
from pipelines.facts import stems
from pipelines.faq import answers_in, asks, behind_mark
from pipelines.labelled import NamedThings
from pipelines.lists import (
    ListSigns,
    asks_for_one,
    is_opposite,
    lists_of,
    load_list_calibration,
)
from pipelines.logistic import Logistic, logistic, sigmoid
from pipelines.read import Reader, Reading, Text, open_reader

CALIBRATION = Path(__file__).parent / "weights" / "quote.json"

# What is known of a sentence, and of an answer, in the order of their features.
OF_SENTENCE = ("reader", "reader_ahead", "late", "late_of_piece", "place", *NAMES)
OF_ANSWER = (
    *("best", "second", "reader", "late", "late_of_piece"),
    *("rank_score", "rank_score_ahead"),
)
# A heading with a figure behind its number may tell something: "Open Monday to Friday, 9 to 17".
_FIGURE = re.compile(r"\D{4}.*\d")
_STOPS = tuple(".!?…。！？\"'”’)]")
# How well a question in a document meets the one asked speaks for what answers it there.
# Log odds for that, and where it speaks neither for nor against (docs/decisions.md).
_ALIKE, _WELL_ALIKE = 10.0, 0.4
# How sure it must be, by the sentences one by one, that anything answers before a list is told: of
# 112 told rightly 5 % are below, of seven where nothing answers five (docs/decisions.md).
_ANSWERED = 0.1
# Log odds in place of a second sentence where there is one only.
_NO_SECOND = -8.0
# Where the answer before the documents changed is known: log odds that a sentence gains which has
# all of its words, and those that there is an answer, beside which the usual signs say half as
# much (docs/decisions.md).
_AS_BEFORE, _ANSWERED_BEFORE = 2.0, 2.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How sure a sentence is to answer, how sure the answer is, and from when on it is given.

    Fitted by ``benchmarks/calibrate_quote.py`` on questions with and without an answer.

    :param sentence: Over :class:`Candidate`'s features: that a sentence answers.
    :param answer: Over :func:`answer_features`: that the best one or two do.
    :param threshold: Least probability that is given as an answer.
    :param second: Least odds, relative to the first sentence's, of a second one: beside a sure
        first sentence it is not given.
    """

    sentence: Logistic
    answer: Logistic
    threshold: float
    second: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of the evidence with what is known of it.

    :param piece: Which piece of evidence, from 0.
    :param start: Where what is quoted begins in the piece's text: the sentence, behind a mark such
        as "A:", or a list with what leads into it.
    :param end: Where it ends.
    :param reading: The words of it that answer best; of a list those of its likeliest item.
    :param features: In the order of ``OF_SENTENCE``: the reader's score; that score against the
        best one in other pieces; the sentence's and the piece's scores by late interaction; the
        logarithm of the piece's place; its :meth:`pipelines.answer_signs.Asked.signs`.
    :param log_odds: That it answers the question.
    :param alike: How much of that is because it answers a question like this one in its document.
    """

    piece: int
    start: int
    end: int
    reading: Reading
    features: tuple[float, ...]
    log_odds: float
    alike: float = 0.0

    @property
    def probability(self) -> float:
        """That it answers the question."""
        return sigmoid(self.log_odds)


def answer_features(
    evidence: Sequence[Evidence], candidates: Sequence[Candidate]
) -> tuple[float, ...]:
    """Return what is known of an answer as a whole, in the order of ``OF_ANSWER``.

    That is: the log odds of the likeliest two sentences; the reader's best score; the best scores
    by late interaction of a sentence and a piece; the first passage's score, and by how much it is
    ahead of the last one's, not a number where another reranker ranked them.

    :param evidence: What was found, best first.
    :param candidates: Its sentences, the likeliest first; at least one.
    """
    first, *others = candidates
    columns = zip(*(candidate.features for candidate in candidates), strict=True)
    most = dict(zip(OF_SENTENCE, map(max, columns), strict=True))
    scores = [math.nan if piece.late is None else piece.late for piece in evidence]
    return (
        first.log_odds,
        others[0].log_odds if others else _NO_SECOND,
        *(most[name] for name in OF_ANSWER[2:5]),
        scores[0],
        scores[0] - scores[-1],
    )


@cache
def load_calibration() -> Calibration:
    """Return the shipped calibration."""
    shipped = json.loads(CALIBRATION.read_text(encoding="utf-8"))["calibration"]
    fitted = {name: logistic(shipped[name]) for name in ("sentence", "answer")}
    return Calibration(**shipped | fitted)


@component
class QuoteAnswerer:
    """Quotes the sentence of the evidence that answers a question, or abstains.

    The reader (:mod:`pipelines.read`) looks for the answer in each sentence, the sentences'
    forms speak for them (:mod:`pipelines.answer_signs`), and the calibrated probability of the
    answer decides whether it is given. A second sentence joins the first where it is almost as
    likely to be the one. Where a question asks for what a list tells, the list is quoted whole
    (:mod:`pipelines.lists`).

    :param threshold: Least probability of an answer; the calibrated one by default.
    """

    def __init__(self, *, threshold: float | None = None) -> None:
        self.threshold = threshold
        self._reader: Reader | None = None

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component."""
        data: dict[str, Any] = default_to_dict(self, threshold=self.threshold)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "QuoteAnswerer":
        """Make a component of what :meth:`to_dict` returned."""
        answerer: QuoteAnswerer = default_from_dict(cls, data)
        return answerer

    def warm_up(self) -> None:
        """Load the reader."""
        self._reader = self._reader or open_reader()

    @component.output_types(answer=Answer)
    def run(
        self,
        query: str,
        evidence: list[Evidence],
        on_text: Callable[[str], None] | None = None,
        before: str | None = None,
    ) -> dict[str, Answer]:
        """Answer a question.

        :param query: The question.
        :param evidence: What was found, best first.
        :param on_text: Not called: a quote is there at once.
        :param before: What the answer was before the documents changed; the sentence that stands
            in its place has most of its words.
        """
        candidates = self.candidates(query, evidence)
        if before is not None:
            candidates = as_before(before, evidence, candidates)
        if not candidates:
            reads = any(piece.sentences for piece in evidence)
            reason = NOT_IN_SOURCES if reads else NOTHING_FOUND
            return {"answer": Answer(None, 0.0, reason=reason, nearest=nearest(evidence))}
        calibration = load_calibration()
        best = candidates[0]
        threshold = calibration.threshold if self.threshold is None else self.threshold
        odds = calibration.answer.log_odds(answer_features(evidence, candidates))
        sure = sigmoid(odds if before is None else odds / 2 + _ANSWERED_BEFORE)
        if before is None and sure >= _ANSWERED:
            whole = self._list(query, evidence, candidates)
            if whole is not None:
                return {"answer": whole}
        if sure < threshold:
            near = _cited(evidence, best)
            return {"answer": Answer(None, sure, reason=NOT_IN_SOURCES, nearest=near)}
        return {"answer": _quoted(query, evidence, self._chosen(query, evidence, candidates), sure)}

    def _list(
        self, query: str, evidence: list[Evidence], candidates: Sequence[Candidate]
    ) -> Answer | None:
        """Return the likeliest list with what leads into it, where it answers."""
        calibration = load_list_calibration()
        weighed = (
            replace(one, log_odds=calibration.signs.log_odds(signs.features()))
            for one, signs in lists_found(query, evidence, candidates)
        )
        whole = max(weighed, key=lambda one: one.log_odds, default=None)
        least = max(calibration.threshold, self.threshold or 0.0)
        if whole is None or whole.probability < least:
            return None
        lines = filter(None, map(str.strip, _text(evidence, whole).splitlines()))
        return Answer("\n".join(lines), whole.probability, (_cited(evidence, whole),))

    def _chosen(
        self, query: str, evidence: list[Evidence], candidates: Sequence[Candidate]
    ) -> list[Candidate]:
        """Return the likeliest candidate, and the next one where it is almost as likely."""
        best, *others = candidates
        told = _text(evidence, best)
        for other in others:
            text = _text(evidence, other)
            # Documents repeat themselves: the same sentence again would say nothing.
            if _folded(text) != _folded(told):
                least = best.log_odds + math.log(load_calibration().second)
                is_told = other.log_odds >= least and not names_more(query, told, text)
                return [best, other] if is_told else [best]
        return [best]

    def candidates(
        self,
        query: str,
        evidence: list[Evidence],
        weigh: Callable[[Sequence[float]], float] | None = None,
    ) -> list[Candidate]:
        """Return every sentence that may answer, the likeliest answer first.

        What asks or heads a section does not, nor what is told of another thing than the question
        names (:mod:`pipelines.labelled`). Of rows alike the first is the one that the question
        names; see :func:`named_first`.

        :param query: The question.
        :param evidence: What was found, best first.
        :param weigh: Gives the log odds of a sentence's features; as calibrated by default.
        """
        self.warm_up()
        assert self._reader is not None  # noqa: S101
        readings = self._reader.read(
            query,
            [Text(e.context, e.text, [(s, end) for s, end, _ in e.sentences]) for e in evidence],
        )
        best = [max((r.score for r in of_piece), default=-math.inf) for of_piece in readings]
        weigh = weigh or load_calibration().sentence.log_odds
        asked, things, found = Asked(query), NamedThings(query, evidence), []
        for number, (piece, of_piece) in enumerate(zip(evidence, readings, strict=True)):
            other = max((s for n, s in enumerate(best) if n != number), default=-math.inf)
            marked = asked.marked(f"{piece.context} {piece.text}")
            alike = answers_in(piece)
            for (start, end, score), reading in zip(piece.sentences, of_piece, strict=True):
                # What asks or heads a section does not answer: "6 weeks? 8 weeks?" in brackets.
                told = piece.text[start:end]
                if (piece.is_heading(start) and not _FIGURE.search(told)) or asks(told):
                    continue
                if not math.isfinite(reading.score) or things.are_elsewhere(piece, start, end):
                    continue
                features = (
                    reading.score,
                    reading.score - other if math.isfinite(other) else 0.0,
                    score,
                    piece.score,
                    math.log(number + 1),
                    *asked.signs(told, marked),
                )
                met = alike.get((start, end), 0.0)
                speaks = _ALIKE * max(0.0, met - _WELL_ALIKE)
                begins = behind_mark(piece.text, start) if met else start
                if reading.end <= begins:
                    begins = start
                reading = replace(reading, start=max(begins, reading.start))
                odds = weigh(features) + speaks
                found.append(Candidate(number, begins, end, reading, features, odds, speaks))
        found.sort(key=lambda candidate: -candidate.log_odds)
        return named_first(query, evidence, found)


def lists_found(
    question: str, evidence: Sequence[Evidence], candidates: Sequence[Candidate]
) -> Iterator[tuple[Candidate, ListSigns]]:
    """Yield each list of the evidence as one candidate, and what tells whether it answers.

    Its log odds are those of its likeliest item. A list for the opposite is left out.

    :param question: The question.
    :param evidence: What was found, best first.
    :param candidates: Its sentences, the likeliest first.
    """
    for_one, late = asks_for_one(question), OF_SENTENCE.index("late")
    for number, piece in enumerate(evidence):
        for one in lists_of(piece):
            inside: list[Candidate] = []
            others: list[Candidate] = []
            for candidate in candidates:
                is_in = candidate.piece == number and one.has(candidate.start)
                (inside if is_in else others).append(candidate)
            items = [item for item in inside if item.start >= one.start]
            if len(items) < 2 or is_opposite(question, one.heads):
                continue
            odds = [item.log_odds for item in items]
            signs = ListSigns(
                for_one,
                one.met,
                max(item.features[late] for item in items),
                odds[0],
                sum(odds) / len(odds),
                odds[0] - odds[1],
                others[0].log_odds if others else _NO_SECOND,
                math.log(number + 1),
                one.lead is not None and not one.is_headed,
            )
            yield replace(items[0], start=one.told_from, end=one.end), signs


def named_first(
    question: str, evidence: Sequence[Evidence], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Return candidates with the row first that a question names, where one like it is likeliest.

    A reader takes the price of the air filter for that of the oil filter: what a row costs looks
    the same in each.

    :param candidates: Sentences, the likeliest first; may be none.
    """
    if not candidates:
        return []
    ordered = list(candidates)
    place = named_row(question, [_text(evidence, one) for one in ordered])
    # They change places, odds and all: how sure the answer is stays as it was.
    best, named = ordered[0], ordered[place]
    ordered[place] = replace(best, log_odds=named.log_odds)
    ordered[0] = replace(named, log_odds=best.log_odds)
    return ordered


def as_before(
    before: str, evidence: Sequence[Evidence], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Return sentences weighed by how much of a former answer they say, the likeliest first.

    Numbers do not count: they are what changes.
    """
    words = {word for word in content_words(before) if not any(map(str.isdigit, word))}
    said, found = stems(words), []
    for one in candidates:
        there = stems(content_words(_text(evidence, one)))
        share = len(said & there) / len(said) if said else 0.0
        found.append(replace(one, log_odds=one.log_odds + _AS_BEFORE * share))
    return sorted(found, key=lambda candidate: -candidate.log_odds)


def _text(evidence: Sequence[Evidence], candidate: Candidate) -> str:
    return evidence[candidate.piece].text[candidate.start : candidate.end]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _cited(evidence: list[Evidence], candidate: Candidate) -> Citation:
    return cite(evidence[candidate.piece], candidate.start, candidate.end, candidate.probability)


def _quoted(
    question: str, evidence: list[Evidence], chosen: list[Candidate], sure: float
) -> Answer:
    """Return the answer of one sentence, or of two in the order in which they stand."""
    first = chosen[0]
    if len(chosen) == 2 and chosen[1].piece == first.piece:
        chosen = sorted(chosen, key=lambda candidate: candidate.start)
    told = ""
    very_answers = []
    for candidate in chosen:
        very = (candidate.reading.start - candidate.start, candidate.reading.end - candidate.start)
        text, (start, end) = telling_cells(question, _text(evidence, candidate), very)
        if told:
            # What has no stop of its own, such as a row or an item of a list, ends its line.
            told += " " if told.endswith(_STOPS) else "\n"
        very_answers.append((candidate is not first, (start + len(told), end + len(told))))
        told += text
    return Answer(
        told,
        sure,
        tuple(_cited(evidence, candidate) for candidate in chosen),
        highlights=tuple(stretch for _, stretch in sorted(very_answers)),
    )
