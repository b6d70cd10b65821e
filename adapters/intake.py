"""Take adapters that were made elsewhere into the registry."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.architecture import read_architecture
from adapters.archives import bare_name, take_in
from adapters.card import CARD_FILE, AdapterCard, BaseModelRef, base_of
from adapters.durable import facts_of
from adapters.errors import AdapterError
from adapters.lora_files import CONFIG, WEIGHTS, LoraConfig, check_adapter
from adapters.registry import RegisteredAdapter, Registry, parse
from adapters.weight_files import header_of

if TYPE_CHECKING:
    from adapters.models import ModelFiles


def import_adapter(
    registry: Registry,
    path: Path,
    base: "ModelFiles",
    *,
    name: str | None = None,
    unchecked: bool = False,
) -> RegisteredAdapter:
    """Publish an adapter from a folder or an archive, after checking all of it.

    :param path: A folder in PEFT's format, or a .zip or .tar.gz of one.
    :param base: The model that it is to be used with.
    :param name: What to call it; None for what its card or its path says.
    :param unchecked: Believe that it was trained on ``base`` where it has no card to tell.
    :raises AdapterError: When anything of it is refused; it says what.
    """
    path = path.expanduser().absolute()
    if path.name == "..":
        path = path.resolve()
    with registry.scratch() as scratch:
        # Messages call it by the name that the user knows.
        folder = scratch / (bare_name(path) or "adapter")
        folder.mkdir()
        take_in(path, folder)
        try:
            card = _checked_card(folder, base, name, unchecked=unchecked)
            return registry.publish(folder, card)
        except AdapterError as error:
            raise AdapterError(str(error).replace(f"{scratch}/", "")) from error
        except (RecursionError, OverflowError) as error:
            raise AdapterError(f"{folder.name} is damaged: {error}") from error


def _checked_card(
    folder: Path, base: "ModelFiles", name: str | None, *, unchecked: bool
) -> AdapterCard:
    config = check_adapter(folder, read_architecture(base.folder))
    _check_whole(folder)
    model = base_of(base)
    if (folder / CARD_FILE).is_file():
        card = _own_card(folder, model, config)
        return card.model_copy(update={"name": _name(name)}) if name is not None else card
    _check_name_of_base(folder, base, unchecked=unchecked)
    return _new_card(folder, _name(name or folder.name), model, config)


def _name(given: str) -> str:
    try:
        name, version = parse(given)
    except AdapterError as error:
        raise AdapterError(f"{error}; choose one with --name") from None
    if version is not None:
        raise AdapterError(f"{given!r} names a version, and the next one is taken: give {name}")
    return name


def _check_whole(folder: Path) -> None:
    """Check that no part of the weights is missing, nor hidden behind them."""
    path = folder / WEIGHTS
    header = header_of(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    widths = {"F32": 4, "F16": 2, "BF16": 2}
    at = 0
    tensors = [entry for key, entry in header.items() if key != "__metadata__"]
    try:
        for entry in sorted(tensors, key=lambda entry: entry["data_offsets"]):
            rows, columns = entry["shape"]
            start, end = entry["data_offsets"]
            if start != at or end - start != rows * columns * widths[entry["dtype"]]:
                raise ValueError
            at = end
        whole = path.stat().st_size == 8 + length + at
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise AdapterError(f"{folder.name}: {WEIGHTS} is damaged: its tensors do not fill it")


def _own_card(folder: Path, model: BaseModelRef, config: LoraConfig) -> AdapterCard:
    card = AdapterCard.read(folder)
    if card.base.fingerprint != model.fingerprint:
        other = card.base.name if card.base.name != model.name else "other weights of that name"
        raise AdapterError(
            f"{folder.name} was trained on {other}, not on the {model.name} in use: "
            "choose its model with `expert model use`"
        )
    for name in (WEIGHTS, CONFIG):
        if card.files and card.files.get(name) != facts_of(folder / name):
            raise AdapterError(f"{folder.name}: {name} is not the file that its card describes")
    if card.rank != config.rank:
        raise AdapterError(
            f"{folder.name} has rank {config.rank}, and its card says {card.rank}: get it anew"
        )
    return card


def _check_name_of_base(folder: Path, base: "ModelFiles", *, unchecked: bool) -> None:
    trained_on = _said(folder).get("base_model_name_or_path")
    if not unchecked and trained_on not in (base.name, str(base.folder)):
        what = f"says that it was trained on {trained_on}" if trained_on else "names no model"
        raise AdapterError(
            f"{folder.name} {what}, and has no card to tell whether that is {base.name}, which is "
            "in use: if it is, give --base-unchecked"
        )


def _new_card(folder: Path, name: str, model: BaseModelRef, config: LoraConfig) -> AdapterCard:
    """Return a card for an adapter of plain PEFT, which has none."""
    said = _said(folder)
    return AdapterCard(
        name=name,
        base=model,
        origin="imported",
        rank=config.rank,
        alpha=said["lora_alpha"],
        target_modules=tuple(said["target_modules"]),
        hyperparameters={"use_rslora": True} if said.get("use_rslora") else {},
    )


def _said(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return said
