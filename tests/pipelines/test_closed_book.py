"""Answers that an adapter writes by itself, on the lab model."""

from pathlib import Path

import pytest

from adapters.architecture import read_architecture
from adapters.card import AdapterCard, base_of
from adapters.errors import AdapterError
from adapters.lora_files import TARGETS
from adapters.models import find_model
from adapters.registry import Registry
from pipelines.closed_book import AdapterAnswerer
from pipelines.generators import PhiChatGenerator
from tests.adapters.small_adapters import write_adapter

QUESTION = "What is the capital of Germany?"


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with an adapter that changes nothing and one that changes a lot."""
    base = find_model("lab-bare")
    registry = Registry(tmp_path_factory.mktemp("adapters"))
    for name, scale in {"still": 0.0, "loud": 0.3}.items():
        folder = tmp_path_factory.mktemp(name)
        write_adapter(folder, read_architecture(base.folder), seed=1, scale=scale)
        card = AdapterCard(
            name=name, base=base_of(base), rank=2, alpha=2, target_modules=tuple(TARGETS)
        )
        registry.publish(folder, card)
    return registry.root


@pytest.fixture(scope="module")
def generator(adapters: Path) -> PhiChatGenerator:
    return PhiChatGenerator("lab-bare", precision="fp32", max_new_tokens=12, adapters=str(adapters))


def test_the_adapter_writes_and_the_answer_says_which(generator: PhiChatGenerator) -> None:
    pieces: list[str] = []
    still = AdapterAnswerer(generator, "still")
    still.warm_up()
    answered = still.run(QUESTION, pieces.append)
    assert answered["adapter"] == "still@1"
    answer = answered["answer"]
    assert "Berlin" in answer.text
    assert "".join(pieces).strip() == answer.text
    assert 0.3 < answer.confidence <= 1
    assert (answer.citations, answer.abstained, answer.answerer) == ((), False, "phi3")
    loud = AdapterAnswerer(generator, "loud@1").run(f" {QUESTION}\n")
    assert loud["adapter"] == "loud@1"
    assert loud["answer"].text != answer.text


def test_an_unknown_adapter_is_named(generator: PhiChatGenerator) -> None:
    with pytest.raises(AdapterError, match="sales"):
        AdapterAnswerer(generator, "sales").run(QUESTION)


def test_a_generator_without_adapters_says_so() -> None:
    with pytest.raises(AdapterError, match="no folder of adapters"):
        PhiChatGenerator("lab-bare").load_adapter("hr")


def test_it_is_serialisable(generator: PhiChatGenerator) -> None:
    again = AdapterAnswerer.from_dict(AdapterAnswerer(generator, "hr@3").to_dict())
    assert (again.adapter, again.generator.adapters) == ("hr@3", generator.adapters)
