"""For all tests: one cache of exported encoders and built models, and how to have fewer rights."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Let Ctrl-C be tested where a shell began the run in the background, and so deaf to it."""
    _take_own_cores()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _take_own_cores() -> None:
    # Workers that each have threads for all cores wait for one another more than they compute.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[int(worker[2:]) :: workers] or cores)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what may take longest, so that at the end no worker waits for another."""

    def most(item: pytest.Item) -> float:
        timeout = item.get_closest_marker("timeout")
        return float(timeout.args[0]) if timeout and timeout.args else 0.0

    items.sort(key=most, reverse=True)


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


@pytest.fixture
def as_anyone() -> Callable[[Path], AbstractContextManager[None]]:
    """Drop the superuser's right to everything, if we have it, where a folder can be reached."""

    @contextmanager
    def dropped(folder: Path) -> Iterator[None]:
        user = os.geteuid()
        # Another user must be able to get there.
        for parent in folder.parents:
            if parent.stat().st_uid == user and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        if user == 0:
            os.seteuid(65_534)
        try:
            yield
        finally:
            os.seteuid(user)

    return dropped
