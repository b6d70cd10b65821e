"""Adapters that are ready to compute with: loaded beside the requests, kept while memory allows."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Lock
from types import TracebackType

from adapters.base import LanguageModel
from adapters.errors import AdapterError, AdaptersError
from adapters.lora import Adapter, load_adapter
from adapters.lora_files import WEIGHTS
from adapters.memory import free_memory, gigabytes

# Of the memory that is free at first; texts being written need the rest.
_SHARE = 0.25
_WHEN_UNKNOWN = 1_000_000_000
# A load that found no room is passed so often by requests for what is there; then they wait.
_MOST_PASSED = 64
_TIMES_KEPT = 1000


@dataclass(frozen=True, slots=True)
class HostStats:
    """How a host is doing.

    :param resident: Adapters in memory.
    :param pinned: Those of them in use.
    :param nbytes: What they take.
    :param most_bytes: What they may take.
    :param hits: Requests whose adapter was there.
    :param misses: Requests that waited for a load.
    :param evictions: Adapters that made room for another.
    :param failures: Loads that failed.
    :param load_ms_median: Of the last loads, from disk to ready; 0 before the first.
    :param load_ms_most: The slowest of them.
    """

    resident: int
    pinned: int
    nbytes: int
    most_bytes: int
    hits: int
    misses: int
    evictions: int
    failures: int
    load_ms_median: float
    load_ms_most: float

    @property
    def hit_rate(self) -> float:
        """Share of the requests whose adapter was there; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)


@dataclass(slots=True, eq=False)
class _Entry:
    """An adapter that is in memory or on its way.

    :param adapter: None until it is loaded.
    :param resident: Whether room was made for it.
    :param pins: Leases of it.
    :param asked: Who waits for it.
    """

    name: str
    folder: Path
    key: tuple[str, tuple[int, ...]]
    adapter: Adapter | None = None
    resident: bool = False
    pins: int = 0
    asked: list["Future[Lease]"] = field(default_factory=list)

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return any(not asked.cancelled() for asked in self.asked)


