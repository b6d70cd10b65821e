import shutil
from pathlib import Path

import pytest

from agent.errors import RouterError
from agent.router.versions import DEFAULT, Versions


def write(folder: Path) -> None:
    (folder / "success.json").write_text("{}")


def test_versions_are_counted_and_the_way_back_is_kept(tmp_path: Path):
    versions = Versions(tmp_path)
    assert (versions.current(), versions.all()) == (DEFAULT, [])
    assert versions.add(write, {"made_by": "fit"}, use=True) == "0001"
    assert versions.add(write, {"made_by": "learn"}, use=False) == "0002"
    assert versions.add(write, {"made_by": "learn"}, use=True) == "0003"
    assert versions.current() == "0003"
    assert versions.notes("0002")["made_by"] == "learn"
    assert versions.rollback() == "0001"
    assert versions.rollback() == DEFAULT
    with pytest.raises(RouterError, match="there is none to go back to"):
        versions.rollback()
    assert versions.all() == ["0001", "0002", "0003"]


def test_a_version_cut_off_while_written_is_none(tmp_path: Path):
    versions = Versions(tmp_path)

    def stop(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        versions.add(stop, {}, use=True)
    assert (versions.current(), versions.all()) == (DEFAULT, [])
    assert versions.add(write, {}, use=True) == "0002"


def test_a_damaged_pointer_is_named(tmp_path: Path):
    (tmp_path / "current.json").write_text("[")
    with pytest.raises(RouterError, match=r"current\.json cannot be read"):
        Versions(tmp_path).current()


def test_a_version_that_is_gone_is_named_and_gone_back_from(tmp_path: Path):
    versions = Versions(tmp_path)
    for _ in range(3):
        versions.add(write, {}, use=True)
    shutil.rmtree(versions.folder("0002"))
    shutil.rmtree(versions.folder("0003"))
    with pytest.raises(RouterError, match="router 0003 is gone: run `expert router rollback`"):
        versions.current()
    assert versions.rollback() == versions.current() == "0001"


@pytest.mark.parametrize("content", ["{", "7", '["promoted"]'])
def test_damaged_notes_are_named(tmp_path: Path, content: str):
    versions = Versions(tmp_path)
    versions.add(write, {}, use=True)
    (versions.folder("0001") / "notes.json").write_text(content)
    with pytest.raises(RouterError, match=r"0001 cannot be read .* run `expert router fit`"):
        versions.fits("0001", "minilm")
