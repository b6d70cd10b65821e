"""Training: what it writes, tells and refuses, and that a killed run comes to the same."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from adapters.architecture import read_architecture
from adapters.base import load_model
from adapters.errors import NotEnoughRoomError, TrainingError
from adapters.lora import load_adapter
from adapters.models import ModelFiles
from adapters.training.base_model import weights_type
from adapters.training.checkpoints import Checkpoints
from adapters.training.config import TrainingConfig
from adapters.training.examples import Example, Message
from adapters.training.progress import read_log
from adapters.training.run import train

COLOURS = ("red", "green", "blue", "grey")


def examples(count=40):
    return [
        Example(
            (
                Message("user", f"colour of {number}?"),
                Message("assistant", COLOURS[number % 4]),
            ),
            number + 1,
        )
        for number in range(count)
    ]


LEARNED, HELD_OUT = examples()[:32], examples()[32:]


@pytest.fixture
def base(small_model):
    _, folder = small_model("shared keys")
    return ModelFiles(str(folder), folder)


def config(base, **options):
    settings = {"method": "lora", "rank": 4, "row_tokens": 128, "epochs": 2, "answers": 0}
    settings |= {"device": "cpu", "precision": "fp32"}
    return TrainingConfig(base, **(settings | options))


def run(base, folder, on_progress=None, **options):
    return train(config(base, **options), LEARNED, HELD_OUT, folder=folder, on_progress=on_progress)


def test_adapter_loads_in_plain_peft_and_in_our_engine_and_answers_alike(base, tmp_path, capfd):
    from peft import PeftModel
    from transformers import Phi3ForCausalLM

    told = []
    result = run(base, tmp_path / "out", told.append, method="qlora", answers=4, epochs=6)
    assert result.is_adapter
    assert result.metrics["eval_loss_after"] < result.metrics["eval_loss_before"]
    assert {"f1_before", "f1_after", "exact_before", "exact_after"} < set(result.metrics)
    assert capfd.readouterr() == ("", "")

    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "log.jsonl", "loss.html"}
    told_of = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert told_of["target_modules"] == ["down_proj", "gate_up_proj", "o_proj", "qkv_proj"]

    plain = PeftModel.from_pretrained(
        Phi3ForCausalLM.from_pretrained(base.folder), tmp_path / "out"
    ).eval()
    model = load_model(base, precision="fp32", device="cpu")
    adapter = load_adapter(
        tmp_path / "out",
        read_architecture(base.folder),
        name="test@1",
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    from adapters.batch import Request
    from adapters.generate import TextGenerator

    prompt = model.markup.render([{"role": "user", "content": "colour of 3?"}])
    (ours,) = TextGenerator(model).generate([Request(prompt, max_new_tokens=6, adapter=adapter)])
    theirs = plain.generate(
        torch.tensor([prompt]), max_new_tokens=6, do_sample=False, use_cache=True
    )[0, len(prompt) :].tolist()
    assert list(ours.tokens) == theirs[: len(ours.tokens)]

    steps = [event for event in told if event.stage == "training"]
    assert [event.step for event in steps] == list(range(1, result.steps + 1))
    assert steps[-1].of == result.steps
    assert steps[-1].memory > 0
    assert steps[-1].tokens_per_s > 0
    assert steps[-1].seconds_left == 0
    each = 6 * sum(len(_tokens(base, example)) for example in LEARNED)
    assert result.said[1] == "34% of tokens are shared and computed once."
    assert result.tokens == pytest.approx(0.66 * each, rel=0.01)
    assert {event.stage for event in told} == {"loading", "measuring", "training", "answering"}


def _tokens(base, example):
    from adapters.chat_markup import ChatMarkup
    from adapters.training.render import render

    return render(example, ChatMarkup(base.folder))[0]


def test_measured_losses_are_those_of_transformers_row_by_row(base, tmp_path):
    result = run(base, tmp_path / "out", epochs=1)
    before, after = result.metrics["eval_loss_before"], result.metrics["eval_loss_after"]
    assert before == pytest.approx(_loss_by_peft(base, None), rel=1e-4)
    assert after == pytest.approx(_loss_by_peft(base, tmp_path / "out"), rel=1e-4)
    _plot_shows_each_loss(tmp_path / "out")


def _loss_by_peft(base, adapter):
    """Loss a token of the held-out examples, each read alone."""
    from peft import PeftModel
    from torch.nn import functional
    from transformers import Phi3ForCausalLM

    from adapters.chat_markup import ChatMarkup
    from adapters.training.render import render

    model = Phi3ForCausalLM.from_pretrained(base.folder)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    loss, count = 0.0, 0
    for example in HELD_OUT:
        ids, labels = (torch.tensor(part) for part in render(example, ChatMarkup(base.folder)))
        with torch.no_grad():
            logits = model(ids[None]).logits[0]
        loss += functional.cross_entropy(logits[:-1], labels[1:], reduction="sum").item()
        count += int((labels[1:] != -100).sum())
    return loss / count


def _plot_shows_each_loss(folder):
    drawing = (folder / "loss.html").read_text(encoding="utf-8")
    lines = read_log(folder / "log.jsonl")
    assert drawing.count("<circle") == sum(line["stage"] == "measuring" for line in lines)
    each = drawing.partition('class="each" d="')[2].partition('"')[0]
    assert each.count("L") + 1 == sum(line["stage"] == "training" for line in lines)
    assert "<script" not in drawing
    assert "http" not in drawing


def test_killed_and_resumed_it_comes_to_the_same_weights(base, tmp_path):
    program = tmp_path / "killed.py"
    program.write_text(
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_run\n"
        "from adapters.models import ModelFiles\n"
        "base = ModelFiles(sys.argv[1], Path(sys.argv[1]))\n"
        "def kill(progress):\n"
        "    if progress.stage == 'training' and progress.step == 13:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "test_run.run(base, Path(sys.argv[2]), kill, rows=2, epochs=4)\n",
        encoding="utf-8",
    )
    killed = tmp_path / "killed"
    done = subprocess.run([sys.executable, program, str(base.folder), killed], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (killed / "adapter_model.safetensors").exists()

    steps = []
    resumed = run(
        base,
        killed,
        lambda progress: steps.append(progress.step) if progress.stage == "training" else None,
        rows=2,
        epochs=4,
        resume=True,
    )
    whole = run(base, tmp_path / "whole", rows=2, epochs=4)
    assert 1 < steps[0] <= 13
    assert resumed.said[-1] == f"Resumed after step {steps[0] - 1}."
    assert resumed.steps == whole.steps > 13
    assert (resumed.tokens, resumed.metrics) == (whole.tokens, pytest.approx(whole.metrics))
    weights = [load_file(folder / "adapter_model.safetensors") for folder in (killed, whole.folder)]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-5, atol=1e-7)
    logs = [read_log(folder / "log.jsonl") for folder in (killed, whole.folder)]
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]]


def test_ends_when_held_out_loss_rises_and_keeps_the_best(base, tmp_path):
    result = run(base, tmp_path / "out", epochs=20, learning_rate=0.3, patience=2, checks=40)
    measured = [line for line in read_log(tmp_path / "out" / "log.jsonl") if line["step"]]
    losses = {
        line["step"]: line["held_out_loss"] for line in measured if line["stage"] == "measuring"
    }
    assert result.steps < measured[0]["of"]
    assert len(losses) >= 3
    assert result.metrics["eval_loss_after"] == min(losses.values())
    assert losses[result.best_step] == min(losses.values())
    assert result.steps == max(losses) > result.best_step
    # The kept weights are the ones that were measured as the best.
    assert _loss_by_peft(base, tmp_path / "out") == pytest.approx(min(losses.values()), rel=1e-4)


def test_fits_a_time_and_lowers_the_rate_towards_its_end(base, tmp_path):
    result = run(base, tmp_path / "out", epochs=500, minutes=0.1, patience=0)
    lines = read_log(tmp_path / "out" / "log.jsonl")
    rates = [line["learning_rate"] for line in lines if line["stage"] == "training"]
    assert result.steps < lines[0]["of"]
    assert sum(line["stage"] == "measuring" for line in lines) > 2
    assert rates[-1] < max(rates) / 2


def test_without_held_out_examples_or_a_checkpoint_the_last_weights_are_kept(base, tmp_path):
    result = train(config(base, epochs=1, resume=True), LEARNED, [], folder=tmp_path / "out")
    assert result.metrics == {}
    assert result.said[-1] == "No checkpoint was found: training begins anew."
    assert result.best_step == result.steps
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()


def test_a_run_may_start_from_what_another_learned(base, tmp_path):
    first = run(base, tmp_path / "first", epochs=4)
    told = []
    went_on = run(base, tmp_path / "second", told.append, start=tmp_path / "first", epochs=1)
    before = went_on.metrics["eval_loss_before"]
    assert before == pytest.approx(first.metrics["eval_loss_after"], rel=1e-4)
    assert len(went_on.hyperparameters["start"]) == 64
    assert "start" not in first.hyperparameters


def test_a_start_that_does_not_fit_is_refused(base, tmp_path):
    with pytest.raises(TrainingError, match="adapter to start from cannot be read"):
        run(base, tmp_path / "out", start=tmp_path / "nowhere")
    run(base, tmp_path / "first", epochs=1)
    with pytest.raises(TrainingError, match="its rank is 4 and its alpha 8, those asked for 8"):
        run(base, tmp_path / "out", start=tmp_path / "first", rank=8)
    with pytest.raises(TrainingError, match="its alpha 8, those asked for 4 and 12"):
        run(base, tmp_path / "out", start=tmp_path / "first", alpha=12)
    with pytest.raises(TrainingError, match="makes no adapter"):
        config(base, method="full", start=tmp_path / "first")
    (tmp_path / "first" / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="cannot start from"):
        run(base, tmp_path / "out", start=tmp_path / "first")


def test_full_writes_a_model_that_loads(base, tmp_path):
    result = run(base, tmp_path / "out", method="full", epochs=3, learning_rate=1e-3)
    assert not result.is_adapter
    assert not (tmp_path / "out" / "adapter_model.safetensors").exists()
    assert result.metrics["eval_loss_after"] < result.metrics["eval_loss_before"]
    folder = tmp_path / "out" / "model"
    model = load_model(ModelFiles("trained", folder), precision="fp32", device="cpu")
    assert model.markup.render([{"role": "user", "content": "colour of 3?"}])


def test_in_bf16_it_learns_the_same_and_says_so(base, tmp_path):
    whole = run(base, tmp_path / "whole", method="qlora", epochs=6)
    half = run(base, tmp_path / "half", method="qlora", epochs=6, precision="bf16")
    assert half.said[0].startswith("qlora on cpu in bf16: ")
    assert half.hyperparameters["precision"] == "bf16"
    assert half.metrics["eval_loss_before"] > half.metrics["eval_loss_after"] + 0.1
    assert half.metrics == pytest.approx(whole.metrics, abs=0.05)
    learned = load_file(half.folder / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in learned.values()} == {torch.float32}


def test_a_processor_without_bf16_is_spared_it(monkeypatch):
    cpu = torch.device("cpu")
    for known, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(
            "torch.cpu.get_capabilities", lambda known=known: {"avx512_bf16": known}
        )
        assert weights_type("lora", cpu) == dtype
        assert weights_type("full", cpu) == torch.float32
        assert weights_type("lora", cpu, "fp32") == torch.float32


def test_a_run_in_fp32_is_not_resumed_in_bf16(base, tmp_path):
    def cut_off(progress):
        if progress.stage == "training" and progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "out", cut_off)
    with pytest.raises(TrainingError, match=r"\(its precision was fp32, now it is bf16\)"):
        run(base, tmp_path / "out", precision="bf16", resume=True)


def test_nothing_else_is_resumed(base, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.begin({"rank": 16, "examples": "a" * 64})
    (checkpoints.folder / "checkpoint-4").mkdir()
    checkpoints.complete(4, {"step": 4})
    # Cut off while it was written.
    (checkpoints.folder / "checkpoint-9").mkdir()
    found = checkpoints.resume({"rank": 16, "examples": "a" * 64})
    assert found == (checkpoints.folder / "checkpoint-4", {"step": 4})
    with pytest.raises(TrainingError) as caught:
        checkpoints.resume({"rank": 8, "examples": "a" * 64})
    assert str(caught.value) == (
        "this is not the training that was cut off (its rank was 16, now it is 8): "
        "go on with what it began with, or train anew without resuming"
    )
    with pytest.raises(TrainingError, match=r"cut off \(examples\): go on"):
        checkpoints.resume({"rank": 16, "examples": "b" * 64})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank is 0: give at least 1"),
        ({"epochs": 0}, "epochs is 0: give more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan: give more than 0"),
        ({"epochs": 1e308}, "epochs is 1e+308: give at most 10000"),
        ({"learning_rate": 2}, "learning_rate is 2: give at most 1"),
        ({"seed": 2**32}, "seed is 4294967296: give at most 4294967295"),
        ({"alpha": 1e9}, "alpha is 1000000000.0: give less than 1,000,000,000"),
        ({"warmup": float("nan")}, "warmup is nan: give a share of the run, below 1"),
        ({"warmup": 1}, "warmup is 1: give a share of the run, below 1"),
        ({"precision": "fp8"}, "precision fp8 is not known: choose auto, bf16 or fp32"),
        (
            {"method": "full", "precision": "bf16"},
            "method full learns in fp32: choose lora or qlora for bf16",
        ),
        ({"method": "dora"}, "method dora is not known: choose qlora, lora or full"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(base, options, message):
    with pytest.raises(TrainingError) as caught:
        config(base, **options)
    assert str(caught.value) == message


def test_nothing_to_learn_and_too_long_an_example_are_refused(base, tmp_path):
    with pytest.raises(TrainingError, match=r"^there is nothing to learn from"):
        train(config(base), [], [], folder=tmp_path / "out")
    long = dataclasses.replace(
        LEARNED[0], messages=(Message("user", "x" * 200), Message("assistant", "y")), line=7
    )
    with pytest.raises(TrainingError, match=r"^line 7 takes 2\d\d tokens of the model's 128"):
        train(config(base), [long], [], folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_is_not_trained_over_itself(base, tmp_path):
    shutil.copytree(base.folder, tmp_path / "out" / "model")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    own = ModelFiles("own", tmp_path / "link" / "model")
    with pytest.raises(TrainingError, match=r"^this would overwrite the model .* another name$"):
        run(own, tmp_path / "out", method="full")
    assert (tmp_path / "out" / "model" / "model.safetensors").is_file()


def test_of_a_question_no_more_forms_are_made_than_are_held_easily(base, tmp_path, monkeypatch):
    asked = []

    def note(examples, times, seed):
        asked.append(times)
        raise TrainingError("enough")

    monkeypatch.setattr("adapters.training.run.reworded", note)
    for epochs in (0.5, 2.5, 20, 1000):
        with pytest.raises(TrainingError, match="enough"):
            run(base, tmp_path / "out", reword=True, epochs=epochs, minutes=1)
    assert asked == [1, 3, 20, 20]


def test_a_loss_that_is_no_number_ends_the_run(base, tmp_path, monkeypatch):
    # It is 0, and its gradient no number.
    monkeypatch.setattr(
        "adapters.training.trainer.summed_loss", lambda states, *_: (states * 0).sum().sqrt()
    )
    said = r"^the loss is no number any more: give a lower --learning-rate$"
    one_step = {"row_tokens": 4096, "epochs": 1, "least_steps": 1}
    for number, (measured, options) in enumerate(
        [([], {}), (HELD_OUT, one_step), ([], one_step)],
    ):
        with pytest.raises(TrainingError, match=said):
            train(config(base, **options), LEARNED, measured, folder=tmp_path / str(number))


def test_a_full_disk_is_said_in_a_line_and_the_run_goes_on_afterwards(base, tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    steps = []

    def fill_up(progress):
        steps.append(progress.step)
        if progress.stage == "training" and progress.step == 5:
            monkeypatch.setattr("safetensors.torch.save_file", full)

    with pytest.raises(TrainingError) as caught:
        run(base, tmp_path / "out", fill_up)
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'out'}: I/O error: No space left on device (os error 28); "
        "go on with --resume"
    )
    monkeypatch.undo()
    resumed = run(base, tmp_path / "out", resume=True)
    assert resumed.said[-1].startswith("Resumed after step ")


def test_a_run_that_ended_can_be_ended_again(base, tmp_path):
    for measured in (HELD_OUT, []):
        folder = tmp_path / f"out-{len(measured)}"
        first = train(config(base), LEARNED, measured, folder=folder, keep_checkpoints=True)
        weights = (folder / "adapter_model.safetensors").read_bytes()
        (folder / "adapter_model.safetensors").unlink()
        again = train(config(base, resume=True), LEARNED, measured, folder=folder)
        assert (folder / "adapter_model.safetensors").read_bytes() == weights
        assert (again.steps, again.best_step) == (first.steps, first.best_step)
        assert not Checkpoints(folder).cut_off


def test_what_does_not_fit_is_refused_before_it_is_loaded(base, tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.training.room.free_memory", lambda device: 500_000_000)
    with pytest.raises(NotEnoughRoomError) as caught:
        run(dataclasses.replace(base, name="big"), tmp_path / "out")
    assert str(caught.value) == (
        "training big by lora needs 1.1 GB of 0.5 GB memory free: "
        "free some, or choose method qlora or a smaller model"
    )
    assert not (tmp_path / "out").exists()


def test_where_memory_is_short_activations_are_computed_twice_to_the_same_end(
    base, tmp_path, monkeypatch
):
    whole = run(base, tmp_path / "whole")
    monkeypatch.setattr("adapters.training.room.free_memory", lambda device: 1_120_000_000)
    twice = run(base, tmp_path / "twice")
    assert "activations are computed twice" in twice.said[0]
    assert twice.metrics == pytest.approx(whole.metrics, rel=1e-5)
