"""What is told of a reply while it is written, where several routes or parts may write it."""

from collections.abc import Callable
from typing import TypeVar

from agent.reply import Answered
from agent.ways import OnText
from pipelines.answer import Answer

_Came = TypeVar("_Came", bound=Answered | None)


class Telling:
    """Tells the pieces of a reply; what another route writes begins a new line.

    :param on_text: Told each piece; None where nobody listens.
    """

    def __init__(self, on_text: OnText | None) -> None:
        self._on_text = on_text
        self._is_new = True
        self._has_begun = False
        self._last: Answer | None = None

    def of(self, take: Callable[[OnText | None], _Came]) -> _Came:
        """Return what comes of a route.

        :param take: Takes it; given what is to be told each piece.
        """
        self._is_new = True
        came = take(None if self._on_text is None else self._tell)
        if came is not None and not self._is_new:
            self._last = came.answer
        return came

    def correct(self, answer: Answer) -> None:
        """Tell an answer where what was told last is another one's."""
        if self._has_begun:
            self.settle(answer)

    def settle(self, answer: Answer) -> None:
        """Tell an answer in one piece, unless what was told last is its own."""
        if self._on_text is not None and answer.text and answer is not self._last:
            self._is_new = True
            self._tell(answer.text)
            self._last = answer

    def ask_on(self) -> None:
        """Tell nothing, so that a stream that was left ends here."""
        if self._on_text is not None:
            self._on_text("")

    def _tell(self, piece: str) -> None:
        assert self._on_text is not None  # noqa: S101 - nothing is told else
        if piece and self._is_new:
            piece = f"\n{piece}" if self._has_begun else piece
            self._is_new, self._has_begun = False, True
        self._on_text(piece)
