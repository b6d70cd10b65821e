"""One thread that owns the model: requests from any thread are written in mixed batches."""

import atexit
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from types import TracebackType

from adapters.base import LanguageModel
from adapters.batch import Batch, Request, Row
from adapters.errors import AdapterError, DeadlineError, GenerationError, OverloadedError
from adapters.host import AdapterHost, Lease
from adapters.prefixes import Prefixes
from adapters.tickets import Job, Ticket

# Among so many that wait longest, the shortest goes first: rows of a batch are attended to
# together, as far as the longest goes …
_WINDOW = 32
# … but none is passed more often than this.
_MOST_PASSED = 16
# The thread ends when nothing was asked for so long, and begins anew when something is.
_LINGER_S = 2.0
_EXIT_S = 5.0


@dataclass(frozen=True, slots=True)
class SchedulerStats:
    """How a scheduler is doing.

    :param running: Requests that are being written.
    :param waiting: Requests that wait.
    :param steps: Steps taken.
    :param rows: Rows in all of them; a step's mean is ``rows / steps``.
    """

    running: int
    waiting: int
    steps: int
    rows: int


@dataclass(slots=True, eq=False)
class _Work:
    """A request on its way.

    :param until: When it has to be complete.
    :param passed: How many that came later went first.
    """

    job: Job
    ticket: Ticket
    row: Row
    until: float | None
    lease: "Future[Lease] | None" = None
    passed: int = 0
    expired: bool = False

    @property
    def tokens(self) -> int:
        """What its prompt and its answer may come to."""
        return len(self.job.request.prompt) + self.row.most_new

    @property
    def is_ready(self) -> bool:
        """Whether it could be written: its adapter is there, or it needs none."""
        return self.lease is None or (self.lease.done() and self.failure is None)

    @property
    def failure(self) -> BaseException | None:
        """Why its adapter could not be loaded."""
        return self.lease.exception() if self.lease is not None and self.lease.done() else None

    def has_ended(self, now: float) -> bool:
        """Tell whether it is not to be written on: not wanted, too late or not possible."""
        self.expired = self.expired or (self.until is not None and now > self.until)
        return self.ticket.is_cancelled or self.expired or self.failure is not None

    def let_go(self) -> None:
        """Release its adapter, now or when it comes."""
        if self.lease is not None:
            self.lease.cancel()
            self.lease.add_done_callback(_release)


