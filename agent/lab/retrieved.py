"""Questions with the evidence that the product finds for them, to learn reading it.

Sentences of an encyclopaedia are not what an index gives: passages with headings, rows,
some of them beside the point, best first. Where the answer is not among them, the right
reply is that the sources do not answer.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import LabError
from agent.lab.compose import Row, evidence_of, over, typed
from agent.lab.sources import json_lines
from agent.measure import plain, tells
from agent.suite import SuiteQuestion, is_gold
from agent.training_context import REFUSES
from pipelines.search import retrieve

if TYPE_CHECKING:
    from haystack import Pipeline

    from pipelines.evidence import Evidence

# How often evidence is shown as it was found; else in another order, and some of it.
_AS_FOUND = 0.6
# How often what answers is left out.
_LEFT_OUT = 0.15


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A question with what was found for it.

    :param answer: The right answer; None where nothing in the index answers.
    :param exact: The words that answer, as the evidence tells them.
    :param evidence: Context and text of each piece, best first.
    :param place: Number of the piece that answers, from 1; 0 for none.
    """

    question: str
    answer: str | None
    exact: str
    evidence: tuple[tuple[str, str], ...]
    place: int

    def line(self) -> dict[str, Any]:
        """Return it as a line of JSON lines."""
        return asdict(self)


def gather(
    pipeline: "Pipeline",
    questions: Sequence[SuiteQuestion],
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Iterator[Retrieved]:
    """Yield a suite's questions with the evidence found for them.

    Left out are those whose accepted words stand elsewhere only: whether that answers them
    too, nobody has looked; and those with an answer but without ``accepted`` words, since
    nobody knows where it stands.

    :param pipeline: The retrieval pipeline.
    :param questions: With ``accepted`` words and ``gold_files``, or without where nothing answers.
    :param on_progress: Told how many questions are asked, and of how many.
    """
    for done, asked in enumerate(questions, 1):
        on_progress(done, len(questions))
        if asked.has_answer and not asked.accepted:
            continue
        evidence = retrieve(pipeline, asked.searched).evidence
        place, exact = _place(asked, evidence)
        if place < 0 or not evidence:
            continue
        yield Retrieved(
            question=asked.searched,
            answer=asked.answer if asked.has_answer else None,
            exact=exact,
            evidence=tuple((piece.context, piece.text) for piece in evidence),
            place=place,
        )


def _place(asked: SuiteQuestion, evidence: Sequence["Evidence"]) -> tuple[int, str]:
    """Return which piece answers, from 1, and by which words; 0 for none, -1 when in doubt."""
    doubtful = False
    for words in asked.accepted if asked.has_answer else ():
        for number, piece in enumerate(evidence, 1):
            if tells(plain(piece.text), words):
                if is_gold(piece.document, asked.gold_files):
                    return number, words
                doubtful = True
    return (-1 if doubtful else 0), ""


def read_retrieved(path: Path) -> list[list[Retrieved]]:
    """Return what :func:`gather` found, from JSON lines, lines over the same evidence together.

    :raises LabError: When they cannot be read.
    """
    try:
        found = (
            Retrieved(**line | {"evidence": tuple((c, t) for c, t in line["evidence"])})
            for line in json_lines(path)
        )
        return [list(group) for _, group in groupby(found, lambda one: one.evidence)]
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"{path} is not what `expert lab evidence` writes: {error}") from None


def rows_of(group: Sequence[Retrieved], chance: random.Random) -> list[Row]:
    """Return rows about questions, all over their evidence or the same part of it.

    :param group: Questions for which the same was found.
    :param chance: Decides what is shown.
    """
    places = {one.place for one in group if one.place}
    shown = list(range(1, len(group[0].evidence) + 1))
    if chance.random() >= _AS_FOUND:
        shown = _mixed(shown, places, chance)
    pieces = [group[0].evidence[number - 1] for number in shown]
    evidence = [evidence_of(context, text) for context, text in pieces]
    said = [plain(text) for _, text in pieces]
    made = []
    for one in group:
        reply = REFUSES
        if one.answer is not None and one.place in shown:
            reply = f"{one.answer.rstrip(' .')} [{shown.index(one.place) + 1}]"
        elif one.place and any(tells(text, one.exact) for text in said):
            # The same words stand in another piece: whether they answer there, nobody has looked.
            continue
        made.append(Row("documents", over(typed(one.question, chance), evidence, reply)))
    return made


def _mixed(numbers: Sequence[int], places: set[int], chance: random.Random) -> list[int]:
    """Return some of the evidence's numbers in another order, those that answer mostly among it."""
    kept = [n for n in numbers if n in places and chance.random() >= _LEFT_OUT]
    others = [n for n in numbers if n not in places]
    further = chance.randint(0 if kept else 1, len(others)) if others else 0
    shown = [*kept, *chance.sample(others, further)]
    chance.shuffle(shown)
    return shown or list(numbers)
