"""Memory, speed and loss of training by each method, beside plain TRL and beside reading alone.

    python benchmarks/training.py --quick
    python benchmarks/training.py --json training.json

Each method runs in a process of its own, so that its peak of memory is its own. All learn from
the same examples for the same number of tokens; losses are of the same held-out examples.
"plain TRL" is SFTTrainer as it comes: padded batches of eight, PEFT's own layers, no packing;
gradient checkpointing off, as in ours. Prefill is transformers' forward pass of the packed
rows in fp32 without gradients; once with the logits of all tokens, once with none but the last.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from report import report

from adapters.base import choose_device, load_model
from adapters.batch import Batch, Request
from adapters.models import ModelFiles, find_model
from adapters.training import rows as packing
from adapters.training.base_model import load_base
from adapters.training.config import TrainingConfig
from adapters.training.examples import Example
from adapters.training.progress import LOG_FILE, read_log
from adapters.training.quiet import quiet
from adapters.training.read import read_examples
from adapters.training.render import IGNORED, render
from adapters.training.run import train
from adapters.training.split import split

DATA = Path(__file__).parents[1] / "examples" / "health" / "training.jsonl"
_METHODS = ("qlora", "lora", "full")
_ROWS = 8


def examples(data: Path, tokens: int, held_out: int, markup: object) -> tuple[list, list]:
    learned, measured = split(read_examples(data), 0.1, 0)
    taken: list[Example] = []
    count = 0
    while count < tokens:
        example = learned.examples[len(taken) % len(learned.examples)]
        taken.append(replace(example, line=len(taken) + 1))
        count += len(render(example, markup)[0])  # type: ignore[arg-type]
    return taken, list(measured.examples[:held_out])


def peak(on_gpu: bool) -> float:
    if on_gpu:
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def ours(options: argparse.Namespace, method: str) -> dict[str, float]:
    files = find_model(options.model)
    learned, measured = examples(options.data, options.tokens, options.held_out, _markup(files))
    config = TrainingConfig(
        files,
        method=method,  # type: ignore[arg-type]
        epochs=1,
        row_tokens=options.row_tokens,
        least_steps=1,
        patience=0,
        checks=1,
        answers=0,
        device=options.device,
    )
    with tempfile.TemporaryDirectory() as folder:
        result = train(config, learned, measured, folder=Path(folder))
        log = read_log(Path(folder) / LOG_FILE)
    # Without the first two steps, as a process is slower at first.
    steps = [(line["seconds"], line["tokens_per_s"]) for line in log if line["step"] > 1]
    (warm, warm_rate), (end, end_rate) = steps[0], steps[-1]
    speed = (end * end_rate - warm * warm_rate) / (end - warm)
    return {
        "memory": float(result.peak_memory),
        "tokens_per_s": speed,
        "tokens": result.tokens,
        "seconds": result.seconds,
        "loss_before": result.metrics["eval_loss_before"],
        "loss_after": result.metrics["eval_loss_after"],
    }


def plain_trl(options: argparse.Namespace) -> dict[str, float]:
    """SFTTrainer on examples that are rendered alike, with LoRA of the same rank."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import Phi3ForCausalLM, PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    files = find_model(options.model)
    markup = _markup(files)
    learned, measured = examples(options.data, options.tokens, options.held_out, markup)
    columns = [
        [dict(zip(("input_ids", "labels"), render(e, markup), strict=True)) for e in each]
        for each in (learned, measured)
    ]
    device = choose_device(options.device)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    model = Phi3ForCausalLM.from_pretrained(files.folder, local_files_only=True, dtype=dtype)
    taken: list[float] = []
    counts: list[int] = []

    class Counting(SFTTrainer):
        def training_step(self, model: object, inputs: dict, *rest: object) -> torch.Tensor:
            counts.append(int(inputs["attention_mask"].sum()))
            return super().training_step(model, inputs, *rest)

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, *_: object, **__: object) -> None:
            taken.append(time.perf_counter() - self.started)

    with quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = Counting(
            model,
            args=SFTConfig(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=_ROWS,
                learning_rate=5e-4,
                gradient_checkpointing=False,
                bf16=device.type == "cuda",
                use_cpu=device.type == "cpu",
                max_length=None,
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                report_to="none",
            ),
            train_dataset=Dataset.from_list(columns[0]),
            eval_dataset=Dataset.from_list(columns[1]),
            processing_class=PreTrainedTokenizerFast(
                tokenizer_object=markup.tokenizer, pad_token=markup.tokenizer.id_to_token(0)
            ),
            peft_config=LoraConfig(
                r=16,
                lora_alpha=32,
                task_type="CAUSAL_LM",
                target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
            ),
            callbacks=[Clock()],
        )
        trainer.train()
    # Batches differ in their tokens: padding does not count. The first ones are slower.
    warm = 2 if len(taken) > 4 else 1
    speed = sum(counts[warm:]) / sum(taken[warm:])
    return {
        "memory": peak(device.type == "cuda"),
        "tokens_per_s": speed,
        "tokens": sum(counts),
        "seconds": sum(taken),
    }


