"""The rule that decides, on made-up figures of every kind."""

import pytest

from agent.advise.verdict import Candidate, decide


def way(right: int, of: int, *, shift: int = 0, trained: bool = True, **more: float) -> Candidate:
    """Give a way that is right on so many questions, the first ones of a shifted list."""
    scores = [float((n - shift) % of < right) for n in range(of)]
    return Candidate(scores, trained, **more)


def ways(**right: int) -> dict[str, Candidate]:
    """Give ways that are right on so many of 100 questions, each on others as far as can be."""
    return {
        name: way(count, 100, shift=10 * n, trained=name != "retrieval")
        for n, (name, count) in enumerate(right.items())
    }


@pytest.mark.parametrize("winner", ["retrieval", "expert", "hybrid", "router"])
def test_a_clear_winner_is_used(winner: str) -> None:
    right = dict.fromkeys(("retrieval", "expert", "hybrid", "router"), 20) | {winner: 80}
    verdict = decide(ways(**right))
    assert (verdict.outcome, verdict.way, verdict.best) == ("use", winner, winner)
    assert verdict.is_clear
    assert all(found.low > 0.3 for found in verdict.against.values())
    assert winner not in verdict.against


def test_of_equals_the_one_without_training_is_used() -> None:
    alike = [float(n % 2) for n in range(100)]
    candidates = {
        "expert": Candidate(alike, True, told_old=0.0, seconds=0.1),
        "retrieval": Candidate(alike, False, told_old=0.5, seconds=9.0),
    }
    verdict = decide(candidates)
    assert (verdict.outcome, verdict.way) == ("use", "retrieval")
    assert not verdict.is_clear


def test_of_trained_equals_the_fresher_then_the_faster_is_used() -> None:
    alike = [float(n % 2) for n in range(100)]
    stale = Candidate(alike, True, told_old=0.6, seconds=1.0)
    fresh = Candidate(alike, True, told_old=0.1, seconds=5.0)
    fast = Candidate(alike, True, told_old=0.1, seconds=2.0)
    assert decide({"expert": stale, "hybrid": fresh}).way == "hybrid"
    assert decide({"expert": stale, "hybrid": fresh, "router": fast}).way == "router"


def test_a_small_lead_is_not_worth_a_training() -> None:
    # Two more of 400 are right, and no more than ten points can be meant.
    scores = [float(n < 200) for n in range(400)]
    better = [float(n < 202) for n in range(400)]
    verdict = decide({"retrieval": Candidate(scores, False), "hybrid": Candidate(better, True)})
    assert (verdict.outcome, verdict.way, verdict.best) == ("use", "retrieval", "hybrid")


def test_too_few_questions_leave_it_open_and_say_how_many_more() -> None:
    candidates = {
        "retrieval": way(6, 12, trained=False),
        "hybrid": way(8, 12, shift=6),
    }
    verdict = decide(candidates)
    assert (verdict.outcome, verdict.way, verdict.best) == ("open", "retrieval", "hybrid")
    assert verdict.more >= 10
    assert verdict.more % 10 == 0


def test_more_questions_of_the_same_kind_would_have_told() -> None:
    def measured(times: int) -> dict[str, Candidate]:
        ours = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0] * times
        theirs = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0] * times
        return {"retrieval": Candidate(ours, False), "hybrid": Candidate(theirs, True)}

    few = decide(measured(2))
    assert few.outcome == "open"
    assert decide(measured(2 + few.more // 10 + 1)).outcome == "use"


def test_the_best_without_training_is_used_however_few_the_questions() -> None:
    candidates = {"retrieval": way(7, 12, trained=False), "expert": way(6, 12, shift=6)}
    assert decide(candidates).way == "retrieval"
    assert decide(candidates).outcome == "use"


def test_what_is_hardly_ever_right_is_advised_by_nothing() -> None:
    verdict = decide(ways(retrieval=4, expert=10, hybrid=0))
    assert (verdict.outcome, verdict.way, verdict.more) == ("none", "expert", 0)


def test_one_way_alone_is_used() -> None:
    assert decide({"retrieval": way(50, 100, trained=False)}).against == {}
