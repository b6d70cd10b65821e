"""Find adapters for a base model, and refuse those that were trained on another."""

from collections.abc import Sequence
from pathlib import Path

from adapters.card import base_of
from adapters.errors import AdapterError, ModelError
from adapters.models import ModelFiles, find_local
from adapters.registry import RegisteredAdapter, Registry

Adapters = list[RegisteredAdapter]


def by_model(adapters: Sequence[RegisteredAdapter], model: str) -> tuple[Adapters, Adapters]:
    """Return those of some adapters that were trained on a model, and the others.

    :param model: As the settings name it; where it is not on this machine nobody knows, and all
        are taken for its own.
    """
    try:
        fingerprint = base_of(find_local(model)).fingerprint if adapters else ""
    except ModelError:
        return list(adapters), []
    own = [adapter for adapter in adapters if adapter.card.base.fingerprint == fingerprint]
    others = [adapter for adapter in adapters if adapter.card.base.fingerprint != fingerprint]
    return own, others


class FittingAdapters:
    """Maps references to adapters that a base model can be used with.

    Weights of the right shapes compute something on any base; on another one than they were
    trained on it is nonsense, which nobody would see.

    :param registry: Has the adapters.
    :param base: The model.
    """

    def __init__(self, registry: Registry, base: ModelFiles) -> None:
        self._registry, self._base = registry, base
        self._fingerprint: str | None = None
        self._checked: set[Path] = set()

    def __call__(self, reference: str) -> tuple[str, Path]:
        """Return an adapter's name with its version, and its folder.

        :param reference: ``hr``, or ``hr@3`` for a certain version.
        :raises AdapterError: When there is none such, or it was trained on another model.
        """
        name, folder = self._registry.find(reference)
        if folder not in self._checked:
            if self._fingerprint is None:
                self._fingerprint = base_of(self._base).fingerprint
            trained_on = self._registry.get(name).card.base
            if trained_on.fingerprint != self._fingerprint:
                raise AdapterError(
                    f"adapter {name} was trained on {trained_on.name}, which is not the model in "
                    f"use, {self._base.name}: use that model, or train the adapter anew"
                )
            self._checked.add(folder)
        return name, folder
