"""Turn tokens into text as they come, and see where it has to stop."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

_UNREADABLE = "\ufffd"
# Where a model repeats itself: what is repeated is at most so long …
_LONGEST_LOOP = 64
# … and fills at least so many tokens, in at least so many rounds.
_LOOPED_TOKENS = 96
_LOOPED_ROUNDS = 4


class TextStream:
    """The text of a row so far, and how much of it may be shown.

    Text that may turn out to be the beginning of a stop string is held back until it is
    known not to be.

    :param tokenizer: Decodes the tokens.
    :param stop: Strings that end the text; they are not part of it.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._last: int | None = None
        self._stop = [text for text in stop if text]
        self.text = ""
        self.stopped = False
        self._shown = 0

    def add(self, token: int) -> None:
        """Take the next token; :attr:`stopped` says whether a stop string is complete."""
        piece = self._piece(token)
        self._last = token
        if not piece:
            return
        before = len(self.text)
        self.text += piece
        for stop in self._stop:
            found = self.text.find(stop, max(0, before - len(stop) + 1))
            if found >= 0:
                self.text = self.text[:found]
                self.stopped = True

    def _piece(self, token: int) -> str | None:
        try:
            return self._stream.step(self._tokenizer, token)
        except Exception:  # the library's own, without a base
            # Bytes that are no text, after one that was: all of them have become unreadable, and
            # the stream would not go on from text that it has given.
            self._stream = DecodeStream(skip_special_tokens=True)
            # With what came before it, since at a text's beginning its space would be dropped.
            again = [self._last, token] if self._last is not None else [token]
            pieces = [self._stream.step(self._tokenizer, one) or "" for one in again]
            piece = "".join(pieces)
            return piece if piece.startswith(_UNREADABLE) else _UNREADABLE + piece

    def new_text(self, *, ended: bool = False) -> str:
        """Return what may be shown and has not been.

        :param ended: Nothing comes after it.
        """
        end = len(self.text)
        if not ended and not self.stopped:
            end -= max((_overlap(self.text, stop) for stop in self._stop), default=0)
        shown = self.text[self._shown : end]
        self._shown = max(self._shown, end)
        return shown


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the text's end may begin the stop string."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


def loops(tokens: Sequence[int]) -> bool:
    """Tell whether the last tokens are the same few, again and again."""
    count = len(tokens)
    for period in range(1, min(_LONGEST_LOOP, count // _LOOPED_ROUNDS) + 1):
        length = max(_LOOPED_TOKENS, period * _LOOPED_ROUNDS)
        if length > count:
            continue
        if tokens[count - length : count - period] == tokens[count - length + period :]:
            return True
    return False
