"""Figures of a small evaluation that can be worked out by hand."""

from dataclasses import replace

import pytest

from agent.router.evaluation import Evaluation, Routed, oracle_route

COSTS = {"retrieval": 1.0, "expert": 2.0, "hybrid": 3.0, "abstain": 0.0}


def _routed(
    wanted: str | None,
    taken: str,
    success: dict[str, float] | None = None,
    *,
    confidence: float = 0.9,
    out_of_scope: float = 0.1,
    stage: int = 1,
) -> Routed:
    return Routed(
        f"{wanted} by {taken}?",
        wanted,
        taken,
        confidence,
        out_of_scope,
        ("because",),
        stage,
        2.0,
        success,
        COSTS,
    )


def _evaluation(*routed: Routed) -> Evaluation:
    return Evaluation(routed, "7", ())


WANTED = _evaluation(
    _routed("retrieval", "retrieval"),
    _routed("retrieval", "expert", confidence=0.6, stage=2),
    _routed("expert", "expert"),
    _routed("abstain", "abstain", out_of_scope=0.8),
    _routed("abstain", "expert", confidence=0.7, out_of_scope=0.1),
)


def _success(retrieval: float, expert: float, hybrid: float) -> dict[str, float]:
    return {"retrieval": retrieval, "expert": expert, "hybrid": hybrid, "abstain": 0.0}


TRIED = _evaluation(
    _routed(None, "retrieval", _success(1, 0, 1)),
    _routed(None, "expert", _success(1, 0, 1), confidence=0.4),
    _routed(None, "hybrid", _success(0, 0.5, 1)),
    _routed(None, "expert", _success(0, 1, 0)),
)


def test_figures_of_wanted_routes() -> None:
    figures = WANTED.figures()
    assert figures["questions"] == 5
    assert figures["right"] == pytest.approx(3 / 5)
    assert figures["precision_expert"] == pytest.approx(1 / 3)
    assert (figures["precision_retrieval"], figures["recall_retrieval"]) == (1.0, 0.5)
    assert (figures["precision_abstain"], figures["recall_abstain"]) == (1.0, 0.5)
    assert figures["mean_cost"] == pytest.approx((1 + 2 + 2 + 0 + 2) / 5)
    assert figures["stage_2"] == pytest.approx(1 / 5)
    # Above all three others, and on a par with them.
    assert figures["auroc_out_of_scope"] == pytest.approx((1 + 0.5) / 2)
    # Three at .9 that are right, one at .6 and one at .7 that are not.
    assert figures["calibration_error"] == pytest.approx((3 * 0.1 + 0.6 + 0.7) / 5)
    assert "success" not in figures
    assert "precision_hybrid" not in figures
    assert (figures["latency_p50_ms"], figures["latency_p95_ms"]) == (2.0, 2.0)


def test_each_interval_holds_its_figure() -> None:
    for evaluation in (WANTED, TRIED):
        figures, intervals = evaluation.figures(), evaluation.intervals(resamples=200)
        assert set(figures) - set(intervals) == {"questions", "latency_p50_ms", "latency_p95_ms"}
        for name, (low, high) in intervals.items():
            # Of so few questions the error's interval need not.
            if name != "calibration_error":
                assert low <= figures[name] <= high, name


def test_confusion_and_what_was_sent_wrong() -> None:
    assert WANTED.confusion() == {
        ("retrieval", "retrieval"): 1,
        ("retrieval", "expert"): 1,
        ("expert", "expert"): 1,
        ("abstain", "abstain"): 1,
        ("abstain", "expert"): 1,
    }
    assert WANTED.routes == ("retrieval", "expert", "abstain")
    assert [(one.wanted, one.confidence) for one in WANTED.sent_wrong()] == [
        ("abstain", 0.7),
        ("retrieval", 0.6),
    ]
    assert WANTED.fixed_routes() == {}
    assert WANTED.oracle() is None
    assert WANTED.chosen() is None
    assert WANTED.compared() == {}


def test_figures_of_success() -> None:
    figures = TRIED.figures()
    assert figures["success"] == pytest.approx(3 / 4)
    assert figures["mean_cost"] == pytest.approx((1 + 2 + 3 + 2) / 4)
    assert {"right", "auroc_out_of_scope"}.isdisjoint(figures)
    assert figures["calibration_error"] == pytest.approx((3 * 0.1 + 0.4) / 4)
    assert TRIED.fixed_routes() == {
        "retrieval": (0.5, 1.0),
        "expert": (0.375, 2.0),
        "hybrid": (0.75, 3.0),
        "abstain": (0.0, 0.0),
    }
    assert TRIED.chosen() == (0.75, 2.0)
    assert TRIED.oracle() == (1.0, (1 + 1 + 3 + 2) / 4)
    assert TRIED.confusion() == {}
    (wrong,) = TRIED.sent_wrong()
    assert wrong.best == ("retrieval", "hybrid")
    assert oracle_route(wrong) == "retrieval"


def test_the_router_is_compared_on_the_same_questions() -> None:
    compared = TRIED.compared()
    assert list(compared) == ["retrieval", "expert", "hybrid", "abstain", "oracle"]
    assert compared["retrieval"].difference == pytest.approx(0.25)
    assert compared["oracle"].difference == pytest.approx(-0.25)
    assert compared["oracle"].p_better < 0.5


def test_a_route_that_was_not_tried_with_every_question_is_no_fixed_route() -> None:
    first, *others = TRIED.routed
    cut = replace(first, success={"retrieval": 1.0, "expert": 0.0})
    assert list(_evaluation(cut, *others).fixed_routes()) == ["retrieval", "expert"]


def test_confidence_is_held_against_success_where_that_is_known() -> None:
    # The suite wants another route, but this one was right too.
    both = _routed("retrieval", "hybrid", _success(1, 0, 1))
    assert both.correct == 1.0
    assert not both.sent_right
    assert _routed(None, "hybrid").correct is None


def test_of_no_questions_there_is_nothing_to_say() -> None:
    nothing = _evaluation()
    assert nothing.figures() == {"questions": 0}
    assert nothing.intervals() == {}
    assert nothing.confidences() is None
