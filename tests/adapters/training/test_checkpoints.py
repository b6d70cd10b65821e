"""Checkpoints outlive a loss of power, and none is thrown away for a file that cannot be read."""

import json
import os

import pytest

from adapters.errors import TrainingError
from adapters.training.checkpoints import Checkpoints

RUN = {"rank": 16}


@pytest.fixture
def begun(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.begin(RUN)
    path = checkpoints.folder / "checkpoint-4"
    path.mkdir()
    (path / "optimizer.pt").write_text("moments")
    return checkpoints


def test_what_tells_of_a_run_may_be_missing_but_not_unreadable(begun):
    begun.complete(4, {"step": 4})
    told = begun.folder / "run.json"
    for content in ("", "[1]"):
        told.write_text(content)
        with pytest.raises(TrainingError, match=r"run\.json cannot be read .* without resuming"):
            begun.resume(RUN)
    assert begun.cut_off
    told.unlink()
    assert begun.resume(RUN) is None


def test_a_checkpoint_is_whole_once_it_is_on_disk(begun, monkeypatch):
    path = begun.folder / "checkpoint-4"
    synced = []
    real = os.fsync

    def fsync(descriptor):
        synced.append((os.fstat(descriptor).st_ino, (path / "whole.json").exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    begun.complete(4, {"step": 4})
    before = {inode for inode, whole in synced if not whole}
    assert {(path / "optimizer.pt").stat().st_ino, path.stat().st_ino} < before
    assert (path.stat().st_ino, True) in synced
    assert json.loads((path / "whole.json").read_text()) == {"step": 4}
    assert begun.resume(RUN) == (path, {"step": 4})

    synced.clear()
    begun.keep_best(lambda folder: (folder / "weights").write_text("best"))
    inodes = {inode for inode, _ in synced}
    assert (begun.best / "weights").stat().st_ino in inodes
    assert begun.folder.stat().st_ino in inodes
