"""Give adapters away: as a folder that plain PEFT loads, or as an archive."""

import shutil
import tempfile
from pathlib import Path

from adapters.archives import KEPT, is_archive, pack
from adapters.card import CARD_FILE
from adapters.durable import facts_of
from adapters.errors import AdapterError
from adapters.lora_files import WEIGHTS
from adapters.registry import RegisteredAdapter, Registry


def export_adapter(
    registry: Registry, reference: str, path: Path, *, half: bool = False
) -> RegisteredAdapter:
    """Write an adapter to a folder or an archive.

    :param reference: ``name`` for the version in use, or ``name@3``.
    :param path: Ends in .zip, .tar.gz or .tgz for an archive; nothing may be there yet.
    :param half: Write its weights in half precision.
    :raises AdapterError: When something is there, there is no such adapter, it cannot be
        written, or it holds a number too large for half precision.
    """
    found = registry.get(reference)
    if path.exists() or path.is_symlink():
        raise AdapterError(f"{path} is there already: give a path where nothing is")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".exporting-", dir=path.parent) as scratch:
            folder = Path(scratch) / "folder"
            folder.mkdir()
            for name in KEPT:
                if half and name == WEIGHTS:
                    halve(found.folder / name, folder / name)
                elif (found.folder / name).is_file():
                    shutil.copyfile(found.folder / name, folder / name)
            if half:
                files = {**found.card.files, WEIGHTS: facts_of(folder / WEIGHTS)}
                content = found.card.model_copy(update={"files": files}).to_json()
                (folder / CARD_FILE).write_text(content, encoding="utf-8")
            made = folder
            if is_archive(path):
                made = Path(scratch) / path.name
                pack(folder, made)
            made.rename(path)
    except OSError as error:
        raise AdapterError(f"cannot write {path}: {error.strerror or error}") from error
    return found


def halve(source: Path, target: Path) -> None:
    """Write an adapter's weights in half precision (IEEE 754 binary16).

    :param source: Its weights.
    :param target: The file to write.
    :raises AdapterError: When they hold a number that half precision cannot.
    """
    import torch
    from safetensors.torch import load_file, save

    tensors = {name: tensor.half() for name, tensor in load_file(source).items()}
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise AdapterError(f"{source} holds a number that half precision cannot")
    target.write_bytes(save(tensors, {"format": "pt"}))
