"""Adapters in one batch beside PEFT: speed, switching, loading, equality and faults.

16 requests over 4 adapters are written greedily: in one mixed batch, with one adapter for all
rows, and one by one, step beside step, so that what else runs touches all alike; and in turns
with them by PEFT's ``adapter_names`` in one ``generate`` of transformers. Tokens a second are
those of writing, at a side's median step; ``whole_`` includes reading the prompts, which takes
the same time however many are read together.

A switch is asking for another resident adapter, at the 99th percentile, and what the first step
with it takes longer than the next one, at the median, since other programs touch both alike.
PEFT's is ``set_adapter`` alone. Weights of adapters are random, small beside the model's own.

random-phi3-mini has Phi-3-mini's shape and random weights in bf16, the same ones for both sides.
"""

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from adapter_faults import count_faults
from peft import PeftModel
from report import report
from safetensors.torch import save_file
from transformers import LogitsProcessorList, Phi3Config, Phi3ForCausalLM

from adapters.architecture import Architecture, architecture_of
from adapters.base import LanguageModel, load_model
from adapters.batch import Batch, Request
from adapters.chat_markup import ChatMarkup
from adapters.decoder import Decoder, Layer
from adapters.host import AdapterHost
from adapters.lora import Adapter, load_adapter
from adapters.lora_files import CONFIG, TARGETS, WEIGHTS, weight_shapes
from adapters.models import find_model
from adapters.projections import FloatProjection
from adapters.step import Run

_ROWS, _USED, _RANK = 16, 4, 16
_QUESTIONS = (
    "What is the notice period in the first six months?",
    "How many days of leave does someone in part time have?",
    "Who signs an order of more than 10,000 euros?",
    "What is to be done when the boiler shows error 12?",
    "Which documents does a new supplier have to send?",
    "When does the warranty of a repaired pump end?",
    "How is a claim of damage in transit reported?",
    "What does the contract say about late payment?",
)


@dataclass
class Side:
    """What both sides compute with."""

    model: LanguageModel
    rival: Phi3ForCausalLM
    prompts: list[list[int]]


def lab() -> Side:
    files = find_model("lab")
    model = load_model(files, precision="fp32", device="cpu")
    rival = Phi3ForCausalLM.from_pretrained(files.folder, local_files_only=True).eval()
    asked = [_QUESTIONS[i % len(_QUESTIONS)] for i in range(_ROWS)]
    prompts = [
        model.markup.render([{"role": "user", "content": f"{question} Answer {i}."}])
        for i, question in enumerate(asked)
    ]
    return Side(model, rival, prompts)


def random_phi3_mini() -> Side:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = Phi3Config(pad_token_id=0, sliding_window=2047, architectures=["Phi3ForCausalLM"])
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            rival = Phi3ForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(before)
    inner = rival.model
    decoder = Decoder(
        architecture_of(json.loads(config.to_json_string(use_diff=False)), "random-phi3-mini"),
        embeddings=inner.embed_tokens.weight.detach(),
        layers=[
            Layer(
                layer.input_layernorm.weight.detach(),
                FloatProjection(layer.self_attn.qkv_proj.weight.detach()),
                FloatProjection(layer.self_attn.o_proj.weight.detach()),
                layer.post_attention_layernorm.weight.detach(),
                FloatProjection(layer.mlp.gate_up_proj.weight.detach()),
                FloatProjection(layer.mlp.down_proj.weight.detach()),
            )
            for layer in inner.layers
        ],
        norm=inner.norm.weight.detach(),
        head=FloatProjection(rival.lm_head.weight.detach()),
        device=device,
        dtype=torch.bfloat16,
    )
    drawn = random.Random(3)
    prompts = [[drawn.randrange(10, 32000) for _ in range(20 + i)] for i in range(_ROWS)]
    # Its texts mean nothing: any tokenizer does.
    files = find_model("lab")
    model = LanguageModel(files, decoder, ChatMarkup(files.folder), frozenset(), {}, "bf16", "")
    return Side(model, rival, prompts)


