"""How much of what an adapter was trained on has changed since: documents against the index."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from adapters.card import AdapterCard, SourceDocument
from adapters.sqlite_reading import open_to_read
from agent.errors import WorkspaceError
from agent.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Freshness:
    """What became of the documents that an adapter's training data came from.

    :param stale: Share of them that is changed or missing, from 0 to 1.
    :param changed: Names of those whose content is another now.
    :param missing: Names of those that the index has no more.
    """

    stale: float
    changed: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def documents(self) -> tuple[str, ...]:
        """Names of both."""
        return (*self.changed, *self.missing)


class IndexedDocuments:
    """The documents of an index by name, and the hashes of their content.

    :param documents: Name and hash of each; a name may stand in more than one folder.
    """

    def __init__(self, documents: Iterable[tuple[str, str]]) -> None:
        self._hashes: dict[str, set[str]] = {}
        for document, sha256 in documents:
            self._hashes.setdefault(document, set()).add(sha256)
        self._contents = set[str]().union(*self._hashes.values())

    @classmethod
    def of(cls, workspace: Workspace) -> "IndexedDocuments | None":
        """Return the documents of a workspace's index; None when it has none.

        :raises WorkspaceError: When the catalogue cannot be read.
        """
        path = workspace.index_folder / "catalog.sqlite"
        if not path.is_file():
            return None
        # Read without the catalogue's own class: to import it is to import all of Haystack,
        # which takes longer than listing a thousand adapters.
        try:
            with closing(open_to_read(path)) as db:
                return cls(
                    db.execute("SELECT document, sha256 FROM documents WHERE status != 'skipped'")
                )
        except sqlite3.Error as error:
            raise WorkspaceError(f"cannot read the catalogue {path}: {error}") from error

    def sources(self, names: Iterable[str]) -> tuple[tuple[SourceDocument, ...], tuple[str, ...]]:
        """Return what a card notes of documents, and the names that the index does not know."""
        found, unknown = [], []
        for name in sorted(set(names)):
            hashes = sorted(self._hashes.get(name, ()))
            found += [SourceDocument(document=name, sha256=sha256) for sha256 in hashes]
            if not hashes:
                unknown.append(name)
        return tuple(found), tuple(unknown)

    def freshness(self, card: AdapterCard) -> Freshness | None:
        """Return what became of an adapter's sources; None when its card names none."""
        if not card.sources:
            return None
        changed: set[str] = set()
        missing: set[str] = set()
        stale = 0
        sources = {(source.document, source.sha256) for source in card.sources}
        for document, sha256 in sources:
            now = self._hashes.get(document)
            # The same content under another name was moved, or indexed from another folder.
            if sha256 in (self._contents if now is None else now):
                continue
            stale += 1
            (missing if now is None else changed).add(document)
        return Freshness(stale / len(sources), tuple(sorted(changed)), tuple(sorted(missing)))


def freshness_of(
    workspace: Workspace, cards: Mapping[str, AdapterCard]
) -> dict[str, Freshness | None]:
    """Return how fresh each of some adapters is; None where that cannot be said.

    :param cards: Cards by any name.
    :raises WorkspaceError: When the catalogue cannot be read.
    """
    known = None
    if any(card.sources for card in cards.values()):
        known = IndexedDocuments.of(workspace)
    return {name: known.freshness(card) if known else None for name, card in cards.items()}
