from collections.abc import Callable

import pytest

from agent.evaluation.grounded import is_backed
from pipelines.evidence import Evidence

LEAVE = "Full-time staff in Berlin earn 25 days of annual leave, worth 1,200.50 euros."


@pytest.mark.parametrize(
    ("answer", "backed"),
    [
        ("Full-time staff earn 25 days of annual leave.", True),
        ("Full-time staff earn 26 days of annual leave.", False),
        ("Staff in Hamburg earn 25 days of annual leave.", False),
        ("Berlin staff earn 25 days of leave, 1200.50 euros.", True),
        ("Managers may carry holidays into another quarter.", False),
        ("Staff earn annual leave. Visitors park behind the north gate.", True),
        ("Staff earn 12 days. They park there.", False),
        # No piece has both.
        ("Visitors who earn 25 days park behind.", False),
        ("25", True),
        ("The leave is under NASA rules.", False),
        ("Yes.", True),
    ],
)
def test_each_sentence_needs_a_piece_with_its_numbers_names_and_most_words(
    answer: str, backed: bool, make_evidence: Callable[..., Evidence]
) -> None:
    pieces = [make_evidence(LEAVE), make_evidence("Visitors park behind the north gate.")]
    assert is_backed(answer, pieces) is backed


def test_without_evidence_nothing_is_backed() -> None:
    assert not is_backed("Yes.", [])


def test_what_heads_a_piece_counts(make_evidence: Callable[..., Evidence]) -> None:
    assert is_backed("The Leave is long.", [make_evidence("It is long, this one.")])
