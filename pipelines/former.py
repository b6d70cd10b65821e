"""What stands now where a former answer stood, and whether it is what a question asks for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipelines.evidence import Evidence
from pipelines.logistic import Logistic, logistic
from pipelines.quote import QuoteAnswerer, as_before

CALIBRATION = Path(__file__).parent / "weights" / "former.json"
# Log odds of a sentence where there is none.
_NONE = -9.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How sure a question is to ask for what was taught, and from when on it is taken for it.

    Fitted by ``benchmarks/calibrate_former.py`` on facts that stand in documents which have
    changed, half of which were taught.

    :param asks: Over :func:`signs`.
    :param threshold: Least probability.
    """

    asks: Logistic
    threshold: float


@cache
def load_calibration() -> Calibration:
    """Return the shipped calibration."""
    shipped = json.loads(CALIBRATION.read_text(encoding="utf-8"))["calibration"]
    return Calibration(logistic(shipped["asks"]), shipped["threshold"])


def signs(
    quote: QuoteAnswerer,
    question: str,
    taught: str,
    before: str | None,
    nearness: float,
    there: Sequence[Evidence],
    found: Sequence[Evidence],
) -> tuple[float, float, float] | None:
    """Return what tells whether a question asks for what was taught before documents changed.

    That is: how near the two questions are; the log odds that the sentence which stands in the
    former answer's place answers this one; the best ones of any sentence found for it.

    :param quote: Reads.
    :param question: What is asked.
    :param taught: The question that was taught, and
    :param before: its answer, where it is known.
    :param nearness: How near they are, at most 1.
    :param there: What the documents have on the question taught.
    :param found: What was found for the one asked.
    :returns: None where the documents have nothing on the question taught.
    """
    places = quote.candidates(taught, list(there))
    if before is not None:
        places = as_before(before, there, places)
    if not places:
        return None
    asked = {(one.piece, one.start): one for one in quote.candidates(question, list(there))}
    # Behind a long question the reader has less room for the text.
    here = asked.get((places[0].piece, places[0].start))
    best = max((one.log_odds for one in quote.candidates(question, list(found))), default=_NONE)
    return nearness, _NONE if here is None else here.log_odds, best
