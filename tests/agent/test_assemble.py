"""Parts are put together as each workspace's own settings say."""

import os
from pathlib import Path

import pytest
from haystack.utils import Secret

from agent.assemble import open_embedder
from agent.workspace import Workspace


def test_each_workspace_has_the_key_of_its_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[Secret] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "pipelines.embed.open_embedder", lambda _, **options: keys.append(options["api_key"])
    )
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        settings = f'[embedder]\nmodel = "openai:m"\napi_key = "key of the {name}"\n'
        (tmp_path / name / "expert.toml").write_text(settings)
        open_embedder(Workspace(tmp_path / name))
    assert [key.resolve_value() for key in keys] == ["key of the first", "key of the second"]
    assert "EXPERT_EMBEDDER__API_KEY" not in os.environ
    assert "key of" not in repr(keys)
    # A pipeline's YAML names the variable that a key may be put into.
    assert keys[0].to_dict() == {
        "type": "env_var",
        "env_vars": ["EXPERT_EMBEDDER__API_KEY"],
        "strict": True,
    }
