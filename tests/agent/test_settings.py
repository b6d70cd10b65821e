from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.settings import load_settings, settings_file


def settings_from(tmp_path: Path, text: str) -> object:
    path = tmp_path / "expert.toml"
    path.write_text(text)
    return load_settings(path)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPERT_RETRIEVAL__TOP_K", "3")
    settings = settings_from(tmp_path, "[retrieval]\ntop_k = 7\nalpha = 0.1\n")
    assert (settings.retrieval.top_k, settings.retrieval.alpha) == (3, 0.1)
    assert settings.retrieval.candidates == 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('stroe = "x"', "unknown setting stroe; did you mean store?"),
        ("[retrieval]\ntopk = 3", "unknown setting retrieval.topk; did you mean retrieval.top_k?"),
        ("top_k = 3", "unknown setting top_k; did you mean retrieval.top_k?"),
        ("[foo]\nbar = 1", "unknown setting foo.bar; `expert config show` lists the valid keys"),
        ("[retrieval]\ntop_k = 0", "retrieval.top_k: input should be greater than or equal to 1"),
        ("[index]\nmax_file_mb = inf", "index.max_file_mb: input should be a finite number"),
        ("[index]\ntimeout_s = 1e300", "index.timeout_s: input should be less than or equal to"),
        ("[router]\nmargin = nan", "router.margin: input should be a finite number"),
        ("[answer]\nthreshold = nan", "answer.threshold: input should be a finite number"),
        (f"[trace]\nkeep = {2**63}", "trace.keep: input should be less than or equal to"),
        ('store = "lance"', "store: input should be 'sqlite' or 'weaviate'"),
        ("store =", "expert.toml: Invalid value"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_environment_variable_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERT_RETREIVAL__TOP_K", "3")
    with pytest.raises(SettingsError, match="did you mean EXPERT_RETRIEVAL__TOP_K"):
        load_settings(None)


def test_a_wrong_secret_does_not_appear_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from(tmp_path, '[weaviate]\napi_key = ["hunter2"]')
    assert "hunter2" not in str(caught.value)


def test_two_settings_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = tmp_path / ".expert"
    workspace.mkdir()
    assert settings_file(workspace) is None
    (tmp_path / "expert.toml").touch()
    assert settings_file(workspace) == Path("expert.toml")
    (workspace / "expert.toml").touch()
    with pytest.raises(SettingsError, match="two settings files"):
        settings_file(workspace)
