"""`expert adapters`: list, show, diff, rollback, remove, import, export, verify."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.architecture import read_architecture
from adapters.card import AdapterCard, SourceDocument, base_of
from adapters.lora_files import CONFIG, TARGETS, WEIGHTS, weight_shapes
from adapters.models import ModelFiles
from adapters.registry import Registry
from agent.workspace import Workspace

Expert = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """A model's folder; nobody here computes with it."""
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("tiny")
    config = {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        "vocab_size": 8,
        "hidden_size": 8,
        "intermediate_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    shapes = read_architecture(folder).projections()
    tensors = {
        f"model.layers.{layer}.{place}.weight": np.zeros(shape, np.float32)
        for layer in range(2)
        for place, shape in shapes.items()
    }
    save_file(tensors, folder / "model.safetensors")
    return ModelFiles(str(folder), folder)


@pytest.fixture
def plain(base: ModelFiles, tmp_path: Path) -> Path:
    """An adapter as plain PEFT leaves it."""
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path / "payroll"
    folder.mkdir()
    shapes = weight_shapes(read_architecture(base.folder), 2)
    save_file({k: np.ones(shape, np.float32) for k, shape in shapes.items()}, folder / WEIGHTS)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": list(TARGETS)}
    (folder / CONFIG).write_text(
        json.dumps({**config, "base_model_name_or_path": base.name}), encoding="utf-8"
    )
    return folder


@pytest.fixture
def two(base: ModelFiles, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A workspace with two versions of an adapter, trained on the model in use."""
    monkeypatch.setenv("EXPERT_MODEL__NAME", base.name)
    registry = Registry(Workspace(tmp_path / ".expert").adapters_folder)
    common: dict[str, Any] = {
        "name": "hr",
        "base": base_of(base),
        "rank": 2,
        "alpha": 4,
        "target_modules": TARGETS,
        "domain": "human resources",
        "created": "2026-03-01T12:00:00Z",
    }
    for epochs, after, digest in ((1, 2.0, "a"), (3, 1.5, "b")):
        card = AdapterCard(
            **common,
            description="Answers about leave.\x1b[31m",
            examples=1200,
            hyperparameters={"epochs": epochs},
            metrics={"eval_loss_before": 3.25, "eval_loss_after": after},
            sources=[SourceDocument(document="leave.md", sha256=digest * 64)],
        )
        registry.publish(plain, card)
    return registry


def test_a_workspace_without_adapters_says_how_to_begin(expert: Expert) -> None:
    assert "expert train NAME" in expert("adapters", "list").out
    assert expert("adapters", "list", "--json").json == {"adapters": []}
    none = expert("adapters", "show", "hr")
    assert (none.code, none.out) == (1, "")
    assert none.err == "expert: there is no adapter hr: `expert adapters list` shows all\n"


def test_listing(expert: Expert, two: Registry, base: ModelFiles) -> None:
    lines = expert("adapters", "list").out.splitlines()
    assert lines[0].split() == (
        ["name", "version", "domain", "base", "examples", "metrics", "fresh", "size", "date"]
    )
    assert re.split(r"\s{2,}", lines[1]) == [
        *("* hr", "2", "human resources", base.folder.name, "1,200"),
        *("eval_loss 3.25 → 1.5", "–", "0.0 MB", "2026-03-01"),
    ]
    assert len(lines) == 2
    every = expert("adapters", "list", "hr").out.splitlines()
    assert [line.split()[:3] for line in every[1:]] == [["hr", "1", "human"], ["*", "hr", "2"]]
    (found,) = expert("adapters", "list", "--json").json["adapters"]
    assert (found["name"], found["version"], found["current"]) == ("hr", 2, True)
    assert found["stale"] is None
    assert found["bytes"] == two.get("hr").card.size


def test_a_damaged_card_hides_no_other(expert: Expert, two: Registry) -> None:
    (two.root / "bad/0001").mkdir(parents=True)
    (two.root / "bad/0001/adapter_card.json").write_text("{")
    listed = expert("adapters", "list", "--json")
    assert [adapter["name"] for adapter in listed.json["adapters"]] == ["hr"]
    assert listed.err.startswith("damaged: bad: ")


def test_freshness_is_shown(expert: Expert, two: Registry, tmp_path: Path) -> None:
    from pipelines.catalog import Catalog, CatalogEntry

    index = tmp_path / ".expert/index"
    index.mkdir(parents=True)
    entry = CatalogEntry("/srv", "leave.md", "done", 1, 0, "a" * 64, "")
    with Catalog(index / "catalog.sqlite") as catalog:
        catalog.put([(entry, None)])
    # The first version learned from what is indexed, the second from what is no more.
    rows = expert("adapters", "list", "hr", "--json").json["adapters"]
    assert [row["stale"] for row in rows] == [0.0, 1.0]
    assert rows[1]["changed_documents"] == ["leave.md"]
    assert "  100 %  " in expert("adapters", "list", "hr").out
    shown = expert("adapters", "show", "hr").out
    assert "  fresh: 0 %\n  changed since: leave.md\n" in shown


def test_showing_a_card(expert: Expert, two: Registry) -> None:
    shown = expert("adapters", "show", "hr@1").out
    assert shown.startswith("hr@1: Answers about leave.\n  domain: human resources\n")
    assert "  hyper-parameters: epochs 1\n" in shown
    assert "  metrics: eval_loss_after 2, eval_loss_before 3.25\n" in shown
    assert "  versions: 1, 2*\n" in shown
    found = expert("adapters", "show", "hr", "--json").json
    assert found["card"]["sources"] == [{"document": "leave.md", "sha256": "b" * 64}]
    assert (found["versions"], found["current"]) == ([1, 2], True)


def test_comparing_versions(expert: Expert, two: Registry) -> None:
    text = (
        "hr@1 → hr@2\n"
        "  hyperparameters.epochs: 1 → 3\n"
        "  metrics.eval_loss_after: 2.0 → 1.5\n"
        "  ~ leave.md\n"
    )
    assert expert("adapters", "diff", "hr@1", "hr@2").out == text
    assert expert("adapters", "diff", "hr").out == text
    assert "the cards say the same" in expert("adapters", "diff", "hr", "hr@2").out
    assert expert("adapters", "diff", "hr", "--json").json == {
        "from": "hr@1",
        "to": "hr@2",
        "fields": {"hyperparameters.epochs": [1, 3], "metrics.eval_loss_after": [2.0, 1.5]},
        "sources": {"added": [], "removed": [], "changed": ["leave.md"]},
    }
    first = expert("adapters", "diff", "hr@1")
    assert first.err == "expert: hr@1 has no version before it: name two to compare\n"


def test_rolling_back_and_removing(expert: Expert, two: Registry) -> None:
    assert expert("adapters", "rollback", "hr").out == "hr@1 is in use now.\n"
    assert expert("adapters", "rollback", "hr", "2", "--json").json == {"name": "hr", "version": 2}
    refused = expert("adapters", "remove", "hr@2")
    assert refused.code == 1
    assert refused.err == (
        "expert: hr@2 is in use: roll back to another version first, or use --force\n"
    )
    assert expert("adapters", "remove", "hr@2", "--force").out == "Removed hr@2.\n"
    assert two.current("hr") == 1
    assert expert("adapters", "remove", "hr", "--all", "--json").json == {"removed": ["hr@1"]}
    assert two.names() == []


def test_exporting_importing_and_verifying(expert: Expert, two: Registry, tmp_path: Path) -> None:
    assert (
        expert("adapters", "export", "hr@1", "out/hr.tar.gz").out == "hr@1 is in out/hr.tar.gz.\n"
    )
    imported = expert("adapters", "import", "out/hr.tar.gz")
    assert imported.out.startswith("hr@3 is in use now, with ")
    assert imported.out.endswith("To undo: expert adapters rollback hr\n")
    assert two.get("hr@3").card.hyperparameters == {"epochs": 1}
    verified = expert("adapters", "verify")
    assert (verified.code, verified.out) == (0, "3 checked, 0 problems\n")
    with (two.root / "hr/0002" / CONFIG).open("a") as file:
        file.write(" ")
    wrong = expert("adapters", "verify", "--json")
    assert wrong.code == 1
    assert wrong.json == {
        "checked": ["hr@1", "hr@2", "hr@3"],
        "problems": [f"hr@2: {CONFIG} has changed since it was published"],
        "models_missing": [],
    }
    assert expert("adapters", "verify", "hr@1", "hr").code == 0


def test_verifying_where_the_model_is_not(
    expert: Expert, two: Registry, plain: Path, base: ModelFiles
) -> None:
    card = two.get("hr").card
    elsewhere = card.base.model_copy(update={"name": "owner/other", "revision": "abc"})
    two.publish(plain, card.model_copy(update={"name": "far", "base": elsewhere}))
    verified = expert("adapters", "verify", "far")
    assert (verified.code, verified.out) == (0, "1 checked, 0 problems\n")
    assert verified.err == "owner/other is not on this machine: not compared with it\n"


def test_importing_what_plain_peft_made(expert: Expert, two: Registry, plain: Path) -> None:
    imported = expert("adapters", "import", str(plain), "--name", "pay", "--json")
    assert imported.json == {"name": "pay", "version": 1}
    config = json.loads((plain / CONFIG).read_text())
    (plain / CONFIG).write_text(json.dumps(config | {"base_model_name_or_path": "/home/ann/phi"}))
    refused = expert("adapters", "import", str(plain))
    assert refused.code == 1
    assert "payroll says that it was trained on /home/ann/phi, and has no card" in refused.err
    assert refused.err.count("\n") == 1
    done = expert("adapters", "import", str(plain), "--base-unchecked")
    assert done.out.startswith("payroll@1 is in use now, with ")
    (plain / "training_args.bin").write_bytes(b"")
    assert "training_args.bin, a pickle" in expert("adapters", "import", str(plain)).err


def test_importing_without_a_model_says_how_to_get_one(
    expert: Expert, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path / "cache"))
    missing = expert("adapters", "import", str(plain))
    assert missing.code == 1
    assert missing.err == ("expert: the lab model is not built yet: run `expert model build lab`\n")


@pytest.mark.parametrize(
    "name", ["list", "show", "diff", "rollback", "remove", "import", "export", "verify"]
)
def test_help_has_an_example(name: str, expert: Expert) -> None:
    shown = expert("adapters", name, "--help")
    assert shown.code == 0
    assert f"expert adapters {name}" in shown.out.split("Example", 1)[1]
