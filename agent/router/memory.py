"""What the router remembers of a workspace: adapters' questions, passages, and what is foreign."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.cache import write_whole
from agent.errors import RouterError
from pipelines.embed.embedder import Floats

FILE = "memory.safetensors"
_FACTS = "facts"
_ADAPTER = "adapter:"


@dataclass(frozen=True, slots=True)
class Known:
    """Questions that an adapter was trained on.

    :param reference: Name and version, such as ``hr@3``.
    :param questions: The questions, and
    :param vectors: float32 [n, d]: their vectors, normalised.
    """

    reference: str
    questions: tuple[str, ...]
    vectors: Floats


@dataclass(frozen=True, slots=True)
class Memory:
    """What a question is compared with.

    :param adapters: Of each adapter by name, what it was trained on.
    :param passages: float32 [p, d]: vectors of passages of the index, a sample of many.
    :param foreign: float32 [f, d]: vectors of questions that are everyone's and no one's.
    :param titles: Words of documents' titles, as :func:`agent.router.features.content_words`
        cuts them, and
    :param words: those of the documents' texts and of what adapters were trained on.
    :param fingerprint: Of the embedder.
    :param index: What the index was when it was looked at; empty where there is none.
    """

    adapters: Mapping[str, Known]
    passages: Floats
    foreign: Floats
    titles: frozenset[str]
    words: frozenset[str]
    fingerprint: str
    index: str = ""

    @property
    def references(self) -> dict[str, str]:
        """Name and version of each adapter, by name."""
        return {name: known.reference for name, known in self.adapters.items()}

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        from safetensors.numpy import save

        tensors = {f"{_ADAPTER}{name}": known.vectors for name, known in self.adapters.items()}
        tensors |= {"passages": self.passages, "foreign": self.foreign}
        facts = {
            "adapters": {
                name: {"reference": known.reference, "questions": known.questions}
                for name, known in self.adapters.items()
            },
            "titles": sorted(self.titles),
            "words": sorted(self.words),
            "fingerprint": self.fingerprint,
            "index": self.index,
        }
        contiguous = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        # One file, so that vectors and what they are of always belong together.
        content = save(contiguous, {_FACTS: json.dumps(facts, ensure_ascii=False)})
        write_whole(folder / FILE, content)

    @classmethod
    def load(cls, folder: Path) -> "Memory":
        """Return what was written into a folder.

        :raises RouterError: When it cannot be read.
        """
        from safetensors import safe_open

        try:
            with safe_open(folder / FILE, "np") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                facts = json.loads(file.metadata()[_FACTS])
            adapters = {
                name: Known(one["reference"], tuple(one["questions"]), tensors[f"{_ADAPTER}{name}"])
                for name, one in facts["adapters"].items()
            }
            return cls(
                adapters,
                tensors["passages"],
                tensors["foreign"],
                frozenset(facts["titles"]),
                frozenset(facts["words"]),
                facts["fingerprint"],
                facts["index"],
            )
        except Exception as error:  # safetensors raises a bare Exception
            raise RouterError(f"{folder / FILE} is damaged ({error}): remove it") from None


def nearest(vector: Floats, among: Floats, few: int = 1) -> float:
    """Return the mean cosine of the nearest few, 0 where there are none."""
    if not len(among):
        return 0.0
    # Not BLAS, whose second thread is waited for where another program has the processor.
    cosines = np.einsum("pd,d->p", among, vector)
    few = min(few, len(cosines))
    return float(-np.partition(-cosines, few - 1)[:few].mean())


def joined(parts: Sequence[Floats], width: int) -> Floats:
    """Return arrays one below the other, also when there are none."""
    return np.concatenate(parts) if parts else np.zeros((0, width), dtype=np.float32)
