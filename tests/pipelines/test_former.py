"""What stands in a former answer's place, and whether that is what a question asks for."""

import pytest

from pipelines.evidence import Evidence
from pipelines.former import load_calibration, signs
from pipelines.quote import QuoteAnswerer
from pipelines.sentences import sentence_spans

TAUGHT, BEFORE = "How long is probation for fitters?", "Six months for fitters."
TEXT = "Probation is nine months for fitters. The canteen opens at seven."


@pytest.fixture(scope="module")
def quote() -> QuoteAnswerer:
    return QuoteAnswerer()


def piece(text: str) -> Evidence:
    spans = tuple((start, end, 0.5) for start, end in sentence_spans(text))
    return Evidence("staff.md", "1", None, "Staff", 0, len(text), None, text, 0.5, spans, 0.5)


def sure(quote: QuoteAnswerer, question: str, nearness: float) -> float:
    told = signs(quote, question, TAUGHT, BEFORE, nearness, [piece(TEXT)], [piece(TEXT)])
    assert told is not None
    return load_calibration().asks.probability(told)


def test_what_is_near_and_answered_in_its_place_is_asked_for(quote: QuoteAnswerer) -> None:
    asked = "For what time is a new fitter on trial?"
    assert sure(quote, asked, 0.7) >= load_calibration().threshold
    # The same place is less likely meant where the questions are far, or it answers another one.
    assert sure(quote, asked, 0.35) < sure(quote, asked, 0.7)
    assert sure(quote, "When does the canteen open?", 0.7) < sure(quote, asked, 0.7)


def test_documents_that_say_nothing_of_it_tell_nothing(quote: QuoteAnswerer) -> None:
    assert signs(quote, TAUGHT, TAUGHT, BEFORE, 1.0, [], [piece(TEXT)]) is None
    told = signs(quote, TAUGHT, TAUGHT, None, 1.0, [piece(TEXT)], [])
    assert told is not None
    assert told[2] < told[1]
