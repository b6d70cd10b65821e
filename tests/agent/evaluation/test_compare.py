from collections.abc import Callable, Sequence

import pytest

from agent.evaluation.compare import Evaluation
from agent.evaluation.metrics import Judged, Measured
from agent.expert import Reply

Judge = Callable[..., Judged]
Told = Callable[..., Reply]


@pytest.fixture
def evaluation(judged: Judge, make_reply: Told) -> Callable[..., Evaluation]:
    """Make an evaluation of ways of which each question is told whether they were right."""

    def made(asked: dict | None = None, **ways: Sequence[int]) -> Evaluation:
        question = asked or {"accepted": ["25 days"]}

        def measured(way: str, rights: Sequence[int]) -> Measured:
            tried = ("expert" if way == "router" else way,)
            replies = [make_reply(text="25 days" if r else "no", tried=tried) for r in rights]
            return Measured(way, tuple(judged(question, one) for one in replies))

        return Evaluation({way: measured(way, rights) for way, rights in ways.items()})

    return made


def test_the_best_is_the_most_right_and_of_equals_the_cheaper(
    evaluation: Callable[..., Evaluation],
) -> None:
    found = evaluation(hybrid=[1, 1, 0], retrieval=[1, 1, 0], expert=[1, 0, 0])
    assert found.order == ["retrieval", "hybrid", "expert"]
    assert found.verdict() == (
        "Always retrieval is best: right on 66.7% of 3 questions, the same as always hybrid."
    )


def test_a_verdict_says_how_far_it_is_chance(evaluation: Callable[..., Evaluation]) -> None:
    clear = evaluation(router=[1] * 40, hybrid=[1] * 20 + [0] * 20)
    assert clear.verdict().startswith(
        "The router is best: right on 100.0% of 40 questions, "
        "50.0 points more than always hybrid (95 % from +35.0"
    )
    assert clear.verdict().endswith("more than chance); it saves 50% of the cost.")
    assert clear.compared["hybrid"]["right"].difference == 0.5
    close = evaluation(router=[1] * 9 + [0], hybrid=[1] * 10)
    assert "which may be chance" in close.verdict()
    assert close.verdict().endswith("the router would lose 10.0 points and save 50% of the cost.")
    same = evaluation(router=[1] * 9 + [0], retrieval=[1] * 10)
    assert same.verdict().endswith("the router would lose 10.0 points and cost as much.")


def test_one_way_alone_is_no_comparison(evaluation: Callable[..., Evaluation]) -> None:
    found = evaluation(retrieval=[1, 0])
    assert found.compared == {}
    assert found.verdict() == "Always retrieval: right on 50.0% of 2 questions."


def test_without_accepted_words_f1_decides(evaluation: Callable[..., Evaluation]) -> None:
    found = evaluation({"answer": "25 days"}, router=[0, 0], expert=[1, 0])
    assert found.by == "f1"
    assert found.best == "expert"
    assert found.verdict().startswith("Always expert is best: F1 50.0% on 2 questions, ")
    assert list(found.compared["router"]) == ["f1"]


def test_questions_without_an_answer_do_not_decide_where_answers_are_measured_by_words(
    judged: Judge, make_reply: Told
) -> None:
    asked = [{"answer": "25 days"}] * 9 + [{"accepted": []}]

    def measured(way: str, *texts: str | None) -> Measured:
        replies = [make_reply(text=text, tried=(way,)) for text in texts]
        return Measured(way, tuple(map(judged, asked, replies)))

    silent, telling = [None] * 10, [*["25 days"] * 9, "no"]
    found = Evaluation(
        {"hybrid": measured("hybrid", *silent), "expert": measured("expert", *telling)}
    )
    assert (found.by, found.best) == ("f1", "expert")
    assert found.verdict().startswith("Always expert is best: F1 100.0% on 9 questions, ")
    nothing = [
        Measured(way, (judged({"accepted": []}, make_reply(text=None, tried=(way,))),))
        for way in ("hybrid", "expert")
    ]
    assert Evaluation({one.way: one for one in nothing}).by == "right"


def test_worst_is_what_most_ways_got_wrong(evaluation: Callable[..., Evaluation]) -> None:
    found = evaluation(router=[1, 0, 0, 1], retrieval=[1, 1, 0, 1])
    assert found.worst() == [2, 1]


def test_it_is_told_as_json(evaluation: Callable[..., Evaluation]) -> None:
    told = evaluation(router=[1, 0], retrieval=[1, 1]).to_dict()
    assert told["questions"] == 2
    assert told["best"] == "retrieval"
    assert told["ways"]["router"]["right"] == 0.5
    assert told["ways"]["router"]["right_interval"] == [0.0, 1.0]
    assert told["ways"]["router"]["kinds"] == {"": 0.5}
    assert told["compared"]["router"]["right"] == {
        "difference": 0.5,
        "interval": [0.0, 1.0],
        "p_better": pytest.approx(0.875, abs=0.05),
    }
