"""Fetch a model from the Hugging Face hub: looked at first, pinned to one revision."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from adapters import cache
from adapters.architecture import Architecture, architecture_of, read_json
from adapters.errors import AdaptersError, CacheError, ModelError, NotEnoughRoomError
from adapters.memory import check_memory, free_memory, gigabytes, needed_bytes
from adapters.weight_files import weight_files

HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(?:@[\w./-]+)?")
# Weights in safetensors, configuration, tokenizer and card: no code, nothing pickled.
_FILES = ("*.safetensors", "*.json", "*.jinja", "README.md", "LICENSE*")
_MARGIN = 1.05
_NOT_FOR_YOU = (401, 403, 404)


def from_hub(name: str) -> tuple[Path, str]:
    """Return the folder of a model of the hub, and its revision; fetched on first use.

    :param name: ``owner/name``, or ``owner/name@revision``.
    :raises ModelError: When there is none such, it is no Phi-3 model, or there is no network.
    :raises NotEnoughRoomError: When it fits neither the disk nor the memory.
    """
    repository, _, revision = name.partition("@")
    pin = pin_of(repository)
    # The model must not change under its adapters because its owner moved a branch.
    revision = revision or pinned(repository)
    folder = fetched(repository, revision)
    if folder is None:
        folder = _fetch(repository, revision)
    told = json.dumps({"name": repository, "revision": folder.name}).encode()
    try:
        if not pin.is_file() or pin.read_bytes() != told:
            cache.write_whole(pin, told)
    except OSError as error:
        raise CacheError(
            f"cannot write {pin} ({error.strerror}): set EXPERT_CACHE to a folder that can be"
        ) from error
    return folder, folder.name


def pin_of(repository: str) -> Path:
    """Return the file that says which revision of a model is used."""
    return pins_folder() / f"{repository.replace('/', '--')}.json"


def pinned(repository: str) -> str:
    """Return the revision of a model that is used; nothing where none is, or none is readable."""
    try:
        return str(read_json(pin_of(repository)).get("revision", ""))
    except ModelError:
        return ""


def pins_folder() -> Path:
    """Return the folder of all such files."""
    return cache.cache_folder() / "language-models"


def fetched(repository: str, revision: str) -> Path | None:
    """Return the folder of a revision that is on this machine, whole; None when it is not."""
    if not revision:
        return None
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(
                repository, revision=revision, allow_patterns=list(_FILES), local_files_only=True
            )
        )
        weight_files(folder)
    except (ModelError, OSError, ValueError):
        return None
    return folder if (folder / "tokenizer.json").is_file() else None


def _fetch(repository: str, revision: str) -> Path:
    from huggingface_hub import (
        HfApi,
        constants,
        hf_hub_download,
        snapshot_download,
        try_to_load_from_cache,
    )
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        found = HfApi().model_info(repository, revision=revision or None, files_metadata=True)
        files = {file.rfilename: file.size or 0 for file in found.siblings or ()}
        if not any(name.endswith(".safetensors") for name in files):
            raise ModelError(f"{repository} has no safetensors weights: choose another model")
        at: dict[str, Any] = {"revision": found.sha}
        config = Path(hf_hub_download(repository, "config.json", **at))
        architecture = architecture_of(read_json(config), repository)
        needed = sum(
            size
            for name, size in files.items()
            # What a download that was cut off has fetched is not fetched again.
            if _is_wanted(name)
            and not isinstance(try_to_load_from_cache(repository, name, **at), str)
        )
        _check_disk(repository, int(needed * _MARGIN), Path(constants.HF_HUB_CACHE))
        _check_memory(repository, architecture)
        folder = snapshot_download(
            repository, allow_patterns=list(_FILES), ignore_patterns=["*/*"], **at
        )
        return Path(folder)
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        if status in _NOT_FOR_YOU:
            said = f"the hub has no model {repository} for you ({status})"
        else:
            said = f"the hub does not give {repository} now ({status}): try again later"
        raise ModelError(said) from error
    except AdaptersError:
        raise
    except Exception as error:  # the hub's client lets its HTTP library's own errors through
        raise ModelError(
            f"cannot fetch {repository} from the hub: without network give a model's folder, or lab"
        ) from error


def _is_wanted(name: str) -> bool:
    return "/" not in name and any(Path(name).match(pattern) for pattern in _FILES)


def _check_memory(name: str, architecture: Architecture) -> None:
    """Check that the processor or a GPU would hold a model in what takes least."""
    needed = min(needed_bytes(architecture, "int8"), needed_bytes(architecture, "nf4"))
    try:
        check_memory(name, needed, free_memory())
    except NotEnoughRoomError:
        # Only here: loading it takes seconds.
        import torch

        if not torch.cuda.is_available():
            raise
        needed = needed_bytes(architecture, "nf4", "cuda")
        check_memory(name, needed, free_memory("cuda"), "GPU memory")


def _check_disk(name: str, needed: int, folder: Path) -> None:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise NotEnoughRoomError(
            f"{name} needs {gigabytes(needed)} of disk and {gigabytes(free)} are free in "
            f"{existing}: free some, or set HF_HOME to a folder on another disk"
        )