class Scheduler:
    """Writes the answers to requests from many threads, each with its own adapter or none.

    Requests join the batch that is running between two steps. One that fails, fails alone.

    :param model: The model.
    :param host: Has the adapters; None where requests name none.
    :param most_rows: Requests written together.
    :param most_tokens: Tokens that they may come to together, prompts included. A request
        that alone may come to more is written by itself.
    :param most_waiting: Requests that may wait; None for any number.
    :param wait_s: How long a request that finds the model idle waits for company.
    :param prefix_bytes: Memory for beginnings that were read before; 0 for none.
    """

    def __init__(
        self,
        model: LanguageModel,
        host: AdapterHost | None = None,
        *,
        most_rows: int = 16,
        most_tokens: int = 32_768,
        most_waiting: int | None = 256,
        wait_s: float = 0.0,
        prefix_bytes: int = 256_000_000,
    ) -> None:
        self._host = host
        self._most_rows, self._most_tokens = most_rows, most_tokens
        self._most_waiting, self._wait_s = most_waiting, wait_s
        self._batch = Batch(
            model.decoder,
            model.markup.tokenizer,
            end_tokens=model.end_tokens,
            bias=model.bias,
            most_rows=most_rows,
            prefixes=Prefixes(prefix_bytes) if prefix_bytes else None,
        )
        self._changed = threading.Condition()
        self._waiting: list[_Work] = []
        self._running: dict[Row, _Work] = {}
        self._thread: threading.Thread | None = None
        self._closed = self._cancelling = False
        self._steps = self._rows = 0
        _open.add(self)

    def submit(self, job: Job) -> Ticket:
        """Let a request be written as soon as there is room; return at once.

        :raises GenerationError: When it cannot be generated from, or the scheduler is closed.
        :raises OverloadedError: When too many wait already.
        :raises AdapterError: When there is no such adapter.
        """
        if job.deadline_s is not None and job.deadline_s <= 0:
            raise GenerationError("deadline_s must be above 0")
        until = None if job.deadline_s is None else time.monotonic() + job.deadline_s
        with self._changed:
            self._check_open()
        work = _Work(job, Ticket(self._wake), self._batch.prepare(job.request), until)
        if job.adapter is not None:
            work.lease = self._asked_host(job.adapter)
        try:
            with self._changed:
                self._check_open()
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="model", daemon=True)
                    thread.start()
                    self._thread = thread
                    _threads.add(thread)
                self._waiting.append(work)
                self._changed.notify_all()
        except BaseException:
            work.let_go()
            raise
        if work.lease is not None:
            work.lease.add_done_callback(lambda _: self._wake())
        return work.ticket

    def stats(self) -> SchedulerStats:
        """Return how many requests run and wait, and how full the steps were."""
        with self._changed:
            return SchedulerStats(len(self._running), len(self._waiting), self._steps, self._rows)

    def close(self, *, cancel: bool = False, timeout: float | None = None) -> None:
        """Take no more requests and wait until those taken have ended.

        :param cancel: End them at the next step.
        :param timeout: Seconds to wait at most.
        """
        with self._changed:
            self._closed = True
            self._cancelling = self._cancelling or cancel
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def __enter__(self) -> "Scheduler":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(cancel=error is not None)

    def _check_open(self) -> None:
        if self._closed:
            raise GenerationError("the scheduler is closed and takes no more requests")
        waiting = len(self._waiting)
        if self._most_waiting is not None and waiting >= self._most_waiting:
            raise OverloadedError(f"{waiting} requests wait already: try again later")

    def _asked_host(self, ref: str) -> "Future[Lease]":
        if self._host is None:
            raise AdapterError(f"adapter {ref} is asked for and there is no host of adapters")
        return self._host.request(ref)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._wait():
                self._end_some()
                self._admit()
                self._step()
        finally:
            # Only an error in this file comes here with requests: none is left waiting for it.
            self._abandon()

    def _wait(self) -> bool:
        """Wait until there is something to do; tell whether there will be."""
        with self._changed:
            idle = not self._running
            lingered = False
            while not self._running and not self._has_work():
                if not self._waiting and (self._closed or lingered):
                    self._thread = None
                    return False
                lingered = not self._changed.wait(self._patience()) and not self._waiting
            if idle and self._wait_s:
                self._changed.wait_for(
                    lambda: self._closed or sum(self._ready()) >= self._most_rows, self._wait_s
                )
        return True

    def _ready(self) -> Iterator[bool]:
        return (work.is_ready for work in self._waiting)

    def _has_work(self) -> bool:
        now = time.monotonic()
        return bool(self._waiting) and (
            self._cancelling or any(work.is_ready or work.has_ended(now) for work in self._waiting)
        )

    def _patience(self) -> float | None:
        """Return how long nothing needs to be looked at, in seconds; None for ever."""
        if not self._waiting:
            return _LINGER_S
        first = min((w.until for w in self._waiting if w.until is not None), default=None)
        return None if first is None else max(0.0, first - time.monotonic()) + 0.001

    def _end_some(self) -> None:
        """End the waiting requests that are not to be written, and mark such running ones."""
        now = time.monotonic()
        with self._changed:
            works = [*self._waiting, *self._running.values()]
            if self._cancelling:
                for work in works:
                    work.ticket.is_cancelled = True
            ended = {work for work in works if work.has_ended(now)}
            gone = [work for work in self._waiting if work in ended]
            self._waiting = [work for work in self._waiting if work not in ended]
        for work in gone:
            work.row.end()
            self._settle(work, None if work.ticket.is_cancelled else work.failure)
        for row, work in self._running.items():
            if work in ended:
                row.cancel()

    def _admit(self) -> None:
        while len(self._running) < self._most_rows:
            with self._changed:
                work = self._choose()
                if work is None:
                    return
                self._waiting.remove(work)
                self._running[work.row] = work
            work.row.request = self._request(work)
            self._batch.add(work.row)

    def _choose(self) -> _Work | None:
        """Return the waiting request that joins next; None when there is none or no room."""
        ready = list(islice((work for work in self._waiting if work.is_ready), _WINDOW))
        if not ready:
            return None
        passed = (work for work in ready if work.passed >= _MOST_PASSED)
        chosen = next(passed, None) or min(ready, key=lambda work: work.tokens)
        taken = sum(work.tokens for work in self._running.values())
        if self._running and taken + chosen.tokens > self._most_tokens:
            return None
        for work in ready[: ready.index(chosen)]:
            work.passed += 1
        return chosen

    def _request(self, work: _Work) -> Request:
        """Return what the batch is asked: with the adapter, and telling the ticket."""
        request, ticket = work.job.request, work.ticket
        told = request.on_text

        def tell(piece: str) -> None:
            ticket.add(piece)
            if told is not None:
                told(piece)

        adapter = request.adapter
        if work.lease is not None:
            lease = work.lease.result()
            adapter, ticket.adapter = lease.adapter, lease.name
        return replace(request, adapter=adapter, on_text=tell)

    def _step(self) -> None:
        if not self._running:
            return
        self._steps += 1
        self._rows += len(self._running)
        try:
            ended = self._batch.step()
        except BaseException as error:
            self._batch.clear()
            self._fail_running(error)
            return
        for row in ended:
            with self._changed:
                work = self._running.pop(row)
            self._settle(work, row.error)

    def _settle(self, work: _Work, error: BaseException | None = None) -> None:
        """Release the adapter of a request and tell its ticket how it ended."""
        work.let_go()
        generation = work.row.generation
        assert generation is not None  # noqa: S101
        if error is None and work.expired and generation.reason == "cancelled":
            error = DeadlineError(
                f"the answer was not complete after {work.job.deadline_s:g} s: "
                "allow more time, or ask for less"
            )
        if error is None:
            work.ticket.end(generation)
        else:
            work.ticket.fail(error, generation)

    def _fail_running(self, error: BaseException) -> None:
        said = str(error).partition("\n")[0]
        with self._changed:
            failed, self._running = self._running, {}
        for work in failed.values():
            reason = GenerationError(
                f"the model failed ({type(error).__name__}: {said}): try again"
            )
            reason.__cause__ = error
            work.row.end()
            self._settle(work, reason)

    def _abandon(self) -> None:
        with self._changed:
            if self._thread is not threading.current_thread():
                return
            self._thread = None
            left = [*self._running.values(), *self._waiting]
            self._running, self._waiting = {}, []
        self._batch.clear()
        for work in left:
            work.row.end()
            self._settle(work, GenerationError("the scheduler failed: try again"))


def _release(lease: "Future[Lease]") -> None:
    if not lease.cancelled() and lease.exception() is None:
        lease.result().release()


_open: "weakref.WeakSet[Scheduler]" = weakref.WeakSet()
_threads: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    # A thread that is stopped amid a step by Python's end takes the process down with it, and
    # so does one that still lets go of a model when its scheduler is gone.
    for scheduler in list(_open):
        scheduler.close(cancel=True, timeout=_EXIT_S)
    for thread in list(_threads):
        thread.join(_EXIT_S)
