"""An answer as it is written, for a loop of either kind."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from agent.errors import StreamError
from agent.reply import Reply


class AnswerStream:
    """The pieces of an answer as a language model writes them, for ``for`` or ``async for``.

    The pieces are what the model writes; :attr:`reply` is what stays of it when it was held
    against the documents. An answer that is quoted comes as one piece. What another route or
    another part of the question writes begins a new line, and what nothing stays of may stand
    before it. Leaving the loop early does not stop the writing: :meth:`close` does, as does the
    end of a ``with``.

    :param ask: Answers, and tells each piece to what it is given; called in another thread.
    """

    def __init__(self, ask: Callable[[Callable[[str], None]], Reply]) -> None:
        self._ask = ask
        self._pieces: SimpleQueue[str | None] = SimpleQueue()
        self._done: Future[Reply] = Future()
        self._left = self._told = False
        self._next: asyncio.Task[str | None] | None = None
        threading.Thread(target=self._run, name="answer", daemon=True).start()

    @property
    def reply(self) -> Reply:
        """The whole reply, waited for.

        :raises ExpertError: When the question cannot be answered.
        :raises StreamError: When the stream was closed before it was.
        """
        return self._done.result()

    def close(self) -> None:
        """Stop the writing at its next piece."""
        self._left = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        piece = self._pieces.get()
        if piece is None:
            self._pieces.put(None)  # asked again, it ends again
            if not self._left:
                self._done.result()
            raise StopIteration
        return piece

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._next is None:
            self._next = asyncio.create_task(asyncio.to_thread(next, self, None))
        # Cancelled, the piece that comes is the next one's.
        piece = await asyncio.shield(self._next)
        self._next = None
        if piece is None:
            raise StopAsyncIteration
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell(self, piece: str) -> None:
        if self._left:
            raise StreamError("the stream was closed before the answer was there")
        if piece:  # without, it only asks whether to go on
            self._told = True
            self._pieces.put(piece)

    def _run(self) -> None:
        try:
            reply = self._ask(self._tell)
        except BaseException as error:  # raised again where the pieces are read
            self._done.set_exception(error)
        else:
            if not self._told and reply.answer.text is not None:
                self._pieces.put(reply.answer.text)
            self._done.set_result(reply)
        self._pieces.put(None)
