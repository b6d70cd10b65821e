"""One cache of exported encoders and built models for a whole run: making them takes a while."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Let Ctrl-C be tested where a shell began the run in the background, and so deaf to it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
