"""Adapters in a mixed batch: as PEFT computes them, and each row as if it were alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapters.architecture import read_architecture
from adapters.base import LanguageModel, load_model
from adapters.batch import Batch, Request
from adapters.decoder import Decoder
from adapters.errors import AdapterError
from adapters.generate import TextGenerator
from adapters.lora import Adapter, Pair, load_adapter
from adapters.lora_files import CONFIG, WEIGHTS
from adapters.memory import Precision
from adapters.projections import int8_is_available
from adapters.sampling import Sampling
from adapters.step import Run

from .conftest import SHAPES
from .small_adapters import write_adapter

Small = Callable[[str], tuple[Any, Path]]
CPU = torch.device("cpu")


def load(folder: Path, decoder: Decoder, name: str = "hr@1") -> Adapter:
    return load_adapter(
        folder, decoder.architecture, name=name, device=decoder.device, dtype=decoder.dtype
    )


def prompts(count: int) -> list[list[int]]:
    drawn = torch.Generator().manual_seed(2)
    return [
        torch.randint(3, 250, (3 + 4 * (i % 5),), generator=drawn).tolist() for i in range(count)
    ]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, small_model: Small) -> list[Path]:
    """Three adapters, of different ranks."""
    architecture = read_architecture(small_model("shared keys")[1])
    root = tmp_path_factory.mktemp("adapters")
    return [write_adapter(root / f"a{i}", architecture, seed=i, rank=2 + 2 * i) for i in range(3)]


@pytest.fixture(scope="module")
def model(small_model: Small) -> LanguageModel:
    return load_model(str(small_model("shared keys")[1]), precision="fp32", device="cpu")


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_equal_those_of_plain_peft(shape: str, small_model: Small, tmp_path: Path) -> None:
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import Phi3ForCausalLM

    _, base = small_model(shape)
    targets = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
    config = LoraConfig(
        r=4,
        lora_alpha=6,
        use_rslora=shape == "phi-4",
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    made = get_peft_model(Phi3ForCausalLM.from_pretrained(base), config)
    torch.manual_seed(5)
    for name, weight in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    made.save_pretrained(tmp_path / "one")
    theirs = PeftModel.from_pretrained(Phi3ForCausalLM.from_pretrained(base), tmp_path / "one")
    decoder = load_model(str(base), precision="fp32", device="cpu").decoder
    adapter = load(tmp_path / "one", decoder)
    for text in prompts(3):
        with torch.no_grad():
            wanted = theirs.eval()(torch.tensor([text])).logits[0]
        cache = decoder.new_cache(2)
        run = Run(cache.join(len(text)), text, len(text), adapter)
        found = decoder.forward([run], cache, every_token=True)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
        plain = decoder.forward([Run(cache.join(len(text)), text, len(text))], cache)
        assert (plain[0] - wanted[-1]).abs().max() > 0.1


def precisions() -> list[Precision]:
    return ["fp32", "bf16", "nf4", *(["int8"] if int8_is_available() else [])]


@pytest.mark.parametrize("precision", precisions())
def test_a_mixed_batch_equals_one_by_one(
    precision: Precision, small_model: Small, folders: list[Path]
) -> None:
    if precision == "nf4":
        pytest.importorskip("bitsandbytes")
    loaded = load_model(str(small_model("shared keys")[1]), precision=precision, device="cpu")
    adapters = [None, *(load(folder, loaded.decoder, folder.name) for folder in folders)]
    requests = [
        Request(
            prompt,
            max_new_tokens=4 + 5 * (i % 4),
            adapter=adapters[i % 4],
            sampling=Sampling(0.8 * (i % 3 == 2), seed=i),
        )
        for i, prompt in enumerate(prompts(14))
    ]
    batch = Batch(
        loaded.decoder, loaded.markup.tokenizer, end_tokens=frozenset(), most_rows=6, most_read=9
    )
    rows = []
    for request in requests:
        rows.append(batch.submit(request))
        batch.step()
    while not batch.is_idle:
        batch.step()
    different = 0
    for request, row in zip(requests, rows, strict=True):
        alone = Batch(loaded.decoder, loaded.markup.tokenizer, end_tokens=frozenset(), most_rows=1)
        single = alone.submit(request)
        bare = alone.submit(Request(request.prompt, request.max_new_tokens))
        while not alone.is_idle:
            alone.step()
        assert row.generation is not None
        assert single.generation is not None
        # In 16 bits, and where fewer rows are multiplied otherwise, likely ties may fall apart.
        compared = 1 if precision in ("bf16", "nf4") else None
        assert row.generation.tokens[:compared] == single.generation.tokens[:compared]
        assert bare.generation is not None
        different += bare.generation.tokens != row.generation.tokens
    assert different >= 10


def test_what_was_read_with_one_adapter_is_not_taken_for_another(
    model: LanguageModel, folders: list[Path], tmp_path: Path
) -> None:
    first, second = (load(folder, model.decoder, folder.name) for folder in folders[:2])
    generator = TextGenerator(model)
    prompt = prompts(5)[4] + prompts(4)[3]

    def ask(adapter: Adapter | None) -> tuple[int, tuple[int, ...]]:
        (found,) = generator.generate([Request(prompt, max_new_tokens=6, adapter=adapter)])
        return found.cached_tokens, found.tokens

    tokens = {}
    for adapter in (None, first, second):
        cached, tokens[adapter] = ask(adapter)
        assert cached == 0
    for adapter, wanted in tokens.items():
        cached, found = ask(adapter)
        assert (cached, found) == (len(prompt) - 1, wanted)
    # Another adapter under the first one's name.
    other = load(write_adapter(tmp_path / "x", model.decoder.architecture, 9), model.decoder, "a0")
    assert (other.name, ask(other)[0]) == (first.name, 0)


def test_an_adapter_says_what_it_takes(model: LanguageModel, folders: list[Path]) -> None:
    adapter = load(folders[0], model.decoder, "hr@3")
    weights = load_file(folders[0] / WEIGHTS)
    assert adapter.name == "hr@3"
    assert adapter.nbytes == sum(tensor.nbytes for tensor in weights.values())
    assert len(adapter.layers) == 3
    half = load_adapter(
        folders[0], model.decoder.architecture, name="hr@3", device=CPU, dtype=torch.bfloat16
    )
    assert half.nbytes * 2 == adapter.nbytes


@pytest.fixture
def folder(tmp_path: Path, model: LanguageModel) -> Path:
    return write_adapter(tmp_path / "hr", model.decoder.architecture, seed=1)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"peft_type": "IA3"}, "only LORA"),
        ({"task_type": "SEQ_CLS"}, "not for CAUSAL_LM"),
        ({"bias": "all"}, "trains biases"),
        ({"use_dora": True}, "uses use_dora"),
        ({"rank_pattern": {"o_proj": 8}}, "uses rank_pattern"),
        ({"modules_to_save": ["lm_head"]}, "uses modules_to_save"),
        ({"something_new": 1}, "uses something_new"),
        ({"init_lora_weights": "pissa"}, "changes the base model"),
        ({"target_modules": ["q_proj", "v_proj"]}, "adapts q_proj, v_proj instead"),
        ({"target_modules": "all-linear"}, "adapts 'all-linear' instead"),
        ({"r": 0}, "r is 0"),
        ({"lora_alpha": float("nan")}, "lora_alpha is nan"),
        ({"r": 3}, r"lora_A.weight is \[2, 64\], not \[3, 64\]"),
    ],
)
def test_what_is_not_plain_lora_is_refused_in_a_line(
    changed: dict[str, Any], part: str, folder: Path, model: LanguageModel
) -> None:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    (folder / CONFIG).write_text(json.dumps(config | changed), encoding="utf-8")
    with pytest.raises(AdapterError, match=part) as caught:
        load(folder, model.decoder)
    assert "\n" not in str(caught.value)


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


KEY = "base_model.model.model.layers.1.self_attn.o_proj.lora_B.weight"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda tensors: tensors.pop(KEY), "adapts 11 of"),
        (lambda tensors: tensors.update({KEY: tensors[KEY][:9].clone()}), r"\[9, 2\], not \[64"),
        (lambda tensors: tensors.update({KEY: tensors[KEY].int()}), "holds I32"),
        (lambda tensors: tensors[KEY].fill_(torch.inf), "not finite"),
        (
            lambda tensors: tensors.update(
                {KEY.replace("layers.1", "layers.3"): torch.ones(64, 2)}
            ),
            "not for a model of 3",
        ),
        (lambda tensors: tensors.update({"lm_head.weight": torch.ones(1)}), "has lm_head.weight"),
    ],
)
def test_weights_that_are_not_the_model_s_are_refused(
    change: Callable[[dict[str, torch.Tensor]], None],
    part: str,
    folder: Path,
    model: LanguageModel,
) -> None:
    change_weights(folder, change)
    with pytest.raises(AdapterError, match=part) as caught:
        load(folder, model.decoder)
    assert "\n" not in str(caught.value)


def test_files_that_are_missing_damaged_or_pickled_are_refused(
    folder: Path, model: LanguageModel
) -> None:
    path = folder / WEIGHTS
    whole = path.read_bytes()
    for content in (b"", whole[:-100], b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(AdapterError, match="damaged"):
            load(folder, model.decoder)
    path.rename(folder / "adapter_model.bin")
    with pytest.raises(AdapterError, match="pickled weights are never loaded"):
        load(folder, model.decoder)
    (folder / CONFIG).write_text("[]", encoding="utf-8")
    with pytest.raises(AdapterError, match="holds no object"):
        load(folder, model.decoder)
    (folder / CONFIG).unlink()
    with pytest.raises(AdapterError, match="it has no adapter_config"):
        load(folder, model.decoder)


def test_the_processors_are_given_back_whatever_happens(
    model: LanguageModel, folders: list[Path]
) -> None:
    adapter = load(folders[0], model.decoder)
    wrong = Pair(adapter.layers[0][0].first[:-1], adapter.layers[0][0].second)
    broken = Adapter("x", ((wrong, *adapter.layers[0][1:]), *adapter.layers[1:]), 0)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=frozenset())
        good = batch.submit(Request(prompts(1)[0], 3, adapter=adapter))
        bad = batch.submit(Request(prompts(1)[0], 3, adapter=broken))
        while not batch.is_idle:
            batch.step()
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert good.error is None
    assert "failed at this request" in str(bad.error)
