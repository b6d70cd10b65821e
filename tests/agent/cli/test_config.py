import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.settings import load_settings, setting_keys

Expert = Callable[..., object]
SHOWN = re.compile(r"# \w+ = [^(].*")
NOT_SET = re.compile(r"^# (\w+) = \(not set; (.+)\)$", re.MULTILINE)


def test_init_writes_a_settings_file_that_is_valid_and_complete(
    expert: Expert, tmp_path: Path
) -> None:
    assert expert("init", "--store", "weaviate").code == 0
    path = tmp_path / ".expert/expert.toml"
    assert load_settings(path).store == "weaviate"
    text = path.read_text()
    assert all(f"{key.rsplit('.', 1)[-1]} = " in text for key in setting_keys())
    again = expert("init")
    assert again.code == 1
    assert "exists already; --force replaces it" in again.err


def test_init_writes_defaults_that_load_when_uncommented(expert: Expert, tmp_path: Path) -> None:
    expert("init")
    path = tmp_path / ".expert/expert.toml"
    lines = [
        line.removeprefix("# ") if SHOWN.fullmatch(line) else line
        for line in path.read_text().splitlines()
    ]
    assert not any(SHOWN.fullmatch(line) for line in lines)
    path.write_text("\n".join(lines))
    assert load_settings(path) == load_settings(None)


def test_init_says_what_to_write_where_nothing_is_set(expert: Expert, tmp_path: Path) -> None:
    expert("init")
    path = tmp_path / ".expert/expert.toml"
    kinds = dict(NOT_SET.findall(path.read_text()))
    assert kinds == {
        "base_url": "a text in quotes",
        "api_key": "a text in quotes",
        "dimensions": "a whole number",
        "pipeline": "a text in quotes",
        "threshold": "a number from 0 to 1",
        "nli": "a text in quotes",
    }
    values = {"a text in quotes": '"x"', "a whole number": "8", "a number from 0 to 1": "0.5"}
    path.write_text(NOT_SET.sub(lambda found: f"{found[1]} = {values[found[2]]}", path.read_text()))
    settings = load_settings(path)
    assert (settings.answer.threshold, settings.embedder.dimensions) == (0.5, 8)


def test_config_show_says_where_values_come_from_and_masks_secrets(
    expert: Expert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "expert.toml").write_text('[weaviate]\napi_key = "hunter2"\n[retrieval]\ntop_k=4')
    monkeypatch.setenv("EXPERT_EMBEDDER__API_KEY", "hunter3")
    for arguments in (("config", "show"), ("config", "show", "--json")):
        result = expert(*arguments)
        assert result.code == 0
        assert "hunter" not in result.out
    settings = result.json["settings"]
    assert result.json["file"] == "expert.toml"
    assert settings["retrieval.top_k"] == {"value": 4, "source": "file"}
    assert settings["weaviate.api_key"] == {"value": "********", "source": "file"}
    assert settings["embedder.api_key"] == {"value": "********", "source": "environment"}
    assert settings["store"] == {"value": "sqlite", "source": "default"}


def test_a_wrong_setting_is_one_line(expert: Expert, tmp_path: Path) -> None:
    (tmp_path / "expert.toml").write_text("[retrieval]\ntopk = 1\n")
    result = expert("config", "show")
    assert result.code == 1
    assert result.err == (
        "expert: expert.toml: unknown setting retrieval.topk; did you mean retrieval.top_k?\n"
    )


def test_a_wrong_environment_is_one_line(expert: Expert, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERT_INDEX__EXCLUDE", "drafts")
    result = expert("config", "show")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "lists and sections are JSON there" in result.err
