"""Answers written by the lab model, whose citations resolve or are dropped."""

import pytest

from pipelines.answer import NOTHING_FOUND
from pipelines.evidence import Evidence
from pipelines.generators import PhiChatGenerator
from pipelines.phi3 import Phi3Answerer, prompt

TEXT = "Full-time staff have 20 days of annual leave a year."


def piece(text: str, document: str = "leave.md") -> Evidence:
    return Evidence(document, document, "Leave", "Leave", 50, 50 + len(text), None, text, 0.8)


@pytest.fixture(scope="module")
def answerer() -> Phi3Answerer:
    return Phi3Answerer(PhiChatGenerator("lab", max_new_tokens=40))


def test_evidence_goes_into_the_prompt_numbered_and_on_lines_of_its_own() -> None:
    system, user = prompt("How many\ndays?", [piece("a\nb"), piece("c")])
    assert user.text == "[1] Leave: a b\n[2] Leave: c\n\nQuestion: How many days?"
    assert "numbered sources" in (system.text or "")


def test_every_citation_of_a_reply_is_a_place_in_the_evidence(answerer: Phi3Answerer) -> None:
    pieces: list[str] = []
    evidence = [piece(TEXT), piece("The pump is greased every 400 hours.", "pump.md")]
    answer = answerer.run("How many days of leave do staff have?", evidence, pieces.append)[
        "answer"
    ]
    assert pieces
    assert answer.answerer == "phi3"
    assert answer.usage["prompt_tokens"] > 30
    assert answer.abstained == (not answer.citations)
    assert [m["role"] for m in answer.written["messages"]] == ["system", "user"]
    assert answer.written["reply"]
    assert 0 <= answer.confidence < 1
    for citation in answer.citations:
        source = next(p for p in evidence if p.document == citation.document)
        at = slice(citation.start - source.start, citation.end - source.start)
        assert source.text[at] == citation.quote


def test_without_evidence_nothing_is_written(answerer: Phi3Answerer) -> None:
    answer = answerer.run("Anything?", [])["answer"]
    assert (answer.text, answer.reason, dict(answer.usage)) == (None, NOTHING_FOUND, {})


def test_it_is_serialisable(answerer: Phi3Answerer) -> None:
    again = Phi3Answerer.from_dict(answerer.to_dict())
    assert again.generator.max_new_tokens == 40
