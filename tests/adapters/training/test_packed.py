"""Packed rows, the joined product and the loss compute what transformers and PEFT compute."""

import torch
from torch.nn import functional

from adapters.architecture import read_architecture
from adapters.chat_markup import ChatMarkup
from adapters.models import ModelFiles
from adapters.training.base_model import TARGETS, add_adapter, load_base
from adapters.training.config import TrainingConfig
from adapters.training.examples import Example, Message
from adapters.training.loss import summed_loss
from adapters.training.rows import collate, pack, positions

LENGTHS = (5, 1, 21, 9)
IDS = torch.arange(sum(LENGTHS)) * 37 % 250
CPU = torch.device("cpu")


def packed_inputs():
    pieces = [(length, 0) for length in LENGTHS]
    return {"input_ids": IDS[None], "position_ids": positions(pieces), "pieces": pieces}


def config(folder, **options):
    return TrainingConfig(ModelFiles(str(folder), folder), **options)


def adapted(folder, method):
    """A model with an adapter that does something, and without PEFT's product replaced."""
    model = add_adapter(
        load_base(folder, method, CPU, "fp32"),
        config(folder, method=method, rank=4),
        read_architecture(folder),
    )
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.train()


def gradients(model, inputs):
    model.zero_grad()
    model(**inputs).logits.square().mean().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def test_an_example_in_a_packed_row_is_read_as_if_alone(small_model):
    for shape in ("plain", "shared keys", "sliding window", "longrope", "phi-4"):
        reference, folder = small_model(shape)
        model = load_base(folder, "lora", CPU, "fp32")
        with torch.no_grad():
            packed = model(**packed_inputs()).logits[0].split(LENGTHS)
            for ids, logits in zip(IDS.split(LENGTHS), packed, strict=True):
                alone = reference(ids[None]).logits[0]
                torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)


def test_product_has_pefts_values_and_gradients(small_model):
    _, folder = small_model("shared keys")
    for method in ("lora", "qlora"):
        model = adapted(folder, method)
        logits, ours = model(**packed_inputs()).logits, gradients(model, packed_inputs())
        for module in model.modules():
            module.__dict__.pop("forward", None)
        theirs = gradients(model, packed_inputs())
        torch.testing.assert_close(logits, model(**packed_inputs()).logits, rtol=1e-3, atol=1e-3)
        assert len(ours) == 3 * len(TARGETS) * 2
        for name, gradient in ours.items():
            torch.testing.assert_close(gradient, theirs[name], rtol=1e-3, atol=1e-5)


def test_measuring_leaves_quantised_weights_as_they_were(small_model):
    """bitsandbytes repacks them where the processor knows bf16, after which nothing learns."""
    _, folder = small_model("plain")
    model = adapted(folder, "qlora")
    before = gradients(model, packed_inputs())
    model.eval()
    with torch.no_grad():
        model(**packed_inputs())
    model.train()
    after = gradients(model, packed_inputs())
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_quantised_base_is_in_doubly_quantised_nf4_and_what_learns_in_fp32(small_model):
    model = adapted(small_model("plain")[1], "qlora")
    states = [m.weight.quant_state for m in model.modules() if hasattr(m, "quant_state")]
    assert len(states) == 3 * len(TARGETS)
    assert all(state.quant_type == "nf4" and state.nested for state in states)
    learning = [p for p in model.parameters() if p.requires_grad]
    assert {p.dtype for p in learning} == {torch.float32}


def test_loss_is_cross_entropy_in_parts(monkeypatch):
    torch.manual_seed(3)
    weight, targets = torch.randn(50, 8), torch.arange(11)
    monkeypatch.setattr("adapters.training.loss._MOST_BYTES", 4 * 4 * 50)
    states = torch.randn(11, 8, requires_grad=True)
    wanted = functional.cross_entropy(states @ weight.T, targets, reduction="sum")
    (gradient,) = torch.autograd.grad(wanted * 3, states)
    found = summed_loss(states, weight, targets)
    torch.testing.assert_close(found, wanted)
    (found * 3).backward()
    torch.testing.assert_close(states.grad, gradient)
    with torch.no_grad():
        torch.testing.assert_close(summed_loss(states, weight, targets), wanted)


def separate(row):
    """The examples of a row, each with its beginning."""
    found, at, beginning = [], 0, ([], [])
    pieces = list(zip(row["lengths"], row["seen"], strict=True))
    for place, (length, seen) in enumerate(pieces):
        own = tuple(row[name][at : at + length] for name in ("input_ids", "labels"))
        at += length
        if not seen:
            beginning = own
        assert seen in (0, len(beginning[0]))
        assert own[1][0] == -100
        if seen:
            found.append(tuple(one + other for one, other in zip(beginning, own, strict=True)))
        elif place + 1 == len(pieces) or not pieces[place + 1][1]:
            found.append(own)
    assert at == len(row["input_ids"]) == len(row["labels"])
    return found


def loss_and_gradients(model, rows):
    """Of rows learned from in one step."""
    model.zero_grad()
    total = 0.0
    for row in rows:
        given = collate([row])
        labels = functional.pad(given.pop("labels")[0, 1:], (0, 1), value=-100)
        logits = model(**given).logits[0]
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        loss.backward()
        total += loss.item()
    return total, [p.grad.clone() for p in model.parameters() if p.requires_grad]


def test_what_is_shared_teaches_what_it_teaches_each_on_its_own(small_model, monkeypatch):
    sources = ["The office opens at nine. " * 2, "Leave is booked a week ahead. " * 2]
    examples = [
        Example(
            (Message("user", sources[n % 2] + "?" * n), Message("assistant", "ab" * (1 + n % 3))),
            n,
        )
        for n in range(1, 9)
    ]
    for shape in ("shared keys", "sliding window"):
        _, folder = small_model(shape)
        markup = ChatMarkup(folder)
        model = adapted(folder, "lora")
        rows = pack(examples, markup, 256, 256)
        assert max(len(row["lengths"]) for row in rows.dataset) > 2
        assert rows.saved > rows.tokens * 0.5
        monkeypatch.setattr("adapters.training.rows.shared.groups", alone)
        apart = pack(examples, markup, 256, 256)
        monkeypatch.undo()
        assert apart.saved == 0
        loss, gradients = loss_and_gradients(model, rows.dataset)
        wanted, theirs = loss_and_gradients(model, apart.dataset)
        assert abs(loss - wanted) < 1e-4 * wanted
        for one, other in zip(gradients, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def alone(beginnings):
    return [(0, [number]) for number in range(len(beginnings))]


def test_rows_hold_every_example_once_and_whole(small_model):
    _, folder = small_model("plain")
    markup = ChatMarkup(folder)
    examples = [
        Example((Message("user", "q" * n), Message("assistant", "a" * 3)), n) for n in range(1, 60)
    ]
    # The longest do not fit into a row of 70 and have one each.
    rows = pack(examples, markup, 70, 128)
    found = []
    for row in rows.dataset:
        assert len(row["input_ids"]) <= max(70, row["lengths"][0])
        found += separate(row)
    from adapters.training.render import render

    assert sorted(found) == sorted(render(example, markup) for example in examples)
    assert rows.tokens + rows.saved == sum(len(ids) for ids, _ in found)
    assert rows.saved > 0
    assert rows.longest == max(len(ids) for ids, _ in found) > 70
    assert rows.most_learned >= 4
    assert rows.most_scores >= rows.longest**2
