import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest


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
