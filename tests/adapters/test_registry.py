"""The registry: versions, the one in use, and what happens when two publish or one dies."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapters.architecture import read_architecture
from adapters.card import AdapterCard, BaseModelRef, base_of
from adapters.errors import AdapterError
from adapters.lora_files import CONFIG, TARGETS, WEIGHTS
from adapters.models import ModelFiles
from adapters.registry import Registry

from .small_adapters import write_adapter


@pytest.fixture(scope="module")
def base(small_model: Any) -> ModelFiles:
    return ModelFiles("tiny", small_model("plain")[1])


@pytest.fixture(scope="module")
def made(base: ModelFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained adapter's folder."""
    return write_adapter(
        tmp_path_factory.mktemp("made") / "hr", read_architecture(base.folder), seed=1
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "adapters")


def card_of(name: str = "hr", **more: Any) -> AdapterCard:
    model = BaseModelRef(name="tiny", fingerprint="0" * 64)
    return AdapterCard(
        **{"name": name, "base": model, "rank": 2, "alpha": 2, "target_modules": TARGETS, **more}
    )


def test_publishing_makes_the_next_version_and_puts_it_in_use(
    registry: Registry, made: Path
) -> None:
    assert registry.names() == []
    first = registry.publish(made, card_of(description="one"))
    second = registry.publish(made, card_of(description="two"))
    assert (first.reference, second.reference) == ("hr@1", "hr@2")
    assert second.folder == registry.root / "hr" / "0002"
    assert registry.names() == ["hr"]
    assert registry.versions("hr") == [1, 2]
    assert registry.get("hr") == second
    assert registry.get("hr@1").card.description == "one"
    assert registry.find("hr@0002") == ("hr@2", second.folder)
    assert {file.name for file in second.folder.iterdir()} == {
        WEIGHTS,
        CONFIG,
        "adapter_card.json",
    }
    assert second.card.size == sum((made / name).stat().st_size for name in (WEIGHTS, CONFIG))
    # Checkpoints and what else a trainer leaves stay behind, and nothing of the making is left.
    assert {path.name for path in registry.root.iterdir()} == {"hr", ".lock"}


def test_rolling_back_and_forth(registry: Registry, made: Path) -> None:
    for _ in range(3):
        registry.publish(made, card_of())
    assert registry.rollback("hr").reference == "hr@2"
    assert registry.rollback("hr").reference == "hr@1"
    with pytest.raises(AdapterError, match=r"^adapter hr has no version before 1$"):
        registry.rollback("hr")
    assert registry.rollback("hr", 3).reference == "hr@3"
    assert registry.current("hr") == 3
    with pytest.raises(AdapterError, match="no version 7 of adapter hr: it has 1, 2, 3"):
        registry.rollback("hr", 7)
    registry.rollback("hr", 1)
    assert registry.publish(made, card_of()).reference == "hr@4"


def test_removing(registry: Registry, made: Path) -> None:
    for _ in range(3):
        registry.publish(made, card_of())
    with pytest.raises(AdapterError, match=r"^hr@3 is in use: roll back to another version first"):
        registry.remove("hr@3")
    with pytest.raises(AdapterError, match="has versions 1, 2, 3: give one, as hr@1, or --all"):
        registry.remove("hr")
    assert registry.remove("hr@1") == ["hr@1"]
    assert registry.remove("hr@3", force=True) == ["hr@3"]
    assert registry.current("hr") == 2
    assert registry.remove("hr", everything=True) == ["hr@2"]
    assert registry.names() == []
    with pytest.raises(AdapterError, match=r"^there is no adapter hr: `expert adapters list`"):
        registry.get("hr")
    with pytest.raises(AdapterError, match="there is no adapter hr"):
        registry.remove("hr", everything=True)
    # Whoever still holds hr@3 must not be given other weights under that name.
    assert registry.publish(made, card_of()).reference == "hr@4"


@pytest.mark.parametrize(
    "reference", ["../hr", "/hr", "HR", "", "a" * 65, "hr/0001", "hr@../1", "hr@0", "hr@x", ".lock"]
)
def test_names_are_names_and_never_paths(reference: str, registry: Registry) -> None:
    with pytest.raises(AdapterError, match=r"cannot be an adapter's name|names no version"):
        registry.get(reference)


def test_what_is_no_adapter_is_not_published(registry: Registry, made: Path) -> None:
    with pytest.raises(AdapterError, match="hr has not the rank that its card says: 4"):
        registry.publish(made, card_of(rank=4))
    with pytest.raises(AdapterError, match=r"is no adapter: it has no adapter_config.json"):
        registry.publish(registry.root.parent, card_of())
    assert registry.names() == []


