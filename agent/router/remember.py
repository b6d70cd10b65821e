"""Look at a workspace, and remember what the router compares questions with."""

import os
import random
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adapters.cache import entry
from adapters.sqlite_reading import open_to_read
from agent.errors import RouterError, WorkspaceError
from agent.router.features import content_words
from agent.router.memory import FILE, Known, Memory
from agent.router.speller import FILE as WORDS
from agent.router.speller import Speller
from agent.workspace import Workspace
from pipelines.embed.embedder import Embedder, Floats
from pipelines.errors import PipelineError

if TYPE_CHECKING:
    from haystack import Document

    from adapters.registry import RegisteredAdapter
    from pipelines.catalog import CatalogEntry

FOREIGN = Path(__file__).parent / "weights" / "foreign.txt"
MOST_PASSAGES = 2048
"""Passages that are looked at; of more a sample."""
_MOST_QUESTIONS = 1000
# Characters of documents whose words are looked at.
_MOST_READ = 50_000_000
# A shipped question this near to what an adapter was trained on, or to a passage, is not
# foreign here.
_AT_HOME, _AT_HOME_PASSAGE = 0.6, 0.45


def is_anything(workspace: Workspace) -> bool:
    """Return whether a workspace has documents or an adapter."""
    return bool(index_stamp(workspace) or _adapters(workspace))


def is_current(memory: Memory, workspace: Workspace, fingerprint: str) -> bool:
    """Return whether a workspace still is what is remembered of it."""
    return (
        memory.fingerprint == fingerprint
        and memory.index == index_stamp(workspace)
        and memory.references == references(workspace)
    )


def remember(workspace: Workspace, embedder: Embedder, known: Memory | None = None) -> Memory:
    """Return what there is to remember of a workspace now.

    :param embedder: The one that questions are embedded with.
    :param known: What was remembered before: adapters in it that are the same are not looked
        at again, nor is an index that has not changed.
    """
    if known is not None and known.fingerprint != embedder.fingerprint:
        known = None
    adapters = {a.name: _known(a, embedder, known) for a in _adapters(workspace)}
    stamp = index_stamp(workspace)
    if known is not None and known.index == stamp:
        passages, titles, words = known.passages, known.titles, known.words
    else:
        passages = _passages(workspace, embedder)
        titles, words = _words(workspace)
    asked = {
        word
        for one in adapters.values()
        for question in one.questions
        for word in content_words(question)
    }
    return Memory(
        adapters,
        passages,
        _foreign(embedder, [one.vectors for one in adapters.values()], passages),
        titles,
        words | asked,
        embedder.fingerprint,
        stamp,
    )


def memory_folder(workspace: Workspace) -> Path:
    """Return where what is remembered of a workspace is kept."""
    return workspace.path / "router" / "memory"


def memory_of(workspace: Workspace, embedder: Embedder) -> Memory:
    """Return what is remembered of a workspace, looked at anew where it has changed.

    :raises RouterError: When there is nothing to route to.
    """
    if not is_anything(workspace):
        raise RouterError(
            f"workspace {workspace.path} has nothing to route to: "
            "run `expert index` or `expert train` first"
        )
    folder = memory_folder(workspace)
    known = None
    # All in it comes from the workspace, so what is damaged is looked up again.
    with suppress(RouterError):
        known = Memory.load(folder) if (folder / FILE).is_file() else None
    if known is None or not is_current(known, workspace, embedder.fingerprint):
        known = remember(workspace, embedder, known)
        # It is only kept for the next time, and who may only read the workspace cannot keep it.
        with suppress(OSError, WorkspaceError):
            workspace.create()
            (folder / WORDS).unlink(missing_ok=True)
            known.save(folder)
    if not (folder / WORDS).is_file() and os.access(folder, os.W_OK):
        # Nor is anything lost where the store cannot be reached now.
        with suppress(OSError, PipelineError):
            Speller.of(said_here(workspace, known)).save(folder / WORDS)
    return known


def speller_of(workspace: Workspace) -> Speller:
    """Return what mends words by what is said in a workspace; nothing where that is damaged."""
    with suppress(RouterError):
        return Speller.load(memory_folder(workspace) / WORDS)
    return Speller({})


def said_here(workspace: Workspace, memory: Memory) -> list[str]:
    """Return texts in whose words questions are asked: others' questions, and passages."""
    asked = [question for known in memory.adapters.values() for question in known.questions]
    foreign = FOREIGN.read_text(encoding="utf-8").splitlines()
    return [*asked, *foreign, *(passage.content or "" for passage in passages_of(workspace))]


