"""Incremental indexing: convert, split, embed and store what changed, and only that."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from haystack import Document

from pipelines.catalog import Catalog, CatalogEntry
from pipelines.convert import format_of
from pipelines.convert.extracted import Extracted
from pipelines.convert.worker import ConversionPool
from pipelines.embed.components import embed_passages
from pipelines.errors import ConversionError, EmbedderMismatchError, PassingConversionError
from pipelines.index_report import IndexReport, Progress, Skipped
from pipelines.scan import FoundFile
from pipelines.split import split
from pipelines.survey import survey

if TYPE_CHECKING:
    from pipelines.embed import Embedder
    from pipelines.stores import PassageStore

# Raised when the same file gives other text or passages, or its sentences end elsewhere.
_RECIPE_VERSION = 6
# Passages embedded and written together: enough to sort by length, little enough that
# a stop loses seconds and memory stays flat.
_BATCH = 1024


class _Silent:
    def start(self, documents: int, weight: int) -> None:
        pass

    def advance(self, weight: int, document: str) -> None:
        pass

    def wrote(self, documents: int, passages: int) -> None:
        pass


@dataclass(slots=True)
class _Pending:
    """A document converted and split, waiting to be embedded and written."""

    entry: CatalogEntry
    text: str
    passages: list[Document]


class Indexer:
    """Keeps a store in step with folders, files and database tables.

    :param catalog: The catalogue beside the store.
    :param store: Where passages go.
    :param embedder: Makes their vectors; its fingerprint is recorded in the store.
    :param max_tokens: Longest passage in the embedder's tokens.
    :param max_file_bytes: Larger files are skipped.
    :param exclude: Names of files and folders to leave out, or absolute paths of them.
    :param timeout_s: Seconds that converting one file may take.
    :param memory_mb: Memory that converting one file may take.
    :param progress: Told how far it is.
    :raises EmbedderMismatchError: When the store holds vectors of another embedder.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: "PassageStore",
        embedder: "Embedder",
        *,
        max_tokens: int = 192,
        max_file_bytes: int = 100_000_000,
        exclude: Sequence[str] = (),
        timeout_s: float = 300,
        memory_mb: int = 2048,
        progress: Progress | None = None,
    ) -> None:
        check_embedder(store, embedder.fingerprint)
        store.set_metadata({"embedder": embedder.fingerprint})
        self._catalog = catalog
        self._store = store
        self._embedder = embedder
        self._max_tokens = min(max_tokens, embedder.max_tokens)
        self._max_file_bytes = max_file_bytes
        self._exclude = exclude
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._progress = progress or _Silent()
        # Files skipped for what may pass, which are tried once a run.
        self._tried: set[FoundFile] = set()
        self._recipe = f"{_RECIPE_VERSION}:{self._max_tokens}:{embedder.fingerprint}"

    def index_paths(self, paths: Sequence[Path]) -> IndexReport:
        """Bring the index in step with folders and files.

        A folder is the root of what is under it; a file's root is its folder. What is
        indexed under an outer folder already stays under that one, so that no file is
        indexed twice. Documents that are gone leave the index; what is gone may be named
        to remove it.

        :param paths: Folders and files.
        :raises ConversionError: When a path neither exists nor is in the index, or cannot
            be reached.
        """
        report, started = IndexReport(), time.perf_counter()
        found, gone = survey(
            self._catalog, paths, exclude=self._exclude, max_bytes=self._max_file_bytes
        )
        self._remove(gone, report)
        changed: list[tuple[FoundFile, CatalogEntry | None]] = []
        unreadable: list[FoundFile] = []
        for file in found:
            known = self._catalog.get(str(file.root), file.document)
            if file.reason is not None:
                unreadable.append(file)
            elif not self._is_unchanged(file, known, report):
                changed.append((file, known))
        for file in unreadable:
            self._skip(self._skipped(file, file.reason or ""), report)
        self._progress.start(len(changed), sum(_weight(file) for file, _ in changed))
        if changed:
            self._write_all(self._converted(changed, report), report)
        report.skipped.sort(key=lambda skipped: skipped.path)
        report.seconds = time.perf_counter() - started
        return report

    def index_tables(
        self, url: str, *, tables: Sequence[str] = (), queries: Sequence[str] = ()
    ) -> IndexReport:
        """Bring the index in step with tables of a database.

        Tables indexed before from the same database stay unless they are gone from it.

        :param url: SQLAlchemy address; a relative one of SQLite is made absolute.
        :param tables: Tables to index; none and no query means all.
        :param queries: SELECT statements to index.
        :raises ConversionError: When the database, a table or a query cannot be read.
        """
        from pipelines.convert.database import mask_url, missing, read_tables
        from pipelines.convert.database_address import absolute

        report, started = IndexReport(), time.perf_counter()
        # Earlier versions kept the address as it was given.
        before, url = mask_url(url), absolute(url)
        root = mask_url(url)
        seen: set[str] = set()

        def changed() -> Iterator[_Pending]:
            for name, extracted in read_tables(url, tables=tables, queries=queries):
                seen.add(name)
                if isinstance(extracted, ConversionError):
                    # Locked or forbidden for now, perhaps: what was indexed of it stays.
                    report.skipped.append(Skipped(name, str(extracted)))
                    continue
                digest = hashlib.sha256(extracted.text.encode()).hexdigest()
                known = self._catalog.get(root, name)
                if self._is_done(known, digest):
                    report.unchanged += 1
                    continue
                self._progress.start(1, len(extracted.text))
                self._progress.advance(len(extracted.text), name)
                if not extracted.text:
                    reason = "holds no rows"
                    entry = CatalogEntry(root, name, "skipped", 0, 0, "", self._recipe, reason)
                    self._skip(entry, report)
                    continue
                entry = CatalogEntry(root, name, "open", 0, 0, digest, self._recipe)
                yield self._split(entry, extracted, "table", known, report)

        self._write_all(changed(), report)
        known = [e for one in dict.fromkeys((before, root)) for e in self._catalog.entries(one)]
        now = {e.document for e in known if e.root == root}
        gone = [e for e in known if e.root != root and e.document in now]
        if not tables and not queries:
            unseen = {e.document: e for e in known if e.document not in seen}
            gone += [unseen[name] for name in missing(url, list(unseen))]
        self._remove(gone, report)
        report.seconds = time.perf_counter() - started
        return report

    def _is_done(self, known: CatalogEntry | None, digest: str) -> bool:
        return (
            known is not None
            and known.status == "done"
            and known.recipe == self._recipe
            and known.sha256 == digest
        )

    def _is_unchanged(
        self, file: FoundFile, known: CatalogEntry | None, report: IndexReport
    ) -> bool:
        """Say whether a file can be passed over, and count it if so."""
        if known is None or known.status == "open" or known.recipe != self._recipe:
            return False
        if known.status == "skipped" and not known.sha256 and file not in self._tried:
            # It may be readable by now.
            return False
        if (known.size, known.mtime_ns) != (file.size, file.mtime_ns):
            # A copy or a checkout changes the time but not the content.
            digest = _sha256(file.path)
            if not digest or known.sha256 != digest:
                return False
            text = self._catalog.text(known.root, known.document)
            touched = replace(known, size=file.size, mtime_ns=file.mtime_ns)
            self._catalog.put([(touched, text)])
        if known.status == "skipped":
            report.skipped.append(Skipped(file.document, known.reason or ""))
        else:
            report.unchanged += 1
        return True

    def _converted(
        self, changed: list[tuple[FoundFile, CatalogEntry | None]], report: IndexReport
    ) -> Iterator[_Pending]:
        # Before it is read: what changes in between is then seen to have changed.
        hashed = ((file, known, _sha256(file.path)) for file, known in changed)
        with ConversionPool(timeout_s=self._timeout_s, memory_mb=self._memory_mb) as pool:
            for (file, known, digest), result in pool.convert(hashed, lambda item: item[0].path):
                self._progress.advance(_weight(file), file.document)
                if not digest and isinstance(result, Extracted):
                    result = PassingConversionError("could not be read at first")
                if isinstance(result, ConversionError):
                    if isinstance(result, PassingConversionError):
                        self._tried.add(file)
                        digest = ""
                    self._skip(self._skipped(file, str(result), digest), report)
                    continue
                root = str(file.root)
                entry = CatalogEntry(
                    root, file.document, "open", file.size, file.mtime_ns, digest, self._recipe
                )
                yield self._split(entry, result, format_of(file.path), known, report)

    def _split(
        self,
        entry: CatalogEntry,
        extracted: Extracted,
        format_name: str,
        known: CatalogEntry | None,
        report: IndexReport,
    ) -> _Pending:
        passages = split(
            extracted,
            root=entry.root,
            document=entry.document,
            format=format_name,
            max_tokens=self._max_tokens,
            count_tokens=self._embedder.count_tokens,
        )
        report.notices += [(entry.document, notice) for notice in extracted.notices]
        # Until the row is closed it names the old passages and the new ones.
        ids = dict.fromkeys([*(known.passages if known else ()), *(p.id for p in passages)])
        entry = replace(
            entry, title=extracted.title, notices=extracted.notices, passages=tuple(ids)
        )
        return _Pending(entry, extracted.text, passages)

    def _write_all(self, documents: Iterable[_Pending], report: IndexReport) -> None:
        batch: list[_Pending] = []
        size = 0
        for pending in documents:
            batch.append(pending)
            size += len(pending.passages)
            if size >= _BATCH:
                self._write(batch, report)
                batch, size = [], 0
        self._write(batch, report)

    def _write(self, batch: list[_Pending], report: IndexReport) -> None:
        if not batch:
            return
        self._catalog.put([(pending.entry, None) for pending in batch])
        stale: list[str] = []
        for pending in batch:
            new = {passage.id for passage in pending.passages}
            stale += [id_ for id_ in pending.entry.passages if id_ not in new]
        passages = [passage for pending in batch for passage in pending.passages]
        # A document of many passages is written in parts, so that memory stays flat.
        for start in range(0, len(passages), 4 * _BATCH):
            part = passages[start : start + 4 * _BATCH]
            embedded = embed_passages(self._embedder, part)
            self._store.replace_documents(stale if start == 0 else (), embedded)
        self._catalog.put(
            [
                (
                    replace(p.entry, status="done", passages=tuple(d.id for d in p.passages)),
                    p.text,
                )
                for p in batch
            ]
        )
        report.documents += len(batch)
        report.chunks += len(passages)
        self._progress.wrote(len(batch), len(passages))

    def _skipped(self, file: FoundFile, reason: str, digest: str = "") -> CatalogEntry:
        """Return the entry of a file that is skipped; without a hash it is tried again."""
        root, size, mtime = str(file.root), file.size, file.mtime_ns
        return CatalogEntry(
            root, file.document, "skipped", size, mtime, digest, self._recipe, reason
        )

    def _skip(self, entry: CatalogEntry, report: IndexReport) -> None:
        """Record a document that cannot be read; what was indexed of it leaves the index."""
        report.skipped.append(Skipped(entry.document, entry.reason or ""))
        known = self._catalog.get(entry.root, entry.document)
        if known and known.passages:
            self._store.replace_documents(known.passages, ())
        if known != entry:
            self._catalog.put([(entry, None)])

    def _remove(self, entries: Sequence[CatalogEntry], report: IndexReport) -> None:
        stale = [id_ for entry in entries for id_ in entry.passages]
        if stale:
            self._store.replace_documents(stale, ())
        self._catalog.remove([(entry.root, entry.document) for entry in entries])
        report.removed += sum(entry.status != "skipped" for entry in entries)


def check_embedder(store: "PassageStore", fingerprint: str) -> None:
    """Compare an embedder with the one that made a store's vectors.

    :raises EmbedderMismatchError: When they differ and the store is not empty.
    """
    recorded = store.get_metadata().get("embedder", fingerprint)
    if recorded != fingerprint and store.count_documents():
        raise EmbedderMismatchError(
            f"the index was made with embedder {recorded}, not {fingerprint}: "
            "set that one again, or re-index with `expert index --rebuild PATH…`"
        )


def _weight(file: FoundFile) -> int:
    # Pictures and fonts make up most of a binary document; its text is a small part.
    return file.size if format_of(file.path) in ("markdown", "text", "csv") else file.size // 8 + 1


def _sha256(path: Path) -> str:
    """Return the hash of a file's content; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
