"""Documents and an adapter that never learned to read them, each asked by itself."""

from dataclasses import dataclass
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


def told(read: Says, known: Says, outdated: tuple[str, ...] = ()) -> tuple[str | None, str, Any]:
    heard: list[str] = []
    way = by_both(read, known, outdated)  # type: ignore[arg-type]
    answered = way.answer("Which belt?", Found([], []), heard.append)
    assert heard == ([answered.answer.text] if answered.answer.text else [])
    assert answered.adapter == ("press@1" if answered.route == "expert" else None)
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


def test_what_documents_no_longer_say_is_not_told() -> None:
    read, known = Says("B-55.", 0.4), Says("Belt B-40.", 0.9)
    assert told(read, known, ("belt B-40",)) == ("B-55.", "retrieval", None)
