"""`expert model`: build, use, list, info, path."""

import os
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.card import AdapterCard
from adapters.registry import Registry

HR = Path(__file__).parents[3] / "examples" / "hr" / "adapter"
Expert = Callable[..., SimpleNamespace]


@pytest.fixture
def _lab(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab model, built once a run."""
    if "EXPERT_CACHE" not in os.environ:
        folder = tmp_path_factory.getbasetemp().parent / "expert-cache"
        monkeypatch.setenv("EXPERT_CACHE", str(folder))
    from adapters.lab import lab_model

    lab_model()


@pytest.fixture
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("_lab")
def test_the_lab_model_is_built_and_described(expert: Expert) -> None:
    built = expert("model", "build", "lab", "--json")
    assert built.code == 0
    assert built.json["parameters"] == 134_515_008
    assert (built.json["licence"], built.json["revision"]) == ("apache-2.0", None)
    assert Path(expert("model", "path", "lab").out.strip()) == Path(built.json["path"])
    shown = expert("model", "info")
    assert "135 million parameters" in shown.out
    assert "for trying out and for tests" in shown.out
    listed = expert("model", "list", "--json").json["models"]
    assert [(model["name"], model["used"]) for model in listed] == [("lab", True)]


@pytest.mark.usefixtures("_lab")
def test_the_model_in_use_is_noted_in_the_settings(expert: Expert, tmp_path: Path) -> None:
    assert expert("init").code == 0
    before = (tmp_path / ".expert" / "expert.toml").read_text()
    lab = Path(expert("model", "path", "lab").out.strip())
    used = expert("model", "use", str(lab))
    assert used.code == 0
    assert ".expert/expert.toml says so" in used.out
    text = (tmp_path / ".expert" / "expert.toml").read_text()
    assert tomllib.loads(text)["model"]["name"] == str(lab)
    # Comments and other settings stay as they were.
    assert set(before.splitlines()) <= set(text.splitlines())
    assert expert("model", "use", "lab").code == 0
    shown = expert("config", "show", "--json").json["settings"]["model.name"]
    assert shown == {"value": "lab", "source": "file"}


@pytest.mark.usefixtures("_lab")
def test_adapters_of_another_model_are_named(expert: Expert, tmp_path: Path) -> None:
    Registry(tmp_path / ".expert" / "adapters").publish(HR, AdapterCard.read(HR))
    assert "hr-advisor" not in expert("model", "use", "lab").err
    used = expert("model", "use", "lab-bare")
    assert used.code == 0
    assert "No question goes to hr-advisor now, trained on another model" in used.err


@pytest.mark.usefixtures("_lab")
def test_a_variable_that_wins_is_mentioned(expert: Expert, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERT_MODEL__NAME", "owner/other")
    assert "EXPERT_MODEL__NAME" in expert("model", "use", "lab").err


def test_no_text_of_a_model_commands_a_terminal(
    expert: Expert, tiny_model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "README.md").write_text("---\nlicense: mit\x9b31m\x1b]0;done\x07\n---\n")
    for arguments in (("info", str(folder)), ("info", str(folder), "--json")):
        found = expert("model", *arguments)
        assert found.code == 0
        assert "mit" in found.out
        assert not {"\x1b", "\x07", "\x9b"}.intersection(found.out)


@pytest.mark.usefixtures("_empty_cache")
def test_what_is_missing_is_said_in_a_line(expert: Expert) -> None:
    for arguments in (("info",), ("path",), ("info", "owner/none"), ("use", "nowhere")):
        found = expert("model", *arguments)
        assert found.code == 1
        assert found.err.startswith("expert: ")
        assert found.err.count("\n") == 1
    empty = expert("model", "list")
    assert (empty.code, "expert model build lab" in empty.out) == (0, True)
    assert expert("model", "build", "phi").code == 2


@pytest.mark.usefixtures("_lab")
def test_settings_stay_readable_to_others_and_a_link_a_link(expert: Expert, tmp_path: Path) -> None:
    (tmp_path / ".expert").mkdir()
    shared, link = tmp_path / "shared.toml", tmp_path / ".expert" / "expert.toml"
    shared.write_text("")
    shared.chmod(0o644)
    link.symlink_to(shared)
    assert expert("model", "use", "lab").code == 0
    assert link.is_symlink()
    assert shared.stat().st_mode & 0o777 == 0o644
    assert 'name = "lab"' in shared.read_text()
