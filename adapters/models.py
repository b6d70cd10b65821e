"""Find a language model by name, and say what it is."""

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from adapters import cache
from adapters.architecture import read_architecture, read_json
from adapters.errors import ModelError
from adapters.hub import HUB_ID, fetched, from_hub, pinned, pins_folder
from adapters.lab import Progress, entry_name, lab_model
from adapters.weight_files import check_weights, weight_files

LAB = "lab"
# As its package has it, before it was taught to read: what its teaching begins from.
BARE_LAB = "lab-bare"
_LICENCE = re.compile(r"^license:\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A language model on this machine.

    :param name: "lab", a folder's path, or a hub id.
    :param folder: Where its files are.
    :param revision: The hub's commit that they are; None for others.
    """

    name: str
    folder: Path
    revision: str | None = None

    def digest(self) -> str:
        """Return 64 hex digits over weights, configuration, tokenizer and chat template.

        Files are read again only when they changed.

        :raises ModelError: When one cannot be read.
        """
        files = {path.name: path for path in weight_files(self.folder)}
        files |= {
            name: self.folder / name
            for name in (
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "chat_template.jinja",
            )
            if (self.folder / name).is_file()
        }
        try:
            digests = cache.file_digests(self.folder, files)
        except OSError as error:
            raise ModelError(f"cannot read {self.folder}: {error.strerror}") from error
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model without loading it.

    :param parameters: Weights in all.
    :param bytes: Size of its weights on disk.
    :param context_length: Tokens that it reads at most, its answer included.
    :param dtype: Type that its weights are published in.
    :param revision: The hub's commit; None for others.
    :param licence: As its model card says; None where it does not.
    """

    name: str
    folder: Path
    parameters: int
    bytes: int
    context_length: int
    dtype: str
    revision: str | None
    licence: str | None


def find_model(name: str, *, progress: Progress | None = None) -> ModelFiles:
    """Return a model's files: built or fetched when they are not on this machine.

    :param name: "lab", a folder, or a hub id, ``id@revision`` for a certain revision.
    :param progress: Told how far building the lab model has come: bytes done, and of how many.
    :raises ModelError: When there is none such, or it is not a Phi-3 model in safetensors.
    """
    if name in (LAB, BARE_LAB):
        return ModelFiles(name, lab_model(progress, bare=name == BARE_LAB))
    path = Path(name).expanduser()
    if path.is_dir():
        return _checked(ModelFiles(str(path.absolute()), path.resolve()))
    if not HUB_ID.fullmatch(name):
        raise ModelError(f"no folder {name}: give a model's folder, its hub id, or lab")
    folder, revision = from_hub(name)
    return _checked(ModelFiles(name.partition("@")[0], folder, revision))


def find_local(name: str) -> ModelFiles:
    """Return a model's files without building or fetching anything.

    :param name: As for :func:`find_model`.
    :raises ModelError: When the model is not on this machine; it says how to get it.
    """
    if name in (LAB, BARE_LAB):
        folder = cache.cache_folder() / "models" / entry_name(bare=name == BARE_LAB)
        if not folder.is_dir():
            raise ModelError(f"the lab model is not built yet: run `expert model build {name}`")
        return ModelFiles(name, folder)
    if Path(name).expanduser().is_dir() or not HUB_ID.fullmatch(name):
        return find_model(name)
    repository, _, revision = name.partition("@")
    found = fetched(repository, revision or pinned(repository))
    if found is None:
        raise ModelError(f"{name} is not on this machine: run `expert model use {name}`")
    return _checked(ModelFiles(repository, found, found.name))


def _checked(model: ModelFiles) -> ModelFiles:
    check_weights(model.folder, read_architecture(model.folder))
    return model


def facts_of(model: ModelFiles) -> ModelFacts:
    """Return what is known of a model.

    :raises ModelError: When it is not a Phi-3 model.
    """
    architecture = read_architecture(model.folder)
    return ModelFacts(
        name=model.name,
        folder=model.folder,
        parameters=architecture.parameters,
        bytes=check_weights(model.folder, architecture),
        context_length=architecture.context_length,
        dtype=architecture.dtype,
        revision=model.revision,
        licence=_licence(model.folder),
    )


def local_models() -> list[ModelFiles]:
    """Return the models that are on this machine: the lab model, and those of the hub."""
    found = []
    names = [LAB]
    for pin in sorted(pins_folder().glob("*.json")):
        with contextlib.suppress(ModelError):
            names.append(str(read_json(pin).get("name")))
    for name in names:
        # What was removed since, or was never built.
        with contextlib.suppress(ModelError):
            found.append(find_local(name))
    return found


def _licence(folder: Path) -> str | None:
    try:
        head = (folder / "README.md").read_text(encoding="utf-8")[:4096]
    except (OSError, UnicodeDecodeError):
        return None
    found = _LICENCE.search(head.split("\n---", 1)[0]) if head.startswith("---") else None
    return found.group(1) if found else None