@torch.inference_mode()
def prefill(options: argparse.Namespace) -> dict[str, float]:
    """Reading alone, of the rows that LoRA learns from and by its model without an adapter."""
    files = find_model(options.model)
    markup = _markup(files)
    learned, _ = examples(options.data, options.tokens, options.held_out, markup)
    device = choose_device(options.device)
    with quiet():
        steps = packing.pack(learned, markup, options.row_tokens, 1 << 30)
        model = load_base(files.folder, "lora", device)
    figures = {}
    shown = []
    for row in steps.dataset:
        given = packing.collate([row])
        del given["labels"]
        shown.append(
            {
                name: value.to(device) if isinstance(value, torch.Tensor) else value
                for name, value in given.items()
            }
            | {"use_cache": False}
        )
    learning = sum(label != IGNORED for row in steps.dataset for label in row["labels"])
    figures["learned_share"] = learning / steps.tokens

    def read(kept: int) -> Callable[[], None]:
        def one_pass() -> None:
            for inputs in shown[: options.passes]:
                model(**inputs, logits_to_keep=kept)
            if device.type == "cuda":
                torch.cuda.synchronize()

        return one_pass

    tokens = sum(inputs["input_ids"].numel() for inputs in shown[: options.passes])
    for name, kept in (("tokens_per_s", 0), ("last_tokens_per_s", 1)):
        figures[name] = tokens / _seconds(read(kept))
    shown.clear()
    engine = load_model(files, precision="fp32", device=options.device)

    def ask() -> None:
        batch = Batch(
            engine.decoder, engine.markup.tokenizer, end_tokens=frozenset(), most_rows=_ROWS
        )
        for example in learned[: 8 * _ROWS]:
            batch.submit(Request(render(example, engine.markup)[0], max_new_tokens=1))
        while not batch.is_idle:
            batch.step()

    count = sum(len(render(e, engine.markup)[0]) for e in learned[: 8 * _ROWS])
    figures["engine_tokens_per_s"] = count / _seconds(ask)
    return figures


def _seconds(run: Callable[[], None]) -> float:
    run()
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return statistics.mean(taken)


def _markup(files: ModelFiles) -> object:
    from adapters.chat_markup import ChatMarkup

    return ChatMarkup(files.folder)


def apart(part: str) -> dict[str, float]:
    """Run a part of the measurement in a process of its own, with the same arguments."""
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--part", part],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="lab", help="lab, a folder or a hub id")
    parser.add_argument("--data", type=Path, default=DATA, help="training data")
    parser.add_argument("--tokens", type=int, default=12_000, help="to learn from")
    parser.add_argument("--row-tokens", type=int, default=1024, help="learned from at once")
    parser.add_argument("--held-out", type=int, default=20, help="examples to measure loss on")
    parser.add_argument("--passes", type=int, default=8, help="rows of reading alone")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--quick", action="store_true", help="learn from 1,000 tokens")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.tokens, options.held_out, options.passes = 1_000, 4, 2
        options.row_tokens = 256
    if options.part:
        parts = {"prefill": prefill, "plain": plain_trl}
        run = parts.get(options.part) or (lambda given: ours(given, options.part))
        print(json.dumps(run(options)))
        return
    read, plain = apart("prefill"), apart("plain")
    found = {method: apart(method) for method in _METHODS}
    qlora, lora, full = (found[method] for method in _METHODS)

    def step(one: dict[str, float]) -> float:
        return 1 / one["tokens_per_s"]

    figures: dict[str, float | int | str] = {
        "qlora_vs_lora_memory": qlora["memory"] / lora["memory"],
        "qlora_vs_full_memory": qlora["memory"] / full["memory"],
        "qlora_vs_lora_step": step(qlora) / step(lora),
        "vs_plain_trl_tokens_per_s": lora["tokens_per_s"] / plain["tokens_per_s"],
        "lora_vs_prefill": lora["tokens_per_s"] / read["tokens_per_s"],
        "lora_vs_engine_prefill": lora["tokens_per_s"] / read["engine_tokens_per_s"],
        "qlora_vs_prefill": qlora["tokens_per_s"] / read["tokens_per_s"],
        "prefill_tokens_per_s": read["tokens_per_s"],
        "prefill_last_tokens_per_s": read["last_tokens_per_s"],
        "engine_prefill_tokens_per_s": read["engine_tokens_per_s"],
        "plain_trl_tokens_per_s": plain["tokens_per_s"],
        "plain_trl_memory_gb": plain["memory"] / 1e9,
        "tokens": lora["tokens"],
        "learned_share": read["learned_share"],
        "threads": torch.get_num_threads(),
    }
    for method, one in found.items():
        figures[f"{method}_tokens_per_s"] = one["tokens_per_s"]
        figures[f"{method}_memory_gb"] = one["memory"] / 1e9
        figures[f"{method}_loss_before"] = one["loss_before"]
        figures[f"{method}_loss_after"] = one["loss_after"]
    report("Training", figures, options.json)


if __name__ == "__main__":
    main()
