"""Keys and values of texts that were read before, so that none is read twice."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

# Shorter beginnings are read again as quickly as they are found.
LEAST_TOKENS = 16
_RECENT = 8


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text that was read.

    :param tokens: Its tokens.
    :param kept: Their keys and values.
    :param family: What they depend on besides the tokens.
    """

    tokens: tuple[int, ...]
    kept: Tensor
    family: str


class Prefixes:
    """Remembers beginnings: a chat so far, or what all prompts have in common.

    :param most_bytes: Memory for them; the one used longest ago goes first.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._entries: OrderedDict[tuple[str, tuple[int, ...]], Prefix] = OrderedDict()
        self._recent: deque[tuple[str, tuple[int, ...]]] = deque(maxlen=_RECENT)

    def longest(self, tokens: Sequence[int], family: str) -> tuple[Prefix | None, int]:
        """Return the entry that shares the longest beginning with a text, and its length.

        The last token is left to be read, since what comes after it is what is asked.
        """
        best, length = None, LEAST_TOKENS - 1
        for entry in self._entries.values():
            if entry.family == family:
                shared = _shared(entry.tokens, tokens[:-1])
                if shared > length:
                    best, length = entry, shared
        if best is None:
            return None, 0
        self._entries.move_to_end((family, best.tokens))
        return best, length

    def worth_keeping(self, tokens: Sequence[int], family: str) -> int:
        """Return how much of a text it shares with a recent one and that is not kept; note it."""
        known = self.longest(tokens, family)[1]
        shared = max(
            (_shared(text, tokens[:-1]) for kind, text in self._recent if kind == family), default=0
        )
        self._recent.append((family, tuple(tokens)))
        return shared if shared >= max(LEAST_TOKENS, known + 1) else 0

    def keep(self, tokens: Sequence[int], kept: Tensor, family: str) -> None:
        """Remember a text; entries that it begins with are dropped."""
        text = tuple(tokens)
        for key in list(self._entries):
            if key[0] == family and key[1] == text[: len(key[1])]:
                del self._entries[key]
        self._entries[family, text] = Prefix(text, kept, family)
        while sum(entry.kept.nbytes for entry in self._entries.values()) > self.most_bytes:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._recent.clear()


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    length = min(len(first), len(second))
    for i in range(length):
        if first[i] != second[i]:
            return i
    return length