def test_two_that_publish_at_once_get_numbers_of_their_own(registry: Registry, made: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: registry.publish(made, card_of()), range(16)))
    assert sorted(adapter.version for adapter in done) == list(range(1, 17))
    assert registry.versions("hr") == list(range(1, 17))
    assert registry.current("hr") == 16
    assert not any(registry.verify(f"hr@{version}") for version in range(1, 17))


_ENDLESS = """
import sys
from pathlib import Path
from adapters.card import AdapterCard
from adapters.registry import Registry
made, root = map(Path, sys.argv[1:])
card = AdapterCard.model_validate_json(sys.stdin.read())
print("go", flush=True)
while True:
    Registry(root).publish(made, card)
"""


def test_a_publisher_that_is_killed_leaves_nothing_half_done(
    registry: Registry, made: Path
) -> None:
    for delay in (0.02, 0.05, 0.09):
        running = subprocess.Popen(
            [sys.executable, "-c", _ENDLESS, str(made), str(registry.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(card_of().to_json().encode())
        running.stdin.close()
        running.stdout.readline()
        time.sleep(delay)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
        # Another is not kept waiting, and what is there is whole.
        published = registry.publish(made, card_of())
        assert registry.get("hr") == published
        for version in registry.versions("hr"):
            assert registry.verify(f"hr@{version}") == []


def test_what_was_left_by_the_dead_is_swept(registry: Registry, made: Path) -> None:
    registry.publish(made, card_of())
    old, young = registry.root / ".publishing-old", registry.root / ".publishing-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    registry.publish(made, card_of())
    assert (old.exists(), young.exists()) == (False, True)


def test_a_version_without_its_pointer_is_found(registry: Registry, made: Path) -> None:
    registry.publish(made, card_of())
    (registry.root / "hr/current").unlink()
    assert registry.current("hr") == 1
    (registry.root / "hr/current").write_text("{")
    with pytest.raises(AdapterError, match="current is damaged: remove it, and the newest version"):
        registry.get("hr")
    adapters, problems = registry.all()
    assert adapters == []
    assert len(problems) == 1


def test_a_thousand_are_listed_from_their_cards_alone(registry: Registry, made: Path) -> None:
    adapter = registry.publish(made, card_of())
    content = json.loads(adapter.card.to_json())
    for number in range(1000):
        folder = registry.root / f"a{number}" / "0001"
        folder.mkdir(parents=True)
        # No weights are there: whoever looked at them would fail.
        (folder / "adapter_card.json").write_text(
            json.dumps({**content, "name": f"a{number}"}), encoding="utf-8"
        )
    found, problems = registry.all()
    assert len(found) == 1001
    assert problems == []
    listing = "import sys; from pathlib import Path; from adapters.registry import Registry; "
    listing += "print(len(Registry(Path(sys.argv[1])).all()[0]), 'torch' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", listing, str(registry.root)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "1001 False\n"


def test_verifying_names_every_fault(registry: Registry, made: Path, base: ModelFiles) -> None:
    adapter = registry.publish(made, card_of(base=base_of(base)))
    assert registry.verify("hr", base) == []
    weights = adapter.folder / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (adapter.folder / "run.py").write_text("")
    assert registry.verify("hr", base) == [
        "hr@1: run.py was not published",
        f"hr@1: {WEIGHTS} has changed since it was published",
    ]
    weights.unlink()
    missing = registry.verify("hr", base)
    assert f"hr@1: {WEIGHTS} is missing" in missing
    changed = f"hr@1: {WEIGHTS} has changed since it was published"
    weights.symlink_to("nowhere")
    assert changed in registry.verify("hr", base)
    weights.unlink()
    weights.mkdir()
    assert changed in registry.verify("hr")
    (adapter.folder / "adapter_card.json").write_text("{}")
    assert len(registry.verify("hr")) == 1


def test_verifying_against_another_model(
    registry: Registry, made: Path, base: ModelFiles, small_model: Any
) -> None:
    registry.publish(made, card_of(base=base_of(base)))
    problems = registry.verify("hr", ModelFiles("other", small_model("shared keys")[1]))
    assert any("self_attn.qkv_proj" in problem for problem in problems)
    registry.publish(made, card_of())
    assert registry.verify("hr", base) == [
        "hr@2: tiny is not the model that it was trained on any more"
    ]


def test_the_registry_that_cannot_be_written(made: Path, tmp_path: Path) -> None:
    (tmp_path / "adapters").write_text("")
    with pytest.raises(AdapterError, match=r"^cannot write the registry .*adapters: "):
        Registry(tmp_path / "adapters").publish(made, card_of())
