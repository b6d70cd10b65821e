"""Speed of local generation beside transformers, and what int8 costs quality.

    python benchmarks/generation.py --squad train-v1.1.json.gz
    python benchmarks/generation.py --quick

Both sides write the same number of tokens after the same prompts, in turns; writing is timed
without reading the prompt. transformers runs in fp32, which is its fastest on a CPU without
AMX. Quality: answers to SQuAD questions about their paragraph in fp32 and in int8, and how
far the probabilities of the next token are apart (Kullback-Leibler, nats) along them.
"""

import argparse
import collections
import gzip
import importlib.util
import json
import random
import re
import statistics
import string
import time
from collections.abc import Callable
from pathlib import Path

import torch
from report import report
from transformers import LogitsProcessorList, Phi3ForCausalLM

from adapters.base import LanguageModel, load_model
from adapters.batch import Batch, Request
from adapters.generate import TextGenerator
from adapters.lab import find_source
from adapters.models import find_model
from adapters.step import Run

EXAMPLES = Path(__file__).parents[1] / "examples"
_ASK = "Answer the question with a few words of the text.\n\nText: {text}\n\nQuestion: {question}"
_ROWS = 16


def squad(path: Path, count: int) -> list[tuple[str, str, list[str]]]:
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
    with opened as file:
        articles = json.load(file)["data"]
    asked = [
        (paragraph["context"], question["question"], [a["text"] for a in question["answers"]])
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
        if question["answers"] and len(paragraph["context"]) < 1500
    ]
    return random.Random(11).sample(asked, count)


def examples(count: int) -> list[tuple[str, str, list[str]]]:
    texts = [
        " ".join(path.read_text(encoding="utf-8").split())[:800]
        for path in sorted(EXAMPLES.rglob("*.md"))
    ]
    return [(text, "What is this about?", []) for text in texts[:count]]


def prompt_of(model: LanguageModel, text: str, question: str) -> list[int]:
    content = _ASK.format(text=text, question=question)
    return model.markup.render([{"role": "user", "content": content}])


def ours(model: LanguageModel, prompts: list[list[int]], new: int) -> tuple[float, float]:
    """Return the seconds to the first tokens, and those of writing the others."""
    batch = Batch(
        model.decoder, model.markup.tokenizer, end_tokens=frozenset(), most_rows=len(prompts)
    )
    started = time.perf_counter()
    rows = [batch.submit(Request(prompt, max_new_tokens=new)) for prompt in prompts]
    while any(not row.log_probabilities for row in rows):
        batch.step()
    first = time.perf_counter()
    written = sum(len(row.log_probabilities) for row in rows)
    while not batch.is_idle:
        batch.step()
    left = sum(len(row.log_probabilities) for row in rows) - written
    return first - started, (time.perf_counter() - first) / left