def index_stamp(workspace: Workspace) -> str:
    """Return what changes when the index does; empty where nothing is indexed.

    :raises WorkspaceError: When the catalogue cannot be read.
    """
    own = workspace.settings.retrieval.pipeline
    if own is not None:
        return f"pipeline {own}"
    path = workspace.index_folder / "catalog.sqlite"
    if not path.is_file():
        return ""
    # Without the catalogue's own class, whose import takes longer than a decision.
    try:
        with closing(open_to_read(path)) as db:
            count, last = db.execute(
                "SELECT count(*), max(indexed_at) FROM documents WHERE status = 'done'"
            ).fetchone()
    except sqlite3.Error as error:
        raise WorkspaceError(f"cannot read the catalogue {path}: {error}") from None
    return f"{count} documents, {last or 0:.3f}" if count else ""


def references(workspace: Workspace) -> dict[str, str]:
    """Return name and version of each adapter in use, by name."""
    return {adapter.name: adapter.reference for adapter in _adapters(workspace)}


def _adapters(workspace: Workspace) -> "list[RegisteredAdapter]":
    """Return the adapters that the model in use can be used with."""
    from adapters.fitting import by_model
    from adapters.registry import Registry

    found = Registry(workspace.adapters_folder).all()[0]
    return by_model(found, workspace.settings.model.name)[0]


def _known(adapter: "RegisteredAdapter", embedder: Embedder, before: Memory | None) -> Known:
    old = before.adapters.get(adapter.name) if before is not None else None
    if old is not None and old.reference == adapter.reference:
        return old
    card = adapter.card
    told = [*card.questions[:_MOST_QUESTIONS]] or [card.description or card.domain or card.name]
    return Known(adapter.reference, tuple(told), _vectors(embedder, told))


def _foreign(embedder: Embedder, at_home: Sequence[Floats], passages: Floats) -> Floats:
    """Return the vectors of shipped questions, without those that belong here."""

    def make(folder: Path) -> None:
        lines = FOREIGN.read_text(encoding="utf-8").splitlines()
        np.save(folder / "vectors.npy", _vectors(embedder, lines))

    name = re.sub(r"[^\w.-]+", "-", embedder.fingerprint)
    vectors: Floats = np.load(entry("router", f"foreign-{name}", make) / "vectors.npy")
    foreign = np.ones(len(vectors), dtype=bool)
    near = [*((known, _AT_HOME) for known in at_home), (passages, _AT_HOME_PASSAGE)]
    for known, limit in near:
        if len(known):
            foreign &= (vectors @ known.T).max(axis=1) < limit
    return vectors[foreign]


def passages_of(workspace: Workspace) -> list["Document"]:
    """Return a sample of the index's passages."""
    from agent.assemble import open_store

    ids = [id_ for document in _documents(workspace) for id_ in document.passages]
    if len(ids) > MOST_PASSAGES:
        ids = random.Random(0).sample(ids, MOST_PASSAGES)  # noqa: S311
    if not ids:
        return []
    store = open_store(workspace, read_only=True)
    try:
        return store.filter_documents({"field": "id", "operator": "in", "value": ids})
    finally:
        store.close()


def _documents(workspace: Workspace) -> "list[CatalogEntry]":
    path = workspace.index_folder / "catalog.sqlite"
    if not path.is_file():
        return []
    from pipelines.catalog import Catalog

    with Catalog(path, read_only=True) as catalog:
        return [entry for entry in catalog.entries() if entry.status == "done"]


def _words(workspace: Workspace) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of documents' titles, and those of their texts."""
    documents = _documents(workspace)
    titles = {
        word
        for document in documents
        for word in content_words(f"{document.title or ''} {Path(document.document).stem}")
    }
    if not documents:
        return frozenset(), frozenset()
    from pipelines.catalog import Catalog

    words = set(titles)
    read = 0
    with Catalog(workspace.index_folder / "catalog.sqlite", read_only=True) as catalog:
        for document in documents:
            text = catalog.text(document.root, document.document) or ""
            read += len(text)
            words |= content_words(text)
            if read > _MOST_READ:
                break
    return frozenset(titles), frozenset(words)


def _passages(workspace: Workspace, embedder: Embedder) -> Floats:
    """Return vectors of a sample of passages."""
    documents = passages_of(workspace)
    if not documents:
        return np.zeros((0, embedder.dimensions), dtype=np.float32)
    stored = [document.embedding for document in documents if document.embedding is not None]
    if len(stored) == len(documents):
        return np.array(stored, dtype=np.float32)
    texts = [document.content or "" for document in documents]
    return embedder.embed_passages(texts).vectors


def _vectors(embedder: Embedder, texts: Sequence[str]) -> Floats:
    found = embedder.embed_queries(list(texts))
    return np.stack([encoding.vector for encoding in found]).astype(np.float32)
