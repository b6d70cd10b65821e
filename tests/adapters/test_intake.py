"""Importing and exporting: what plain PEFT makes and loads, and all that is refused."""

import io
import json
import os
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapters.architecture import read_architecture
from adapters.archives import KEPT
from adapters.card import CARD_FILE, AdapterCard, BaseModelRef, base_of
from adapters.errors import AdapterError
from adapters.export import export_adapter
from adapters.intake import import_adapter
from adapters.lora_files import CONFIG, TARGETS, WEIGHTS
from adapters.models import ModelFiles
from adapters.registry import Registry

from .small_adapters import write_adapter

ENDINGS = (".zip", ".tar.gz", ".tgz")


@pytest.fixture(scope="module")
def base(small_model: Any) -> ModelFiles:
    return ModelFiles("tiny", small_model("plain")[1])


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "adapters")


@pytest.fixture
def made(base: ModelFiles, tmp_path: Path) -> Path:
    """An adapter's folder, with a card, that may be spoiled."""
    folder = write_adapter(tmp_path / "hr", read_architecture(base.folder), seed=1)
    AdapterCard(
        name="hr",
        base=base_of(base),
        description="Answers about leave.",
        rank=2,
        alpha=2,
        target_modules=TARGETS,
    ).write(folder)
    return folder


def peft_model(base: ModelFiles, **options: Any) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import Phi3ForCausalLM

    torch.manual_seed(3)
    config = {
        "r": 4,
        "target_modules": list(TARGETS),
        "init_lora_weights": False,
        "task_type": "CAUSAL_LM",
        **options,
    }
    return get_peft_model(Phi3ForCausalLM.from_pretrained(base.folder), LoraConfig(**config))


def packed(folder: Path, ending: str) -> Path:
    path = folder.with_name(folder.name + ending)
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, f"{folder.name}/{file.name}")
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, folder.name)
    return path


def refusal(registry: Registry, path: Path, base: ModelFiles, **options: Any) -> str:
    """Return why an adapter is refused; nothing of it may stay."""
    with pytest.raises(AdapterError) as caught:
        import_adapter(registry, path, base, **options)
    assert registry.names() == []
    assert {left.name for left in registry.root.iterdir()} <= {".lock"}
    text = str(caught.value)
    assert "\n" not in text
    assert registry.root.name + "/." not in text
    return text


def change(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | fields))