def write_adapters(root: Path, architecture: Architecture, count: int) -> list[Path]:
    folders = []
    for number in range(count):
        folder = root / f"a{number}"
        folder.mkdir()
        drawn = torch.Generator().manual_seed(number)
        tensors = {
            name: torch.randn(shape, generator=drawn)
            * (0.03 if "lora_B" in name else shape[1] ** -0.5)
            for name, shape in weight_shapes(architecture, _RANK).items()
        }
        save_file(tensors, folder / WEIGHTS)
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "r": _RANK,
            "lora_alpha": 2 * _RANK,
            "target_modules": list(TARGETS),
            "bias": "none",
        }
        (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        folders.append(folder)
    return folders


def load(folder: Path, decoder: Decoder, name: str) -> Adapter:
    return load_adapter(
        folder, decoder.architecture, name=name, device=decoder.device, dtype=decoder.dtype
    )


class Writing:
    """Requests that are being written together, and the seconds that it takes."""

    def __init__(self, model: LanguageModel, requests: Sequence[Request]) -> None:
        self._batch = Batch(
            model.decoder,
            model.markup.tokenizer,
            end_tokens=frozenset(),
            most_rows=len(requests),
        )
        self.rows = [self._batch.submit(request) for request in requests]
        self.reading: list[float] = []
        self.writing: list[float] = []

    @property
    def is_over(self) -> bool:
        return self._batch.is_idle

    def step(self) -> None:
        kept = self.writing if all(row.log_probabilities for row in self.rows) else self.reading
        started = time.perf_counter()
        self._batch.step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        kept.append(time.perf_counter() - started)

    @property
    def token_s(self) -> float:
        """Seconds a token of writing."""
        return statistics.median(self.writing) / len(self.rows)

    @property
    def tokens(self) -> list[tuple[int, ...]]:
        return [row.generation.tokens for row in self.rows if row.generation is not None]


@torch.inference_mode()
def theirs(model: Any, prompts: list[list[int]], new: int, names: list[str]) -> float:
    """Return the seconds a token of writing."""
    longest = max(map(len, prompts))
    device = next(model.parameters()).device
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
    stamps = [time.perf_counter()]

    def stamp(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if device.type == "cuda":
            torch.cuda.synchronize()
        stamps.append(time.perf_counter())
        return scores

    model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=new,
        min_new_tokens=new,
        do_sample=False,
        adapter_names=names,
        logits_processor=LogitsProcessorList([stamp]),
    )
    steps = [after - before for before, after in itertools.pairwise(stamps)]
    return statistics.median(steps[1:]) / len(prompts)


def speed(
    model: LanguageModel,
    adapters: list[Adapter],
    prompts: list[list[int]],
    *,
    peft: Any,
    new: int,
    rounds: int,
) -> dict[str, float]:
    requests = [Request(p, new, adapter=adapters[i % _USED]) for i, p in enumerate(prompts)]
    single = [replace(request, adapter=adapters[0]) for request in requests]
    names = [f"a{i % _USED}" for i in range(len(requests))]
    times: dict[str, list[float]] = {}
    same: list[bool] = []
    for number in range(rounds + 1):
        mixed, one = Writing(model, requests), Writing(model, single)
        alone = [Writing(model, [request]) for request in requests]
        sides = [mixed, one, *(alone if number else [])]
        while any(not side.is_over for side in sides):
            for side in sides:
                if not side.is_over:
                    side.step()
        if not number:
            # To warm up.
            continue
        same += [a == b.tokens[0] for a, b in zip(mixed.tokens, alone, strict=True)]
        found = {
            "mixed": mixed.token_s,
            "single": one.token_s,
            "one by one": statistics.mean(side.token_s for side in alone),
            "reading": sum(mixed.reading) / len(requests),
            "reading one by one": statistics.mean(sum(side.reading) for side in alone),
        }
        if peft is not None:
            found["peft mixed"] = theirs(peft, prompts, new, names)
            found["peft single"] = theirs(peft, prompts, new, ["a0"] * len(names))
            found["peft one by one"] = statistics.mean(
                theirs(peft, prompts[i : i + 1], new, names[i : i + 1]) for i in range(_USED)
            )
        for name, value in found.items():
            times.setdefault(name, []).append(value)
    taken = {name: statistics.median(of) for name, of in times.items()}
    whole = new * taken["mixed"] + taken["reading"]
    whole_one_by_one = new * taken["one by one"] + taken["reading one by one"]
    figures = {
        "tokens_per_s_mixed": 1 / taken["mixed"],
        "tokens_per_s_single_adapter": 1 / taken["single"],
        "tokens_per_s_one_by_one": 1 / taken["one by one"],
        "mixed_vs_one_by_one": taken["one by one"] / taken["mixed"],
        "mixed_vs_single_adapter": taken["single"] / taken["mixed"],
        "whole_mixed_vs_one_by_one": whole_one_by_one / whole,
        "equal_share": statistics.mean(same),
    }
    if peft is not None:
        figures |= {
            "mixed_vs_peft": taken["peft mixed"] / taken["mixed"],
            "peft_tokens_per_s_mixed": 1 / taken["peft mixed"],
            "peft_mixed_vs_one_by_one": taken["peft one by one"] / taken["peft mixed"],
            "peft_mixed_vs_single_adapter": taken["peft single"] / taken["peft mixed"],
        }
    return figures


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def switch(model: LanguageModel, folders: dict[str, Path], pairs: int) -> float:
    """Return what a switch takes, in milliseconds."""
    decoder, drawn = model.decoder, random.Random(1)
    cache = decoder.new_cache(1)
    row = cache.join(32)
    names = list(folders)
    asked: list[float] = []
    host = AdapterHost(model, lambda ref: (ref, folders[ref]), most_bytes=10**11)

    def step(name: str) -> float:
        cache.lengths[row] = 8
        started = time.perf_counter()
        with host.acquire(name) as adapter:
            asked.append(time.perf_counter() - started)
            started = time.perf_counter()
            decoder.forward([Run(row, [17], 9, adapter)], cache)
            if decoder.device.type == "cuda":
                torch.cuda.synchronize()
        return time.perf_counter() - started

    with host:
        for name in names:
            step(name)
        asked.clear()
        now = names[-1]
        more = []
        for _ in range(pairs):
            now = drawn.choice([name for name in names if name != now])
            more.append(step(now) - step(now))
    return 1e3 * (percentile(asked, 0.99) + max(0.0, statistics.median(more)))


def peft_switch(peft: Any, count: int, pairs: int) -> float:
    taken = []
    for i in range(pairs):
        started = time.perf_counter()
        peft.set_adapter(f"a{i % count}")
        taken.append(1e3 * (time.perf_counter() - started))
    return percentile(taken, 0.99)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", choices=("lab", "random-phi3-mini"), default="lab")
    parser.add_argument("--quick", action="store_true", help="fewer tokens, rounds and faults")
    parser.add_argument("--threads", type=int, help="of the processor; torch's own number if not")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    quick = arguments.quick
    side = lab() if arguments.model == "lab" else random_phi3_mini()
    decoder = side.model.decoder
    figures: dict[str, float | int | str] = {
        "model": arguments.model,
        "precision": side.model.precision,
        "threads": torch.get_num_threads(),
        "prompt_tokens": statistics.mean(map(len, side.prompts)),
    }
    with tempfile.TemporaryDirectory() as root:
        folders = write_adapters(Path(root), decoder.architecture, 4)
        times = []
        for number in range(32):
            started = time.perf_counter()
            adapter = load(folders[number % 4], decoder, f"a{number}")
            times.append(1e3 * (time.perf_counter() - started))
        figures["adapter_bytes"] = adapter.nbytes
        figures["load_ms"] = statistics.median(times)
        figures["load_p90_ms"] = percentile(times, 0.9)
        pairs = 30 if quick else 200
        for count in (4, 32):
            known = {f"a{number}": folders[number % 4] for number in range(count)}
            figures[f"switch_p99_ms_{count}"] = switch(side.model, known, pairs)
        peft: Any = None
        times = []
        for number in range(32):
            started = time.perf_counter()
            name, folder = f"a{number}", folders[number % 4]
            if peft is None:
                peft = PeftModel.from_pretrained(side.rival, folder, adapter_name=name).eval()
            else:
                peft.load_adapter(folder, name)
            times.append(1e3 * (time.perf_counter() - started))
            if number + 1 in (4, 32):
                figures[f"peft_switch_p99_ms_{number + 1}"] = peft_switch(peft, number + 1, 50)
        figures["peft_load_ms"] = statistics.median(times)
        for number in range(_USED, 32):
            peft.delete_adapter(f"a{number}")
        peft.set_adapter("a0")
        adapters = [load(folder, decoder, folder.name) for folder in folders]
        new, rounds = (8, 1) if quick else (32, 3)
        told = speed(side.model, adapters, side.prompts, peft=peft, new=new, rounds=rounds)
        figures[f"{side.model.precision}_equal_share"] = told.pop("equal_share")
        figures |= told
        del peft, side.rival
        if arguments.model == "lab":
            four_bit = load_model("lab", precision="nf4", device="cpu")
            loaded = [load(folder, four_bit.decoder, folder.name) for folder in folders]
            told = speed(four_bit, loaded, side.prompts, peft=None, new=new // 2, rounds=1)
            figures |= {f"nf4_{name}": value for name, value in told.items()}
            figures |= count_faults(side.model, adapters, side.prompts, 40 if quick else 1000)
    report("Adapters", figures, arguments.json)


if __name__ == "__main__":
    main()
