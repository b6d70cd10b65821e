"""How likely an answer that a language model wrote is right."""

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pipelines.answer import Citation
from pipelines.evidence import Evidence
from pipelines.logistic import Logistic, logistic
from pipelines.read import Text, open_reader

CALIBRATION = Path(__file__).parent / "weights" / "phi3.json"


@cache
def load_calibration() -> Logistic:
    """Return the shipped regression over :func:`features`.

    Fitted by ``benchmarks/calibrate_phi3.py`` on replies of the lab model to questions half of
    which have no answer.
    """
    return logistic(json.loads(CALIBRATION.read_text(encoding="utf-8"))["calibration"])


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
    return load_calibration().probability(found)