def test_what_plain_peft_made_is_imported_and_what_we_export_plain_peft_loads(
    registry: Registry, base: ModelFiles, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import Phi3ForCausalLM

    trained = peft_model(base)
    trained.save_pretrained(tmp_path / "payroll")
    # PEFT notes the folder that the model was loaded from: that is the one in use.
    adapter = import_adapter(registry, tmp_path / "payroll", base)
    card = adapter.card
    assert (adapter.reference, card.origin, card.rank, card.alpha) == (
        "payroll@1",
        "imported",
        4,
        8,
    )
    assert card.base == base_of(base)
    assert registry.verify("payroll", base) == []

    export_adapter(registry, "payroll", tmp_path / "out" / "payroll")
    model = Phi3ForCausalLM.from_pretrained(base.folder)
    loaded = PeftModel.from_pretrained(model, str(tmp_path / "out" / "payroll"))
    tokens = torch.arange(3, 20)[None]
    with torch.no_grad():
        wanted, given = trained.eval()(tokens).logits, loaded.eval()(tokens).logits
        with loaded.disable_adapter():
            plain = loaded(tokens).logits
    assert torch.equal(wanted, given)
    assert not torch.allclose(plain, given)


@pytest.mark.parametrize("ending", ["", *ENDINGS])
def test_an_export_is_imported_elsewhere_with_its_card(
    ending: str, registry: Registry, made: Path, base: ModelFiles, tmp_path: Path
) -> None:
    first = import_adapter(registry, made, base)
    out = tmp_path / f"out{ending}"
    assert export_adapter(registry, "hr", out) == first
    other = Registry(tmp_path / "other")
    second = import_adapter(other, out, base)
    assert second == type(first)("hr", 1, other.root / "hr/0001", first.card)
    for name in (WEIGHTS, CONFIG, CARD_FILE):
        assert (second.folder / name).read_bytes() == (first.folder / name).read_bytes()
    assert import_adapter(other, out, base, name="staff").reference == "staff@1"
    with pytest.raises(AdapterError, match=r"out.* is there already: give a path where nothing is"):
        export_adapter(registry, "hr", out)
    assert not list(tmp_path.glob(".exporting-*"))


def test_an_export_in_half_precision_is_half_as_large_and_taken_in(
    registry: Registry, made: Path, base: ModelFiles, tmp_path: Path
) -> None:
    import_adapter(registry, made, base)
    export_adapter(registry, "hr", tmp_path / "half", half=True)
    taken = import_adapter(Registry(tmp_path / "other"), tmp_path / "half", base)
    whole, half = load_file(made / WEIGHTS), load_file(taken.folder / WEIGHTS)
    assert {tensor.dtype for tensor in half.values()} == {torch.float16}
    assert all(torch.equal(half[name], whole[name].half()) for name in whole)


@pytest.mark.parametrize("ending", ["", *ENDINGS])
@pytest.mark.parametrize("name", ["training_args.bin", "optimizer.pt", "x.PKL"])
def test_pickles_are_refused(
    name: str, ending: str, registry: Registry, made: Path, base: ModelFiles
) -> None:
    (made / name).write_bytes(b"")
    path = packed(made, ending) if ending else made
    assert refusal(registry, path, base) == (
        f"{path.name} holds {name}, a pickle, which can run code when it is read: "
        "take it out; an adapter is safetensors"
    )


def test_weights_in_a_pickle_only_are_refused(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    (made / WEIGHTS).rename(made / "adapter_model.bin")
    assert "holds adapter_model.bin, a pickle" in refusal(registry, made, base)
    (made / "adapter_model.bin").unlink()
    assert refusal(registry, made, base) == (
        f"hr has no {WEIGHTS}: it is not an adapter in PEFT's format"
    )


def test_files_that_no_adapter_has_are_refused(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    (made / "modeling_phi3.py").write_text("")
    assert refusal(registry, made, base) == (
        "hr holds modeling_phi3.py, which no adapter has: take it out"
    )
    (made / "modeling_phi3.py").unlink()
    (made / "checkpoint-10").mkdir()
    assert refusal(registry, made, base) == "hr holds a folder, checkpoint-10: take it out"
    assert "hr/checkpoint-10" in refusal(registry, packed(made, ".tar.gz"), base)


def test_tokenizers_and_pages_beside_an_adapter_are_left_out(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    for name in ("tokenizer.json", "chat_template.jinja", "loss.html", "loss.png"):
        (made / name).write_bytes(b"x")
    adapter = import_adapter(registry, packed(made, ".zip"), base)
    assert sorted(file.name for file in adapter.folder.iterdir()) == sorted(
        [CARD_FILE, CONFIG, WEIGHTS, "loss.png"]
    )


def test_another_base_is_refused(
    registry: Registry, made: Path, base: ModelFiles, small_model: Any
) -> None:
    card = AdapterCard.read(made)
    other = BaseModelRef(name="microsoft/Phi-3-mini-4k-instruct", fingerprint="1" * 64)
    card.model_copy(update={"base": other}).write(made)
    assert refusal(registry, made, base) == (
        "hr was trained on microsoft/Phi-3-mini-4k-instruct, not on the tiny in use: "
        "choose its model with `expert model use`"
    )
    card.model_copy(update={"base": BaseModelRef(name="tiny", fingerprint="1" * 64)}).write(made)
    said = refusal(registry, made, base, unchecked=True)
    assert "trained on other weights of that name, not on the tiny in use" in said


def test_another_base_without_a_card_needs_consent(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    (made / CARD_FILE).unlink()
    assert refusal(registry, made, base) == (
        "hr names no model, and has no card to tell whether that is tiny, which is in use: "
        "if it is, give --base-unchecked"
    )
    change(made, base_model_name_or_path="owner/other")
    assert "hr says that it was trained on owner/other, and" in refusal(registry, made, base)
    assert import_adapter(registry, made, base, unchecked=True).card.base == base_of(base)


def test_wrong_shapes_are_refused(
    registry: Registry, made: Path, base: ModelFiles, small_model: Any
) -> None:
    other = ModelFiles("other", small_model("shared keys")[1])
    assert refusal(registry, made, other) == (
        "hr: base_model.model.model.layers.0.self_attn.qkv_proj.lora_B.weight is [192, 2], "
        "not [128, 2]"
    )


def test_missing_modules_are_refused(registry: Registry, made: Path, base: ModelFiles) -> None:
    tensors = load_file(made / WEIGHTS)
    gone = "base_model.model.model.layers.2.mlp.down_proj"
    save_file({k: v for k, v in tensors.items() if not k.startswith(gone)}, made / WEIGHTS)
    assert refusal(registry, made, base) == (
        f"hr has no {gone}.lora_A.weight: it adapts 11 of the model's 12 projections"
    )


def test_unjoined_targets_are_refused(registry: Registry, base: ModelFiles, made: Path) -> None:
    change(made, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
    assert refusal(registry, made, base) == (
        "hr adapts k_proj, o_proj, q_proj, v_proj instead of Phi-3's joined projections: "
        "train it on qkv_proj, o_proj, gate_up_proj, down_proj"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"o_proj": 2}}, "rank_pattern"),
        ({"target_modules": ["qkv_proj"]}, "instead of Phi-3's joined projections"),
    ],
)
def test_other_methods_of_peft_are_refused(
    options: dict[str, Any], said: str, registry: Registry, base: ModelFiles, tmp_path: Path
) -> None:
    peft_model(base, **options).save_pretrained(tmp_path / "odd")
    assert said in refusal(registry, tmp_path / "odd", base, unchecked=True)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#!/bin/sh")


def _no_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 60))


