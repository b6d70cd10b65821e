"""What taught the lab model to read: a LoRA delta, merged into its weights when it is built."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.errors import AdapterError, ModelError
from adapters.lora_files import WEIGHTS, read_config

FOLDER = Path(__file__).parent / "weights" / "lab_reading"
DELTA_SHA256 = "7e692383a108f9fd126c33d0219e09be7e5a0fe0bb5757fe99b8028e5347ba11"
# Rows added to at once: as many as a processor's own memory holds.
_ROWS = 64
_PREFIX = "base_model.model."
Floats = NDArray[np.float32]


class Reading:
    """The delta, by the names of the weights that it is added to.

    :param folder: An adapter in PEFT's format.
    :raises ModelError: When it is missing or not what it should be.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        try:
            self._scale = np.float32(read_config(folder).scaling)
            self._content = (folder / WEIGHTS).read_bytes()
        except (AdapterError, OSError) as error:
            raise ModelError(f"the lab model's delta cannot be read: {error}") from error
        self.digest = hashlib.sha256(self._content).hexdigest()

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        from safetensors.numpy import load

        return load(self._content)

    def added_to(self, name: str, values: Floats) -> Floats:
        """Return a weight with what was learned added; as it is where nothing was.

        Term by term, never by a library's product of matrices: those round differently on
        different processors, and the same bytes are to come out everywhere.

        :param name: Of the weight, such as ``model.layers.0.mlp.down_proj.weight``.
        :param values: [out, in]
        """
        stem = _PREFIX + name.removesuffix("weight")
        if f"{stem}lora_A.weight" not in self._tensors:
            return values
        down = self._tensors[f"{stem}lora_A.weight"].astype(np.float32)
        up = self._tensors[f"{stem}lora_B.weight"].astype(np.float32) * self._scale
        whole = np.array(values, dtype=np.float32)
        for first in range(0, len(whole), _ROWS):
            rows, part = up[first : first + _ROWS], whole[first : first + _ROWS]
            for left, right in zip(rows.T, down, strict=True):
                part += np.multiply.outer(left, right)
        return whole
