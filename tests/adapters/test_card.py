"""Cards: one written form, read strictly."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.card import CARD_FILE, AdapterCard, BaseModelRef, SourceDocument, base_of
from adapters.differences import differences
from adapters.errors import AdapterError
from adapters.models import ModelFiles


def make(**changed: Any) -> AdapterCard:
    return AdapterCard(
        **{
            "name": "hr",
            "base": BaseModelRef(name="lab", fingerprint="0" * 64),
            "rank": 8,
            "alpha": 16,
            "target_modules": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
            **changed,
        }
    )


def test_a_card_is_written_in_one_form_and_read_back(tmp_path: Path) -> None:
    card = make(
        domain="human resources",
        sources=[SourceDocument(document="leave.md", sha256="a" * 64)],
        metrics={"eval_loss_before": 2.5, "eval_loss_after": 1.25, "seconds": 60},
        questions=["Wie lange dauert die Probezeit für Führungskräfte?"],
    )
    card.write(tmp_path)
    text = (tmp_path / CARD_FILE).read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert "für" in text
    again = AdapterCard.read(tmp_path)
    assert again == card
    assert again.to_json() == text
    assert again.before_and_after() == ("eval_loss", 2.5, 1.25)
    assert (again.created.tzinfo, again.reference) == (card.created.tzinfo, "hr@0")


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "../hr"},
        {"name": "HR"},
        {"name": "a" * 65},
        {"name": ""},
        {"name": "hr\n"},
        {"rank": 0},
        {"metrics": {"eval_loss_after": float("nan")}},
        {"data_sha256": "abc"},
        {"mood": "good"},
        {"created": "2026-01-01T00:00:00"},
    ],
)
def test_nonsense_is_no_card(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make(**changed)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "not an adapter's folder: .* is missing"),
        ("{", "is not a card: Invalid JSON"),
        ('{"format": 2}', "is not a card: it was made by a newer phi-expert: upgrade"),
        ('{"format": 1}', "is not a card: name: Field required"),
    ],
)
def test_what_is_wrong_with_a_card_is_said_in_a_line(
    content: str | None, said: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / CARD_FILE).write_text(content)
    with pytest.raises(AdapterError, match=said) as caught:
        AdapterCard.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_fingerprint_is_of_weights_shape_tokenizer_and_template(
    small_model: Any, tmp_path: Path
) -> None:
    source = small_model("plain")[1]
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    files = ModelFiles("tiny", tmp_path)
    first = base_of(files)
    assert (first.name, first.revision) == ("tiny", None)
    assert base_of(ModelFiles("tiny", source)).fingerprint == first.fingerprint
    seen = {first.fingerprint}
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content + b" ")
        seen.add(base_of(files).fingerprint)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    seen.add(base_of(files).fingerprint)
    assert len(seen) == 6


def test_differences_of_two_cards() -> None:
    first = make(
        rank=8,
        hyperparameters={"epochs": 1, "seed": 0},
        metrics={"eval_loss_after": 2.0},
        sources=[
            SourceDocument(document="leave.md", sha256="a" * 64),
            SourceDocument(document="old.md", sha256="b" * 64),
        ],
    )
    second = make(
        version=2,
        rank=16,
        hyperparameters={"epochs": 3, "seed": 0},
        metrics={"eval_loss_after": 1.5, "answers_after": 0.5},
        sources=[
            SourceDocument(document="leave.md", sha256="c" * 64),
            SourceDocument(document="pay.md", sha256="d" * 64),
        ],
    )
    found = differences(first, second)
    assert found.fields == {
        "rank": (8, 16),
        "hyperparameters.epochs": (1, 3),
        "metrics.eval_loss_after": (2.0, 1.5),
        "metrics.answers_after": (None, 0.5),
    }
    assert (found.added, found.removed, found.changed) == (("pay.md",), ("old.md",), ("leave.md",))
    assert not differences(first, first).fields
