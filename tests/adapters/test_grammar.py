"""Answers of a form that is asked for, beside rows that are free."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.base import LanguageModel, load_model
from adapters.batch import Batch, Request
from adapters.errors import GenerationError
from adapters.generate import TextGenerator
from adapters.grammar import Grammar
from adapters.sampling import Sampling

from .small_adapters import write_adapter

Small = Callable[[str], tuple[Any, Path]]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["staff", "guest"]}, "maxItems": 2},
        "boss": {"type": ["boolean", "null"]},
    },
    "required": ["name", "age", "tags", "boss"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model(small_model: Small) -> LanguageModel:
    return load_model(str(small_model("shared keys")[1]), precision="fp32", device="cpu")


def check_person(text: str) -> None:
    found = json.loads(text)
    assert list(found) == ["name", "age", "tags", "boss"]
    assert len(found["name"]) <= 12
    assert found["age"] in range(121)
    assert set(found["tags"]) <= {"staff", "guest"}
    assert len(found["tags"]) <= 2
    assert found["boss"] in (True, False, None)


def test_even_a_model_of_random_weights_writes_valid_json(
    model: LanguageModel, tmp_path: Path
) -> None:
    from adapters.lora import load_adapter

    decoder = model.decoder
    adapter = load_adapter(
        write_adapter(tmp_path, decoder.architecture, 1),
        decoder.architecture,
        name="a",
        device=decoder.device,
        dtype=decoder.dtype,
    )
    person = Grammar.json_schema(PERSON)
    samplings = [Sampling(), *(Sampling(1.5, 0.95, i, 1.0 + i % 2) for i in range(6))]
    formed = [
        Request([5 + i, 9, 30], 110, sampling=sampling, grammar=person, adapter=which)
        for i, sampling in enumerate(samplings)
        for which in (None, adapter)
    ]
    free = [Request([7 + i, 40, 8, 3], 12, sampling=Sampling(0.7, seed=i)) for i in range(4)]
    generator = TextGenerator(model, most_rows=6)
    found = generator.generate([*formed[:5], *free, *formed[5:]])
    for generation in found[:5] + found[9:]:
        assert generation.reason == "stop"
        check_person(generation.text)
        assert generation.mean_entropy >= 0
        assert generation.mean_log_probability <= 0
    assert [f.tokens for f in found[5:9]] == [f.tokens for f in generator.generate(free)]


def test_the_lab_model_fills_in_a_form(bare_lab: Path) -> None:
    model = load_model(str(bare_lab), precision="fp32", device="cpu")

    def ask(question: str, **options: Any) -> Request:
        return Request(model.markup.render([{"role": "user", "content": question}]), **options)

    found = TextGenerator(model).generate(
        [
            ask("Describe Anna as JSON.", grammar=Grammar.json_schema(PERSON)),
            ask("Describe Bob.", grammar=Grammar.json_schema(PERSON), sampling=Sampling(1.0)),
            ask("Which one is a fruit?", grammar=Grammar.choice(["apple", "stone", "applepie"])),
            ask("When did the war end?", grammar=Grammar.regex(r"\d{4}-\d{2}")),
            ask("What is the capital of France?", max_new_tokens=12),
        ]
    )
    assert {generation.reason for generation in found} == {"stop"}
    check_person(found[0].text)
    check_person(found[1].text)
    assert found[2].text in ("apple", "stone", "applepie")
    assert re.fullmatch(r"\d{4}-\d{2}", found[3].text)
    assert "Paris" in found[4].text


def test_an_answer_that_is_cut_says_so(model: LanguageModel) -> None:
    request = Request([5, 9], 7, grammar=Grammar.json_schema(PERSON))
    (found,) = TextGenerator(model).generate([request])
    assert (found.reason, found.text[:6]) == ("length", '{"name')


def test_one_of_some_texts_whatever_is_in_them(model: LanguageModel) -> None:
    texts = ['He said "no"\n', "Größe \\ 5", "a|b"]
    for i in range(6):
        request = Request([5, 9], 60, grammar=Grammar.choice(texts), sampling=Sampling(2.0, seed=i))
        (found,) = TextGenerator(model).generate([request])
        assert found.text in texts
        assert found.reason == "stop"


def test_an_answer_that_is_complete_ends_without_an_end_token(model: LanguageModel) -> None:
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset())
    row = batch.submit(Request([5, 9], 50, grammar=Grammar.regex("[ab]{3}")))
    while not batch.is_idle:
        batch.step()
    assert row.generation is not None
    assert re.fullmatch("[ab]{3}", row.generation.text)
    assert (row.generation.reason, len(row.generation.tokens)) == ("stop", 3)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Grammar.json_schema({"type": "strng"}), "Invalid type: strng"),
        (lambda: Grammar.json_schema({"not": {"type": "string"}}), "not"),
        (lambda: Grammar.json_schema({"enum": []}), "Unsatisfiable"),
        (lambda: Grammar.json_schema({"type": "string", "pattern": "("}), "unclosed group"),
        (lambda: Grammar.json_schema({"enum": [object()]}), "not JSON serializable"),
        (lambda: Grammar.json_schema([1]), "object schema"),  # type: ignore[arg-type]
        (lambda: Grammar.regex("[a-"), "unclosed character class"),
        (lambda: Grammar.choice([]), "needs texts"),
        (lambda: Grammar.choice(["a", ""]), "none of them empty"),
    ],
)
def test_a_form_that_cannot_be_kept_to_is_said_in_a_line(
    make: Callable[[], Grammar], part: str
) -> None:
    with pytest.raises(GenerationError, match=part) as caught:
        make()
    assert "\n" not in str(caught.value)
