import numpy as np
import pytest

from agent.router.features import content_words, near, of_index, of_question, parts_of, shared
from agent.router.memory import Known, Memory

EYE = np.eye(4, dtype=np.float32)
MEMORY = Memory(
    {
        "hr": Known("hr@2", ("How is leave taken?",), EYE[:1]),
        "press": Known("press@1", ("What is E17?",), EYE[1:2]),
    },
    EYE[2:3],
    EYE[3:],
    frozenset(["leave"]),
    frozenset(["leave", "taken", "e17"]),
    "test",
    "2 documents",
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("How long is leave?", 1),
        ("How long is leave? And who signs the form for it?", 2),
        ("How long is leave, and who signs the form?", 2),
        ("bread and butter", 1),
        ("", 1),
        ("a " * 5000, 1),
        (f"How long{' ' * 1500}is leave, and who signs the form?", 2),
    ],
)
def test_parts_that_could_each_be_asked_alone(text: str, parts: int):
    assert len(parts_of(text)) == parts


def test_content_words_share_their_beginnings():
    assert shared(content_words("greasing the pumps"), content_words("a greased pump")) == 0.5
    assert shared(frozenset(), content_words("pump")) == 0.0


def test_the_nearest_adapter_and_the_next():
    found = near(np.array([0.8, 0.6, 0, 0], np.float32), MEMORY, {})
    assert (found.adapter, found.question) == ("hr", "How is leave taken?")
    assert found.second[0] == "press"
    assert found.cosine == pytest.approx(0.8)


def test_a_domain_that_is_likelier_outweighs_a_little_nearness():
    vector = np.array([0.61, 0.6, 0, 0], np.float32)
    assert near(vector, MEMORY, {"press": 1.0}).adapter == "press"


def test_features_of_a_question():
    vector = EYE[0]
    found = near(vector, MEMORY, {})
    told = of_question("Leave in 2026?", vector, MEMORY, found, follows=True, stale=0.5)
    assert (told["adapter"], told["foreign"], told["passages"]) == (1.0, 0.0, 0.0)
    assert (told["times"], told["numbers"], told["follows"], told["stale"]) == (1, 1, 1, 0.5)
    assert (told["titles"], told["strange"], told["adapter_strange"]) == (0.5, 0.5, 0.5)


def test_parts_that_lean_different_ways_are_seen():
    found = near(EYE[0], MEMORY, {})
    told = of_index("x", [], np.stack([EYE[0], EYE[2]]), MEMORY, found)
    assert told["part_contrast"] == 2.0
    alone = of_index("x", [], EYE[:1], MEMORY, found)
    assert (alone["part_contrast"], alone["part_adapter"]) == (0.0, 1.0)
