"""Documents and an adapter that never learned to read them, each asked by itself."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from agent.ways import by_both
from pipelines.answer import Answer
from pipelines.search import Found


@dataclass
class Says:
    """Answers the same to everything."""

    text: str | None
    confidence: float

    def warm_up(self) -> None: ...

    def run(self, *_: object) -> dict[str, Any]:
        answer = Answer(self.text, self.confidence, usage={"prompt_tokens": 3})
        return {"answer": answer, "adapter": "press@1"}


def told(read: Says, known: Says) -> tuple[str | None, str, Any]:
    way = by_both(read, known, lambda question: False)  # type: ignore[arg-type]
    way = replace(way, changed=("belts.md",))
    answered = way.answer("Which belt?", Found([], []))
    by_adapter = answered.route == "expert"
    assert (answered.adapter, answered.way) == ("press@1" if by_adapter else None, "hybrid")
    assert answered.changed == (("belts.md",) if by_adapter else ())
    return answered.answer.text, answered.route, answered.answer.written["beside"]["text"]


@pytest.mark.parametrize(
    ("read", "known", "answer"),
    [
        (Says("B-55.", 0.6), Says("B-40.", 0.5), ("B-55.", "retrieval", "B-40.")),
        (Says("B-55.", 0.4), Says("B-40.", 0.5), ("B-40.", "expert", "B-55.")),
        (Says("B-55.", 0.4), Says(None, 0.9), ("B-55.", "retrieval", None)),
        (Says(None, 0.2), Says("B-40.", 0.1), ("B-40.", "expert", None)),
        (Says(None, 0.2), Says(None, 0.1), (None, "retrieval", None)),
    ],
)
def test_the_surer_one_answers(
    read: Says, known: Says, answer: tuple[str | None, str, Any]
) -> None:
    assert told(read, known) == answer


def test_what_it_learned_from_changed_documents_is_not_asked_for() -> None:
    read, known = Says("B-55.", 0.4), Says("Belt B-40.", 0.9)
    way = by_both(read, known, lambda question: question == "Which belt?")  # type: ignore[arg-type]
    answered = way.answer("Which belt?", Found([], []))
    assert (answered.answer.text, answered.route) == ("B-55.", "retrieval")
    assert way.answer("Who?", Found([], [])).answer.text == "Belt B-40."