@torch.inference_mode()
def theirs(model: object, prompts: list[list[int]], new: int) -> tuple[float, float]:
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    stamps: list[float] = []

    def stamp(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        stamps.append(time.perf_counter())
        return scores

    started = time.perf_counter()
    model.generate(  # type: ignore[attr-defined]
        ids,
        attention_mask=mask,
        max_new_tokens=new,
        min_new_tokens=new,
        do_sample=False,
        logits_processor=LogitsProcessorList([stamp]),
    )
    return stamps[0] - started, (stamps[-1] - stamps[0]) / (new - 1) / len(prompts)


def f1(answer: str, accepted: list[str]) -> float:
    def words(text: str) -> list[str]:
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    best = 0.0
    for one in accepted:
        told, wanted = collections.Counter(words(answer)), collections.Counter(words(one))
        same = sum((told & wanted).values())
        best = max(best, 2 * same / (told.total() + wanted.total()) if same else 0.0)
    return best


def quality(
    models: dict[str, LanguageModel], asked: list[tuple[str, str, list[str]]]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    answers, logged = {}, {}
    for precision, model in models.items():
        prompts = [prompt_of(model, text, question) for text, question, _ in asked]
        found = TextGenerator(model).generate(
            [Request(prompt, max_new_tokens=32, stop=("\n",)) for prompt in prompts]
        )
        answers[precision] = [one.text for one in found]
        alone = TextGenerator(model, most_rows=1, prefix_bytes=0).generate(
            [Request(prompt, max_new_tokens=32, stop=("\n",)) for prompt in prompts[:_ROWS]]
        )
        same = [a.tokens == b.tokens for a, b in zip(alone, found, strict=False)]
        figures[f"{precision}_batch_equals_single"] = statistics.mean(same)
        scores = [
            f1(one.text, accepted) for one, (_, _, accepted) in zip(found, asked, strict=True)
        ]
        figures[f"{precision}_f1"] = 100 * statistics.mean(scores)
        # Along the answers that fp32 gave, so that both are asked the same.
        told = [
            p + model.markup.encode_text(a) for p, a in zip(prompts, answers["fp32"], strict=True)
        ]
        logged[precision] = []
        for prompt, text in list(zip(prompts, told, strict=True))[:40]:
            cache = model.decoder.new_cache(1)
            row = cache.join(len(text))
            logits = model.decoder.forward([Run(row, text, len(text))], cache, every_token=True)
            logged[precision].append(logits[len(prompt) - 1 :].log_softmax(-1))
    exact, rounded = (torch.cat(logged[precision]) for precision in ("fp32", "int8"))
    figures["int8_f1_loss"] = figures["fp32_f1"] - figures["int8_f1"]
    figures["int8_divergence"] = float((exact.exp() * (exact - rounded)).sum(-1).mean())
    same = exact.argmax(-1) == rounded.argmax(-1)
    figures["int8_same_likeliest"] = float(same.float().mean())
    pairs = list(zip(answers["fp32"], answers["int8"], strict=True))
    figures["int8_same_answers"] = statistics.mean(a == b for a, b in pairs)
    return figures


def identity(folder: Path) -> float:
    """Return the greatest difference to the logits of the GGUF in transformers' own loader."""
    from transformers import LlamaForCausalLM

    source = find_source()
    llama = LlamaForCausalLM.from_pretrained(source.parent, gguf_file=source.name)
    phi3 = Phi3ForCausalLM.from_pretrained(folder, local_files_only=True)
    ids = torch.arange(100, 260)[None]
    with torch.inference_mode():
        return float((llama(ids).logits - phi3(ids).logits).abs().max())


def median_of(
    rounds: int, runs: dict[str, Callable[[], tuple[float, float]]]
) -> dict[str, tuple[float, float]]:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(run())
    return {
        name: (statistics.median(a for a, _ in of), statistics.median(b for _, b in of))
        for name, of in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--squad", type=Path, help="SQuAD data, JSON or gzipped; for quality")
    parser.add_argument("--model", default="lab")
    parser.add_argument("--quick", action="store_true", help="fewer tokens, rounds and questions")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = find_model(arguments.model)
    chosen = load_model(files, device="cpu")
    models = {chosen.precision: chosen}
    for precision in ("fp32", "int8"):
        if precision not in models:
            models[precision] = load_model(files, precision=precision, device="cpu")
    print(f"Chosen: {chosen.said}")
    rival = Phi3ForCausalLM.from_pretrained(files.folder, local_files_only=True).eval()
    asked = squad(arguments.squad, 200) if arguments.squad else examples(_ROWS)
    prompts = [prompt_of(chosen, text, question) for text, question, _ in asked[:_ROWS]]
    new, rounds = (12, 1) if arguments.quick else (48, 3)
    figures: dict[str, float | int | str] = {
        "precision": chosen.precision,
        "threads": torch.get_num_threads(),
        "prompt_tokens": statistics.mean(map(len, prompts)),
        "new_tokens": new,
    }
    sides = {"transformers": lambda p: theirs(rival, p, new)} | {
        precision: lambda p, model=model: ours(model, p, new) for precision, model in models.items()
    }
    for run in sides.values():
        run(prompts[:1])
    for rows in (1, _ROWS):
        told = prompts[:rows]
        found = median_of(
            rounds, {name: lambda run=run, told=told: run(told) for name, run in sides.items()}
        )
        for name, (first, token) in found.items():
            prefix = "" if name == chosen.precision else f"{name}_"
            figures[f"{prefix}tokens_per_s_{rows}"] = 1 / token
            if rows == 1:
                figures[f"{prefix}first_token_ms"] = first * 1e3
            else:
                figures[f"{prefix}prefill_tokens_per_s"] = sum(map(len, told)) / first
        ratio = found["transformers"][1] / found[chosen.precision][1]
        figures[f"vs_transformers_{rows}"] = ratio
    if arguments.squad and "int8" in models:
        del rival, sides
        models = {precision: models[precision] for precision in ("fp32", "int8")}
        figures |= quality(models, asked[: 24 if arguments.quick else 200])
    if arguments.model == "lab" and not arguments.quick and importlib.util.find_spec("accelerate"):
        figures["greatest_logit_difference"] = identity(files.folder)
    report("Generation", figures, arguments.json)


if __name__ == "__main__":
    main()
