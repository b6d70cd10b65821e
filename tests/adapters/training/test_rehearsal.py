"""Rehearsal: on what is rehearsed an adapter stays near to its base."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from adapters.architecture import read_architecture
from adapters.chat_markup import ChatMarkup
from adapters.errors import TrainingError
from adapters.models import ModelFiles
from adapters.training.base_model import add_adapter, load_base
from adapters.training.config import TrainingConfig
from adapters.training.examples import Example, Message
from adapters.training.rehearsal import SHARE, base_alone, beside
from adapters.training.rows import REHEARSED, collate, pack
from adapters.training.run import train
from adapters.training.trainer import Trainer


def example(question, answer, line=1):
    return Example((Message("user", question), Message("assistant", answer)), line)


LEARNED = [example(f"colour of {n}?", ("red", "green", "blue")[n % 3], n + 1) for n in range(24)]
READ = [
    example(f"[1] The door of house {n} is {n * 7}.\n\nWhich door?", str(n * 7)) for n in range(60)
]


@pytest.fixture
def base(small_model):
    _, folder = small_model("shared keys")
    return ModelFiles(str(folder), folder)


def config(base, **options):
    settings = {"method": "lora", "rank": 4, "row_tokens": 128, "epochs": 6, "answers": 0}
    settings |= {"device": "cpu", "precision": "fp32", "learning_rate": 1e-2}
    return TrainingConfig(base, **(settings | options))


def adapted(base, folder=None):
    """Return the base with a fresh adapter, or with the one in a folder."""
    torch.manual_seed(0)
    model = load_base(base.folder, "lora", torch.device("cpu"), "fp32")
    options = {} if folder is None else {"start": folder}
    return add_adapter(model, config(base, **options), read_architecture(base.folder))


def packed(base, examples, tokens=128, multiple=1):
    return pack(examples, ChatMarkup(base.folder), tokens, 2048, multiple=multiple)


def scales(model):
    from peft.tuners.lora import LoraLayer

    return [dict(layer.scaling) for layer in model.modules() if isinstance(layer, LoraLayer)]


def far(base, folder):
    """Return how far an adapter's states are from its base's on what is read."""
    model = adapted(base, folder).get_base_model()
    row = collate([packed(base, READ).dataset[0]])
    given = {name: row[name] for name in ("input_ids", "position_ids", "pieces")}
    with torch.no_grad():
        states = model.model(**given, use_cache=False).last_hidden_state.flatten(0, 1)
    with base_alone(model):
        wanted = model.model(**given, use_cache=False).last_hidden_state.flatten(0, 1)
    return float((states - wanted).square().sum() / wanted.square().sum())


def test_some_rows_are_rehearsed_beside_those_learned_from(base):
    learned, read = packed(base, LEARNED), packed(base, READ)
    both = beside(learned, read, seed=0)
    flags = both.dataset[REHEARSED]
    tokens = [sum(row["tokens"]) for row in both.dataset if row[REHEARSED]]
    assert flags == [0] * len(learned) + [1] * len(tokens)
    assert abs(sum(tokens) - SHARE * learned.tokens) <= max(tokens) / 2
    assert both.tokens == learned.tokens + sum(tokens)
    assert beside(learned, read, seed=0).dataset.to_list() == both.dataset.to_list()
    assert beside(learned, read, seed=1).dataset.to_list() != both.dataset.to_list()


def test_nothing_is_where_a_row_would_be_more_than_it_helps(base):
    learned = packed(base, LEARNED[:2])
    assert beside(learned, packed(base, READ), seed=0) is learned


def test_all_is_rehearsed_where_there_is_little(base):
    both = beside(packed(base, LEARNED * 40), packed(base, READ[:4]), seed=0)
    assert sum(both.dataset[REHEARSED]) == len(packed(base, READ[:4]))


def test_states_hold_an_adapter_nearer_to_its_base_than_labels_do(base, tmp_path, monkeypatch):
    quick = {"epochs": 2, "learning_rate": 3e-3}
    many = [replace(one, line=line) for line, one in enumerate(LEARNED * 12)]
    alone = train(config(base, **quick), many, LEARNED, folder=tmp_path / "alone")
    both = train(config(base, **quick), many, LEARNED, folder=tmp_path / "both", rehearsal=READ)
    monkeypatch.setattr("adapters.training.rehearsal._WEIGHT", 0.0)
    train(config(base, **quick), many, LEARNED, folder=tmp_path / "labels", rehearsal=READ)
    assert far(base, tmp_path / "both") < 0.9 * far(base, tmp_path / "labels")
    rehearsed = (both.steps - alone.steps) // 2
    assert rehearsed > 0
    assert both.said[-1] == f"{rehearsed} of {both.steps // 2} rows are rehearsed, not learned."
    assert both.metrics["eval_loss_after"] < both.metrics["eval_loss_before"] / 2
    assert (alone.hyperparameters["rehearsal"], both.hyperparameters["rehearsal"]) == (False, True)


def test_a_fresh_adapter_is_not_far_and_the_adapter_is_back_after_a_fault(base, tmp_path):
    assert far(base, None) == 0
    train(config(base, epochs=1), LEARNED, [], folder=tmp_path)
    model = adapted(base, tmp_path)
    before = scales(model)
    with pytest.raises(KeyboardInterrupt), base_alone(model):
        raise KeyboardInterrupt
    assert scales(model) == before != []
    assert torch.is_grad_enabled()


def test_what_fills_a_row_up_counts_nothing(base, tmp_path):
    train(config(base, epochs=1), LEARNED, [], folder=tmp_path)
    trainer = SimpleNamespace(_config=config(base), kept={"tokens": 0})
    model = adapted(base, tmp_path)
    filled = [packed(base, READ, multiple=multiple).dataset[0] for multiple in (1, 512)]
    lengths, lost = [], []
    for row in filled:
        given = collate([{**row, REHEARSED: 1}])
        lengths.append(given["input_ids"].shape[1])
        with torch.no_grad():
            lost.append(float(Trainer._loss(trainer, model, given)[0]))
    assert lengths[1] == 512 > lengths[0]
    assert lost[1] == pytest.approx(lost[0], rel=1e-4)


def test_a_run_is_not_resumed_with_another_rehearsal(base, tmp_path):
    train(config(base, epochs=1), LEARNED, [], folder=tmp_path, keep_checkpoints=True)
    with pytest.raises(TrainingError, match="rehearsed examples"):
        train(config(base, epochs=1, resume=True), LEARNED, [], folder=tmp_path, rehearsal=READ)


def test_method_full_has_no_base_to_keep_near_to(base, tmp_path):
    result = train(
        config(base, method="full", epochs=1, learning_rate=None),
        LEARNED,
        [],
        folder=tmp_path,
        rehearsal=READ,
    )
    assert result.hyperparameters["rehearsal"] is False
    rows = (tmp_path / "log.jsonl").read_text().splitlines()
    assert len(rows) == result.steps
    assert all(json.loads(row)["loss"] > 0 for row in rows)
