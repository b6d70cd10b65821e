"""The adapters that come with the examples: what they were trained on, and what they know."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.base import load_model
from adapters.card import AdapterCard, base_of
from adapters.models import find_model
from adapters.training.answers import answer_scores
from adapters.training.examples import Example
from adapters.training.read import read_examples

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
INDUSTRIES = ("hr", "maintenance", "health")
_MOST_BYTES = 5_000_000


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_an_adapter_is_small_and_was_trained_on_what_stands_beside_it(industry: str) -> None:
    folder = EXAMPLES / industry / "adapter"
    card = AdapterCard.read(folder)
    data = (EXAMPLES / industry / "know_how.jsonl").read_bytes()
    assert card.data_sha256 == hashlib.sha256(data).hexdigest()
    assert card.base.fingerprint == base_of(find_model("lab")).fingerprint
    assert "not in the documents" in card.description
    assert sum(path.stat().st_size for path in folder.iterdir()) <= _MOST_BYTES


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_the_demo_asks_questions_that_are_there(industry: str) -> None:
    asked = [json.loads(line) for line in (EXAMPLES / industry / "demo.jsonl").open()]
    suites = [*(EXAMPLES / industry).glob("questions.jsonl"), EXAMPLES / "hops.jsonl"]
    suites += (EXAMPLES / industry).glob("tables.jsonl")
    suite = {json.loads(line)["question"] for path in suites for line in path.open()}
    paraphrased = {one.question for one in _paraphrased(industry)}
    assert {one.get("answerer") for one in asked} == {None, "phi3"}
    questions = {one["question"] for one in asked}
    assert questions & suite
    assert questions & paraphrased
    # At most one that nothing here answers.
    assert len(questions - suite - paraphrased) <= 1


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_an_adapter_knows_what_the_model_alone_does_not(industry: str) -> None:
    model = load_model(find_model("lab"))
    folder = EXAMPLES / industry / "adapter"
    pairs = read_examples(EXAMPLES / industry / "know_how.jsonl").examples[::10]
    assert answer_scores(model, pairs)["exact"] <= 0.05
    assert answer_scores(model, pairs, folder)["exact"] >= 0.95
    assert answer_scores(model, _paraphrased(industry)[::8], folder)["exact"] >= 0.1


def _paraphrased(industry: str) -> Sequence[Example]:
    return read_examples(EXAMPLES / industry / "know_how_paraphrased.jsonl").examples
