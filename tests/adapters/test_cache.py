"""The cache folder: entries are whole or absent, digests are read again when files change."""

import errno
import os
from pathlib import Path

import pytest

from adapters import cache
from adapters.errors import CacheError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path / "cache"))


def test_an_entry_is_made_once_and_whole() -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("whole")

    first, second = (cache.entry("models", "one", make) for _ in range(2))
    assert first == second == cache.cache_folder() / "models" / "one"
    assert (first / "file").read_text() == "whole"
    assert len(made) == 1


def test_an_entry_that_fails_leaves_nothing() -> None:
    def fail(folder: Path) -> None:
        (folder / "file").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.entry("models", "one", fail)
    assert list((cache.cache_folder() / "models").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXPERT_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match="EXPERT_CACHE"):
        cache.entry("models", "one", lambda folder: None)


def test_a_disk_that_is_full_is_said_in_a_line_and_nothing_is_left() -> None:
    def full(folder: Path) -> None:
        (folder / "file").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CacheError, match=r"models \(No space left on device\): set EXPERT_CACHE"):
        cache.entry("models", "one", full)
    assert list((cache.cache_folder() / "models").iterdir()) == []


def test_what_was_left_long_ago_is_swept_or_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    models = cache.cache_folder() / "models"
    for name in (".making-old", ".making-gone"):
        (models / name).mkdir(parents=True)
        os.utime(models / name, (1, 1))
    real = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if path.name == ".making-gone":
            raise FileNotFoundError
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    cache.entry("models", "one", lambda folder: None)
    assert not (models / ".making-old").exists()


def test_digests_follow_the_files(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_text("a")
    first = cache.file_digests(tmp_path, {"weights": file})
    assert cache.file_digests(tmp_path, {"weights": file}) == first
    file.write_text("b")
    os.utime(file, ns=(1, 1))
    assert cache.file_digests(tmp_path, {"weights": file}) != first
