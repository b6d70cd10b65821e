"""Import Haystack without the heavy libraries that answering a question does not use.

``import haystack`` loads torch (2 s), posthog (0.2 s) and httpx (0.2 s) eagerly. While
it runs, a stand-in module satisfies each of those imports; an attribute asked of one
later loads the real library. importlib's ``LazyLoader`` does not serve here: the import
statement itself reads ``__spec__``, which triggers it. The stand-ins leave
``sys.modules`` again, since ``import torch.nn`` through one would execute submodules of
a package that was never initialised.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

_NAMES = ("torch", "posthog", "httpx")


class _Deferred(ModuleType):
    """A stand-in that imports the real library when one of its attributes is asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            # While it stands in, dunder look-ups are the import system's, not a use.
            if name.startswith("__"):
                raise AttributeError(name)
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def import_haystack() -> None:
    """Import Haystack, each heavy library put off unless it is loaded already or missing."""
    placed: list[_Deferred] = []
    for name in _NAMES:
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is not None:
            stand_in = _Deferred(name)
            stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None, origin=spec.origin)
            sys.modules[name] = stand_in
            placed.append(stand_in)
    try:
        # The package itself resolves names lazily; these pull in what a pipeline needs.
        importlib.import_module("haystack.utils.device")
        importlib.import_module("haystack.core.pipeline")
    finally:
        for stand_in in placed:
            if sys.modules.get(stand_in.__name__) is stand_in:
                del sys.modules[stand_in.__name__]