class Lease:
    """Keeps an adapter in memory until it is released. Also a context manager.

    :param name: The adapter's name and version.
    :param adapter: Its weights.
    """

    def __init__(self, name: str, adapter: Adapter, let_go: Callable[[], None]) -> None:
        self.name, self.adapter = name, adapter
        self._let_go: Callable[[], None] | None = let_go

    def release(self) -> None:
        """Say that the adapter is no longer in use; more than once does no harm."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()

    def __enter__(self) -> Adapter:
        return self.adapter

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class AdapterHost:
    """Keeps adapters of one base model in memory; the one used longest ago goes first.

    Adapters are loaded one at a time on a thread of the host's own. One that is in use is
    never dropped: a load that finds no room waits for others to be released.

    :param model: The base model.
    :param find: Says for a reference, such as ``hr`` or ``hr@3``, what the adapter is called
        with its version and where its folder is. Asked each time, so that a new version is
        used as soon as it is published.
    :param most_bytes: Memory for adapters, one more aside while it is loaded; a quarter of
        what is free where not given.
    """

    def __init__(
        self,
        model: LanguageModel,
        find: Callable[[str], tuple[str, Path]],
        *,
        most_bytes: int | None = None,
    ) -> None:
        self._decoder, self._find = model.decoder, find
        free = free_memory(model.device)
        share = _WHEN_UNKNOWN if free is None else int(free * _SHARE)
        self._most_bytes = share if most_bytes is None else most_bytes
        self._lock = Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="adapter-loader")
        self._entries: OrderedDict[tuple[str, tuple[int, ...]], _Entry] = OrderedDict()
        self._queue: deque[_Entry] = deque()
        # Those in memory that somebody asks for.
        self._ready: list[_Entry] = []
        # The entry that is being loaded, or that is loaded and waits for room.
        self._next: _Entry | None = None
        self._passed = 0
        self._nbytes = 0
        self._hits = self._misses = self._evictions = self._failures = 0
        self._load_ms: deque[float] = deque(maxlen=_TIMES_KEPT)
        self._closed = False

    def acquire(self, ref: str, timeout: float | None = None) -> Lease:
        """Return a lease of an adapter, as soon as it is in memory.

        :param timeout: Seconds to wait at most.
        :raises AdapterError: When it cannot be found or loaded, or is not there in time.
        """
        asked = self.request(ref)
        try:
            return asked.result(timeout)
        except TimeoutError:
            _give_up(asked)
            raise AdapterError(
                f"adapter {ref} was not loaded within {timeout:g} s: "
                "all memory for adapters may be in use"
            ) from None
        except BaseException:
            _give_up(asked)
            raise

    def request(self, ref: str) -> "Future[Lease]":
        """Ask for a lease without waiting for it. Cancel the future to give it up.

        :raises AdapterError: When the adapter cannot be found.
        """
        name, folder = self._find(ref)
        key = name, _stamp(name, folder)
        asked: Future[Lease] = Future()
        with self._lock:
            if self._closed:
                raise AdapterError("the host of the adapters is closed")
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(name, folder, key)
                self._queue.append(entry)
            entry.asked.append(asked)
            if not entry.resident:
                self._misses += 1
            else:
                self._hits += 1
                self._ready.append(entry)
                self._passed += self._next is not None and self._next.adapter is not None
            granted = self._settle()
        _grant(granted)
        asked.add_done_callback(self._forget)
        return asked

    def prefetch(self, ref: str) -> "Future[Lease]":
        """Load an adapter that will be wanted; the lease that comes of it is released already.

        :raises AdapterError: When the adapter cannot be found.
        """
        asked = self.request(ref)
        asked.add_done_callback(_release)
        return asked

    def stats(self) -> HostStats:
        """Return how many adapters are in memory, and how often they were."""
        with self._lock:
            resident = [entry for entry in self._entries.values() if entry.resident]
            return HostStats(
                resident=len(resident),
                pinned=sum(entry.pins > 0 for entry in resident),
                nbytes=self._nbytes,
                most_bytes=self._most_bytes,
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
                failures=self._failures,
                load_ms_median=median(self._load_ms) if self._load_ms else 0.0,
                load_ms_most=max(self._load_ms, default=0.0),
            )

    def close(self) -> None:
        """Drop the adapters; who waits for one is told, who uses one goes on."""
        with self._lock:
            self._closed = True
            waiting = [asked for entry in self._entries.values() for asked in entry.asked]
            self._entries.clear()
            self._queue.clear()
            self._ready.clear()
            self._next, self._nbytes = None, 0
        _fail(waiting, AdapterError("the host of the adapters is closed"))
        self._loader.shutdown(wait=False)

    def __enter__(self) -> "AdapterHost":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _settle(self) -> list[tuple["Future[Lease]", Lease]]:
        """Do what can be done now, under the lock; return the leases to hand out after it."""
        while True:
            loaded = self._next
            if loaded is not None and loaded.adapter is not None:
                if not loaded.is_wanted:
                    del self._entries[loaded.key]
                elif not self._make_room(loaded.adapter.nbytes):
                    break
                else:
                    loaded.resident = True
                    self._ready.append(loaded)
                    self._nbytes += loaded.adapter.nbytes
                self._next = None
            if self._next is not None or not self._queue:
                break
            following = self._queue.popleft()
            if following.is_wanted:
                self._next, self._passed = following, 0
                self._loader.submit(self._load, following)
            else:
                del self._entries[following.key]
        # Else what is always in use would keep the one that waits for room out for ever.
        is_stuck = self._next is not None and self._next.adapter is not None
        if is_stuck and self._passed > _MOST_PASSED:
            return []
        ready, self._ready = self._ready, []
        return [granted for entry in ready if entry.resident for granted in self._leases(entry)]

    def _leases(self, entry: _Entry) -> list[tuple["Future[Lease]", Lease]]:
        """Pin an adapter for each who waits for it."""
        assert entry.adapter is not None  # noqa: S101
        asked, entry.asked = entry.asked, []
        if asked:
            entry.pins += len(asked)
            self._entries.move_to_end(entry.key)
        return [
            (one, Lease(entry.name, entry.adapter, lambda: self._unpin(entry))) for one in asked
        ]

    def _make_room(self, nbytes: int) -> bool:
        """Drop adapters for one of a size; tell whether it fits now."""
        idle = [entry for entry in self._entries.values() if entry.resident and not entry.pins]
        sizes = {entry.key: entry.adapter.nbytes for entry in idle if entry.adapter is not None}
        if self._nbytes - sum(sizes.values()) + nbytes > self._most_bytes:
            return False
        for entry in idle:
            if self._nbytes + nbytes <= self._most_bytes:
                break
            self._nbytes -= sizes[entry.key]
            self._evictions += 1
            entry.adapter, entry.resident = None, False
            if entry.is_wanted:
                self._queue.append(entry)
            else:
                del self._entries[entry.key]
        return True

    def _load(self, entry: _Entry) -> None:
        start = time.perf_counter()
        error: AdaptersError | None = None
        try:
            adapter = load_adapter(
                entry.folder,
                self._decoder.architecture,
                name=entry.name,
                device=self._decoder.device,
                dtype=self._decoder.dtype,
            )
            if adapter.nbytes > self._most_bytes:
                error = AdapterError(
                    f"adapter {entry.name} takes {gigabytes(adapter.nbytes)} and all adapters "
                    f"together may take {gigabytes(self._most_bytes)}: allow more"
                )
        except AdaptersError as found:
            error = found
        except Exception as found:
            said = str(found).partition("\n")[0] or type(found).__name__
            error = AdapterError(f"adapter {entry.name} cannot be loaded: {said}")
        failed: list[Future[Lease]] = []
        with self._lock:
            if self._closed:
                return
            if error is None:
                entry.adapter = adapter
                self._load_ms.append((time.perf_counter() - start) * 1000)
            else:
                del self._entries[entry.key]
                self._next = None
                self._failures += 1
                failed = entry.asked
            granted = self._settle()
        if error is not None:
            _fail(failed, error)
        _grant(granted)

    def _unpin(self, entry: _Entry) -> None:
        with self._lock:
            entry.pins -= 1
            if self._entries.get(entry.key) is entry:
                self._entries.move_to_end(entry.key)
            granted = [] if self._closed else self._settle()
        _grant(granted)

    def _forget(self, asked: "Future[Lease]") -> None:
        """Give up what a cancelled request alone waited for."""
        if not asked.cancelled():
            return
        with self._lock:
            granted = [] if self._closed else self._settle()
        _grant(granted)


def _stamp(name: str, folder: Path) -> tuple[int, ...]:
    """Return what tells a folder's content from another's that had its name.

    A version that was removed may be published anew.
    """
    try:
        found = (folder / WEIGHTS).stat()
    except OSError as error:
        raise AdapterError(
            f"adapter {name} has no {WEIGHTS} in {folder}: train or import it again"
        ) from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _grant(granted: list[tuple["Future[Lease]", Lease]]) -> None:
    for asked, lease in granted:
        if asked.set_running_or_notify_cancel():
            asked.set_result(lease)
        else:
            lease.release()


def _fail(waiting: list["Future[Lease]"], error: AdaptersError) -> None:
    for asked in waiting:
        if asked.set_running_or_notify_cancel():
            asked.set_exception(error)


def _give_up(asked: "Future[Lease]") -> None:
    """Cancel a request; release what it had been given meanwhile."""
    asked.cancel()
    asked.add_done_callback(_release)


def _release(asked: "Future[Lease]") -> None:
    if not asked.cancelled() and asked.exception() is None:
        asked.result().release()
