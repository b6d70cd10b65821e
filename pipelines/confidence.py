"""How likely an answer that a language model wrote is right."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipelines.answer import Citation
from pipelines.evidence import Evidence
from pipelines.read import Text, open_reader

CALIBRATION = Path(__file__).parent / "weights" / "phi3.json"


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over :func:`features`.

    Fitted by ``benchmarks/calibrate_phi3.py`` on replies of the lab model to questions half of
    which have no answer.
    """

    intercept: float
    weights: tuple[float, ...]


@cache
def load_calibration() -> Calibration:
    """Return the shipped calibration."""
    shipped = json.loads(CALIBRATION.read_text(encoding="utf-8"))["calibration"]
    return Calibration(shipped["intercept"], tuple(shipped["weights"]))


def features(
    question: str,
    evidence: Sequence[Evidence],
    citations: Sequence[Citation],
    first_log_probability: float,
) -> tuple[float, float]:
    """Return what is known of an answer: how sure its first token was, and the reader's word.

    :param question: What was asked.
    :param evidence: What the answer was written from.
    :param citations: What it cites.
    :param first_log_probability: Of the reply's first token, where an answer and a refusal part.
    :returns: That, and by how much the reader prefers an answer in the cited pieces to none.
    :raises ReaderError: When the reader cannot be loaded.
    """
    cited = [
        piece
        for piece in evidence
        if any(
            piece.document == one.document and piece.start <= one.start < piece.end
            for one in citations
        )
    ]
    texts = [Text(one.context, one.text, [(0, len(one.text))]) for one in cited]
    readings = [r.score for of_text in open_reader().read(question, texts) for r in of_text]
    best = max((score for score in readings if math.isfinite(score)), default=0.0)
    return first_log_probability, best


def confidence(found: Sequence[float]) -> float:
    """Return the calibrated probability that an answer with these features is right."""
    calibration = load_calibration()
    weighed = zip(calibration.weights, found, strict=True)
    logit = calibration.intercept + sum(weight * value for weight, value in weighed)
    return 1 / (1 + math.exp(-max(min(logit, 50.0), -50.0)))
