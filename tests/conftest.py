"""One cache of exported encoders and built models for a whole run: making them takes a while."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if "EXPERT_CACHE" in os.environ:
        yield
        return
    # The parent folder is the same for all workers of a run.
    folder: Path = tmp_path_factory.getbasetemp().parent / "expert-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPERT_CACHE", str(folder))
        yield
