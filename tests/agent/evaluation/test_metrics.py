from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.errors import ExpertError
from agent.errors import WorkspaceError
from agent.evaluation.metrics import Judged, Measured
from agent.expert import Failure, Reply
from agent.reply import Part
from pipelines.evidence import Evidence

Judge = Callable[..., Judged]
Told = Callable[..., Reply]
FAILED = Failure("How long?", WorkspaceError("too long"))
LEAVE = {"accepted": ["25 days"], "answer": "Staff earn 25 days."}


@pytest.mark.parametrize(
    ("asked", "answer", "right", "exact", "f1"),
    [
        (LEAVE, "25 days [1]", 1, 1, 1),
        (LEAVE, "staff earn 25 days", 1, 1, 1),
        (LEAVE, "26 days", 0, 0, 0.5),
        (LEAVE, None, 0, 0, 0),
        ({"accepted_all": ["25", "march"]}, "25 days, until March", 1, 0, 2 / 3),
        ({"accepted_all": ["25", "march"]}, "25 days", 0, 0, 0.5),
        # What holds the answer is not known: only how near it is.
        ({"answer": "25 days"}, "25 days.", None, 1, 1),
        ({"answer": "25 days"}, None, None, 0, 0),
        ({}, None, 1, None, None),
        ({}, "25 days", 0, None, None),
        # Nothing is accepted, and the answer says why.
        ({"accepted": [], "answer": "It is not said."}, None, 1, None, None),
        ({"route": "abstain", "answer": "It is not said."}, "25", 0, None, None),
    ],
)
def test_an_answer_is_compared_with_what_is_wanted(
    asked: dict,
    answer: str | None,
    right: float | None,
    exact: float | None,
    f1: float | None,
    judged: Judge,
    make_reply: Told,
) -> None:
    one = judged(asked, make_reply(text=answer))
    assert (one.right, one.exact) == (right, exact)
    assert one.f1 == (None if f1 is None else pytest.approx(f1))
    assert one.similarity is None or "answer" not in asked or one.similarity <= one.f1


def test_places_cited_are_looked_at_around(
    judged: Judge, make_reply: Told, make_evidence: Callable[..., Evidence]
) -> None:
    pieces = (
        make_evidence("Staff earn leave. It is 25 days."),
        make_evidence("Visitors park there.", "parking.txt"),
    )
    told = make_reply(
        text="Staff earn leave.",
        quotes=("Staff earn leave.", "Visitors park there."),
        pieces=pieces,
    )
    one = judged(LEAVE, told)
    assert one.cited == (True, False)
    assert one.grounded is True
    measured = Measured("retrieval", (one, judged(LEAVE, make_reply(text="25 days")))).figures
    assert measured["citation_precision"] == 0.5
    assert measured["citation_recall"] == 0.5
    assert measured["grounded"] == 0.5
    assert judged({"answer": "25 days"}, told).cited is None
    assert judged({}, told).cited is None
    assert judged(LEAVE, make_reply(text="25 days", route="expert")).grounded is None


def test_of_an_answer_in_parts_those_from_documents_are_to_be_backed(
    judged: Judge, make_reply: Told, make_evidence: Callable[..., Evidence]
) -> None:
    text = "Staff earn 25 days [1] It takes nine weeks."
    told = make_reply(
        text=text, route="hybrid", pieces=(make_evidence("Staff earn 25 days of annual leave."),)
    )
    learned = Part("How long?", "expert", "hr@1", 23, len(text))
    backed = Part("How many?", "retrieval", None, 0, 22)
    both = judged(LEAVE, replace(told, parts=(backed, learned)))
    assert (both.grounded, both.right) == (True, 1)
    assert judged(LEAVE, replace(told, parts=(learned,))).grounded is None
    invented = replace(learned, route="hybrid")
    assert judged(LEAVE, replace(told, parts=(backed, invented))).grounded is False


def test_a_route_costs_what_was_taken_though_it_gave_no_answer(
    judged: Judge, make_reply: Told
) -> None:
    assert judged({}, make_reply(decided="hybrid")).cost == 2
    assert judged({}, make_reply(decided="abstain")).cost == 0
    both = judged({}, make_reply(tried=("retrieval", "hybrid")))
    assert (both.cost, both.tried) == (3, ("retrieval", "hybrid"))


def test_what_is_withheld_counts_against_what_is_to_be(judged: Judge, make_reply: Told) -> None:
    answer, none = make_reply(text="25 days"), make_reply()
    measured = Measured(
        "retrieval",
        (
            judged(LEAVE, answer),
            judged(LEAVE, answer),
            judged(LEAVE, none),
            judged({}, none),
            judged({}, none),
            judged({}, answer),
            judged({}, FAILED),
        ),
    )
    figures = measured.figures
    assert (figures["questions"], figures["unanswerable"], figures["failed"]) == (7, 4, 1)
    assert figures["withheld"] == 0.5
    assert figures["falsely_withheld"] == pytest.approx(1 / 3)
    # Precision two of three, recall two of four.
    assert figures["abstention_f1"] == pytest.approx(2 * 2 / (3 + 4))
    assert figures["right"] == pytest.approx(4 / 7)
    assert figures["f1"] == pytest.approx(2 / 3)
    assert measured.failures == (FAILED,)
    assert measured.confidences() == ([0.8, 0.8, 0.8], [1, 1, 0])
    for name, (low, high) in measured.intervals.items():
        assert low <= figures[name] <= high
    assert {"right", "abstention_f1", "latency_p50_ms", "cost"} <= measured.intervals.keys()
    assert not {"questions", "unanswerable", "failed", "grounded_of"} & measured.intervals.keys()


def test_a_question_that_failed_is_wrong_and_no_route(judged: Judge) -> None:
    one = judged(LEAVE, FAILED)
    assert (one.right, one.f1, one.withheld, one.cost, one.tried) == (0, 0, False, None, ())
    assert isinstance(FAILED.error, ExpertError)
    figures = Measured("retrieval", (one,)).figures
    assert "latency_p50_ms" not in figures
    assert "citation_precision" not in figures


def test_the_first_of_a_route_loads_it_and_is_not_timed(judged: Judge, make_reply: Told) -> None:
    told = [
        make_reply(text="25", ms=900, decided="retrieval"),
        make_reply(text="25", ms=10, decided="retrieval"),
        make_reply(text="25", ms=5000, decided="expert", adapter="hr@1"),
        make_reply(text="25", ms=20, decided="expert", adapter="hr@1"),
    ]
    each = tuple(judged(LEAVE, one) for one in told)
    assert Measured("router", each).figures["latency_p50_ms"] == 15
    assert Measured("router", each[:1]).figures["latency_p50_ms"] == 900


def test_kinds_are_told_apart(judged: Judge, make_reply: Told) -> None:
    answer = make_reply(text="25 days")
    measured = Measured(
        "retrieval",
        (
            judged({**LEAVE, "kind": "lookup"}, answer),
            judged({"kind": "open"}, answer),
            judged({"answer": "25", "kind": "told"}, answer),
        ),
    )
    assert measured.kinds() == {"lookup": (1, 1), "open": (0, 1)}
