"""What is different between two versions of an adapter, by their cards."""

from dataclasses import dataclass
from typing import Any

from adapters.card import AdapterCard

# Told of as changes of their own, or different in any two versions.
_APART = {"name", "version", "created", "files", "sources", "questions"}


@dataclass(frozen=True, slots=True)
class Differences:
    """What two cards say otherwise.

    :param fields: By field, what the first says and the second; None where one says nothing.
    :param added: Documents that only the second was trained on.
    :param removed: Documents that only the first was trained on.
    :param changed: Documents whose content was another.
    """

    fields: dict[str, tuple[Any, Any]]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def differences(first: AdapterCard, second: AdapterCard) -> Differences:
    """Return what is different between two cards."""
    one, other = _flat(first), _flat(second)
    fields = {
        key: (one.get(key), other.get(key))
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key)
    }
    before, after = _documents(first), _documents(second)
    return Differences(
        fields,
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(k for k in before.keys() & after.keys() if before[k] != after[k])),
    )


def _flat(card: AdapterCard) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in card.model_dump(mode="json", exclude=_APART).items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": content for inner, content in value.items()}
        else:
            flat[key] = value
    return flat


def _documents(card: AdapterCard) -> dict[str, set[str]]:
    documents: dict[str, set[str]] = {}
    for source in card.sources:
        documents.setdefault(source.document, set()).add(source.sha256)
    return documents