def _deep(path: Path) -> None:
    content = b"[" * 100_000
    path.write_bytes(struct.pack("<Q", len(content)) + content)


def _overlapping(path: Path) -> None:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    first, second = list(header)[1:3]
    header[second]["data_offsets"] = header[first]["data_offsets"]
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content[8 + length :])


def _no_tensor(path: Path) -> None:
    content = b'{"base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight": 1}'
    path.write_bytes(struct.pack("<Q", len(content)) + content)


@pytest.mark.parametrize("spoil", [_cut, _longer, _no_header, _deep, _overlapping, _no_tensor])
def test_damaged_weights_are_refused(
    spoil: Callable[[Path], None], registry: Registry, made: Path, base: ModelFiles
) -> None:
    spoil(made / WEIGHTS)
    assert "damaged" in refusal(registry, made, base)


def test_a_card_of_other_weights_is_refused(
    registry: Registry, made: Path, base: ModelFiles, tmp_path: Path
) -> None:
    import_adapter(registry, made, base)
    export_adapter(registry, "hr", tmp_path / "out")
    write_adapter(tmp_path / "out", read_architecture(base.folder), seed=2)
    said = refusal(Registry(tmp_path / "other"), tmp_path / "out", base)
    assert said == f"out: {WEIGHTS} is not the file that its card describes"


def test_no_name_leads_out_of_the_registry(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    said = "'../hr' cannot be an adapter's name: use up to 64 lower-case letters, digits, - and _"
    assert refusal(registry, made, base, name="../hr") == f"{said}; choose one with --name"
    content = json.loads((made / CARD_FILE).read_text())
    (made / CARD_FILE).write_text(json.dumps(content | {"name": "../../hr"}))
    assert "adapter_card.json is not a card: name: String should match" in refusal(
        registry, made, base
    )
    (made / CARD_FILE).unlink()
    odd = made.rename(made.with_name("My Adapter"))
    said = refusal(registry, odd, base, unchecked=True)
    assert said.startswith("'My Adapter' cannot be an adapter's name")
    assert said.endswith("choose one with --name")


def test_links_are_refused(registry: Registry, made: Path, base: ModelFiles) -> None:
    secret = made.with_name("secret")
    secret.write_text("secret")
    (made / "README.md").symlink_to(secret)
    assert refusal(registry, made, base) == "hr holds README.md, a link: put the file itself there"
    tar = packed(made, ".tar.gz")
    assert refusal(registry, tar, base) == "hr.tar.gz holds hr/README.md, a link: pack the file"
    (made / "README.md").unlink()
    archive = packed(made, ".zip")
    with zipfile.ZipFile(archive, "a") as file:
        entry = zipfile.ZipInfo("hr/README.md")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(entry, str(secret))
    assert refusal(registry, archive, base) == "hr.zip holds hr/README.md, a link: pack the file"
    os.mkfifo(made / "README.md")
    assert "holds README.md, which is not a file" in refusal(registry, made, base)
    assert "which is not a plain file" in refusal(registry, packed(made, ".tgz"), base)


@pytest.mark.parametrize(
    "path",
    [
        "../evil.json",
        "/tmp/README.md",
        "hr/../../README.md",
        "..\\README.md",
        "C:\\README.md",
        "C:README.md",
        "\\\\server\\README.md",
    ],
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_paths_that_lead_out_are_refused(
    path: str, ending: str, registry: Registry, made: Path, base: ModelFiles
) -> None:
    archive = packed(made, ending)
    if ending == ".zip":
        with zipfile.ZipFile(archive, "a") as file:
            file.writestr(path, "evil")
    else:
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(made, made.name)
            entry = tarfile.TarInfo(path)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"evil"))
    before = set(made.parent.iterdir())
    assert refusal(registry, archive, base) == (
        f"{archive.name} holds {path!r}, which leads out of its folder: do not trust it"
    )
    assert set(made.parent.iterdir()) - before <= {registry.root}


