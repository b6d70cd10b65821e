"""Adapters are found for the model that they were trained on, and for no other."""

from pathlib import Path
from typing import Any

import pytest

from adapters.architecture import read_architecture
from adapters.card import AdapterCard, base_of
from adapters.errors import AdapterError
from adapters.fitting import FittingAdapters, by_model
from adapters.lora_files import TARGETS
from adapters.models import ModelFiles
from adapters.registry import Registry

from .small_adapters import write_adapter


@pytest.fixture(scope="module")
def base(small_model: Any) -> ModelFiles:
    return ModelFiles("tiny", small_model("plain")[1])


@pytest.fixture(scope="module")
def registry(base: ModelFiles, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    registry = Registry(tmp_path_factory.mktemp("adapters"))
    folder = write_adapter(tmp_path_factory.mktemp("made"), read_architecture(base.folder), seed=1)
    card = AdapterCard(
        name="hr", base=base_of(base), rank=2, alpha=2, target_modules=tuple(TARGETS)
    )
    for _ in range(2):
        registry.publish(folder, card)
    return registry


def test_a_reference_gives_the_version_and_its_folder(registry: Registry, base: ModelFiles) -> None:
    find = FittingAdapters(registry, base)
    assert find("hr") == ("hr@2", registry.root / "hr" / "0002")
    assert find("hr@1") == ("hr@1", registry.root / "hr" / "0001")
    with pytest.raises(AdapterError, match="sales"):
        find("sales")


def test_another_models_adapter_is_refused(
    registry: Registry, small_model: Any, base: ModelFiles
) -> None:
    # Of the same shapes, so that nothing else would notice.
    other = ModelFiles("other", Path(small_model("sliding window")[1]))
    with pytest.raises(AdapterError) as refused:
        FittingAdapters(registry, other)("hr")
    assert str(refused.value) == (
        "adapter hr@2 was trained on tiny, which is not the model in use, other: "
        "use that model, or train the adapter anew"
    )


def test_those_of_another_model_are_told_apart(
    registry: Registry, small_model: Any, base: ModelFiles, tmp_path: Path
) -> None:
    found, _ = registry.all()
    assert by_model(found, str(base.folder)) == (found, [])
    assert by_model(found, str(small_model("sliding window")[1])) == ([], found)
    assert by_model(found, str(tmp_path / "none such")) == (found, [])
