"""What is asked of a scheduler, and what stands for its answer until it is there."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from adapters.batch import Generation, Request


@dataclass(frozen=True, slots=True)
class Job:
    """A request to a scheduler.

    :param request: The text to go on with. What it is told runs on the thread that
        generates for all: let it be quick, or iterate over the ticket instead.
    :param adapter: The adapter that writes, such as ``hr`` or ``hr@3``; None for none.
    :param deadline_s: Seconds from now in which the answer has to be complete.
    """

    request: Request
    adapter: str | None = None
    deadline_s: float | None = None


class Ticket:
    """An answer that is being written.

    Take its :meth:`result`, or iterate over its pieces as they come, from any thread and more
    than once. In asyncio, await it or use ``async for``. A reader that is slow holds up nobody.

    :param cancel: Called when it is no longer wanted.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._wake = cancel
        self._future: Future[Generation] = Future()
        # So that nobody who waits for it can cancel it but by :meth:`cancel`.
        self._future.set_running_or_notify_cancel()
        self._changed = threading.Condition()
        self._pieces: list[str] = []
        self._length = 0
        self._listeners: list[Callable[[], None]] = []
        self.adapter: str | None = None
        """Name and version of the adapter that writes, as soon as it is known."""
        self.is_cancelled = False
        """Whether :meth:`cancel` was called."""

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._future.done()

    @property
    def text(self) -> str:
        """The answer so far, also of one that failed."""
        return "".join(self._pieces)

    def cancel(self) -> None:
        """Let it end at the next step; its result is what was written until then."""
        self.is_cancelled = True
        self._wake()

    def result(self, timeout: float | None = None) -> Generation:
        """Wait for the answer and return it.

        :param timeout: Seconds to wait at most; the answer goes on being written.
        :raises TimeoutError: When it is not there by then.
        :raises DeadlineError: When it was not complete by its deadline.
        :raises AdaptersError: When it failed; also what its listener raised is raised here.
        """
        return self._future.result(timeout)

    def __iter__(self) -> Iterator[str]:
        read = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: len(self._pieces) > read or self.done)  # noqa: B023
                pieces = self._pieces[read:]
            if not pieces:
                break
            read += len(pieces)
            yield from pieces
        self.result()

    def __await__(self) -> Generator[None, None, Generation]:
        return self._wait().__await__()

    async def __aiter__(self) -> AsyncIterator[str]:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            # The loop may have been closed meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        self._listeners.append(tell)
        try:
            read = 0
            while True:
                changed.clear()
                done = self.done
                pieces = self._pieces[read:]
                read += len(pieces)
                for piece in pieces:
                    yield piece
                if done:
                    break
                if not pieces:
                    await changed.wait()
        finally:
            self._listeners.remove(tell)
        self.result()

    def add(self, piece: str) -> None:
        """Take a piece of the answer; called by the scheduler."""
        with self._changed:
            self._pieces.append(piece)
            self._length += len(piece)
            self._changed.notify_all()
        self._tell()

    def end(self, generation: Generation) -> None:
        """Take the whole answer; called by the scheduler."""
        self._complete(generation)
        self._future.set_result(generation)
        self._finish()

    def fail(self, error: BaseException, generation: Generation) -> None:
        """Take the reason why there is no answer; called by the scheduler.

        :param generation: What was written until then.
        """
        self._complete(generation)
        self._future.set_exception(error)
        self._finish()

    async def _wait(self) -> Generation:
        try:
            return await asyncio.wrap_future(self._future)
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _complete(self, generation: Generation) -> None:
        """Add what was held back, since it might have begun a stop string."""
        if rest := generation.text[self._length :]:
            self.add(rest)

    def _finish(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._tell()

    def _tell(self) -> None:
        for tell in list(self._listeners):
            tell()