def test_bombs_are_refused_by_what_they_say(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    with (made / "README.md").open("wb") as file:
        file.truncate(20_000_000)
    for path in (made, packed(made, ".zip"), packed(made, ".tar.gz")):
        assert refusal(registry, path, base) == (
            f"{path.name} says that README.md has 20,000,000 bytes, and an adapter's has "
            "1,000,000 at most"
        )


def test_bombs_are_refused_by_what_they_hold(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    (made / "README.md").write_bytes(bytes(20_000_000))
    path = made.with_name("hr.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(made.iterdir()):
            archive.write(file, file.name)
    # It says that it has 100 bytes, in both places that say so.
    content = path.read_bytes().replace(struct.pack("<I", 20_000_000), struct.pack("<I", 100))
    path.write_bytes(content)
    assert refusal(registry, path, base).startswith("hr.zip is damaged: Bad CRC-32")

    tar = made.with_name("hr.tar.gz")
    with tarfile.open(tar, "w:gz", format=tarfile.PAX_FORMAT) as packed_tar:
        entry = tarfile.TarInfo("hr/README.md")
        entry.pax_headers = {"comment": "0" * 20_000_000}
        packed_tar.addfile(entry)
    assert tar.stat().st_size < 100_000
    assert refusal(registry, tar, base) == "hr.tar.gz is damaged: a header in it is too long"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_that_are_unpacked_at_a_stroke_are_refused(
    method: int, registry: Registry, made: Path, base: ModelFiles
) -> None:
    path = made.with_name("hr.zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(made.iterdir()):
            archive.write(file, file.name)
    assert refusal(registry, path, base) == "hr.zip is not packed by deflate: pack it anew"


def test_a_folder_above_has_its_own_name(
    registry: Registry, made: Path, base: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made / CARD_FILE).unlink()
    inner = made.with_name("outer") / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    for file in made.iterdir():
        shutil.copy(file, inner.parent)
    assert refusal(registry, Path(".."), base).startswith("outer holds a folder, inner")
    assert refusal(registry, Path("/"), base)
    inner.rmdir()
    link = made.with_name("linked")
    link.symlink_to(made)
    assert import_adapter(registry, link, base, unchecked=True).name == "linked"


def test_archives_of_many_or_doubled_files_are_refused(
    registry: Registry, made: Path, base: ModelFiles
) -> None:
    path = packed(made, ".zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(f"hr/{WEIGHTS}", "other")
    assert refusal(registry, path, base) == f"hr.zip holds {WEIGHTS} twice"
    with tarfile.open(made.with_name("many.tgz"), "w:gz") as tar:
        for _ in range(100):
            entry = tarfile.TarInfo("hr")
            entry.type = tarfile.DIRTYPE
            tar.addfile(entry)
    assert "holds more files than an adapter has" in refusal(
        registry, made.with_name("many.tgz"), base
    )


def test_what_is_no_archive_is_refused(registry: Registry, made: Path, base: ModelFiles) -> None:
    for ending in ENDINGS:
        path = packed(made, ending)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert refusal(registry, path, base).startswith(f"{path.name} is damaged: ")
        path.write_bytes(b"nothing of the kind")
        assert refusal(registry, path, base).startswith(f"{path.name} is damaged: ")
    other = made.with_name("hr.rar")
    other.write_bytes(b"")
    assert refusal(registry, other, base) == (
        "hr.rar is not an adapter: give its folder, a .zip or a .tar.gz"
    )
    assert refusal(registry, Path("nowhere"), base).startswith("no such folder or archive: ")


def test_whatever_is_kept_has_a_limit(made: Path) -> None:
    assert all(limit > 0 for limit in KEPT.values())
    assert {file.name for file in made.iterdir()} <= set(KEPT)
    shutil.rmtree(made)
