"""Import bitsandbytes as it is installed: nothing fetched, nothing said."""

import logging
import sys
from types import ModuleType

from adapters.errors import ModelError


def load_bitsandbytes() -> ModuleType:
    """Return the library that keeps weights in NF4.

    On processors with instructions for bf16 it would fetch a compiled kernel from a model hub
    as it is imported, were the package ``kernels`` there, and complains where it is not.

    :raises ModelError: When it is not installed.
    """
    if "bitsandbytes" not in sys.modules:
        logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
        kernels = sys.modules.get("kernels")
        # An entry of None makes importing it fail.
        sys.modules["kernels"] = None  # type: ignore[assignment]
        try:
            import bitsandbytes  # noqa: F401
        except ImportError:
            raise ModelError(
                "nf4 needs an extra: in the checkout, pip install -e '.[train]'"
            ) from None
        finally:
            del sys.modules["kernels"]
            if kernels is not None:
                sys.modules["kernels"] = kernels
    return sys.modules["bitsandbytes"]
