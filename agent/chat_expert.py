"""The expert of a chat: opened while the user types, exchanged when another is wanted."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.expert import Reply
    from agent.follow_up import Turn

# How long leaving waits for an opening under way, to close what it opens.
_PATIENCE_S = 2.0


class Asked(Protocol):
    """What a chat asks: an :class:`agent.expert.Expert`, or what behaves like one."""

    def ask(
        self,
        question: str,
        *,
        history: "Sequence[Turn]" = (),
        on_text: Callable[[str], None] | None = None,
    ) -> "Reply":
        """Answer a question. See :meth:`agent.expert.Expert.ask`."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class _Opening:
    """An expert being opened in the background.

    :param open_: Opens it.
    """

    def __init__(self, open_: Callable[[], Asked]) -> None:
        self._open = open_
        self._expert: Asked | None = None
        self._error: BaseException | None = None
        self._unwanted = False
        self._lock = threading.Lock()
        self._done = threading.Event()
        # A daemon, or leaving would wait until a large model has been loaded.
        threading.Thread(target=self._run, name="open expert", daemon=True).start()

    def _run(self) -> None:
        try:
            expert = self._open()
        except BaseException as error:  # raised again where it is waited for
            self._error = error
        else:
            with self._lock:
                self._expert = expert
                unwanted = self._unwanted
            if unwanted:
                expert.close()
        finally:
            self._done.set()

    def wait(self) -> Asked:
        """Return the expert when it is open; raise what opening it raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        assert self._expert is not None  # noqa: S101
        return self._expert

    def close(self) -> None:
        """Close the expert, or have it closed as soon as it is open."""
        self._done.wait(_PATIENCE_S)
        with self._lock:
            self._unwanted = True
            expert = self._expert
        if expert is not None:
            expert.close()


class ChatExpert:
    """The expert that a chat asks.

    :param open_: Opens one with the answerer named, or with the one that the settings
        choose; called in another thread.
    :param answerer: ``quote``, ``phi3``, or None for what the settings choose.
    """

    def __init__(self, open_: Callable[[str | None], Asked], answerer: str | None = None) -> None:
        self._open = open_
        self.answerer = answerer
        self._opening: _Opening | None = self._begin(answerer)

    def _begin(self, answerer: str | None) -> _Opening:
        return _Opening(lambda: self._open(answerer))

    def get(self) -> Asked:
        """Return the expert, when it is open.

        :raises ExpertError: When it cannot be opened; the next call tries again.
        """
        if self._opening is None:
            self._opening = self._begin(self.answerer)
        try:
            return self._opening.wait()
        except Exception:
            self._opening = None
            raise

    def switch(self, answerer: str) -> None:
        """Open another expert in the place of this one, which stays if that fails.

        :raises ExpertError: When the other cannot be opened.
        """
        other = self._begin(answerer)
        try:
            other.wait()
        except BaseException:
            other.close()
            raise
        self.close()
        self._opening, self.answerer = other, answerer

    def close(self) -> None:
        """Close the expert."""
        if self._opening is not None:
            self._opening.close()
            self._opening = None
