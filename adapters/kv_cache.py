"""Keys and values of the rows that are being generated: rows join and leave between steps."""

import torch
from torch import Tensor

from adapters.architecture import Architecture

_GRANULE = 64
# What an empty cache keeps, so that the next row need not allocate.
_KEPT_BYTES = 128_000_000


class KVCache:
    """Room for each row's keys and values, allocated ahead and grown when a row needs it.

    Rows lie side by side without gaps, so that attention over all of them is one product:
    when a row leaves, the last one takes its place. What no row holds is zero: attention
    multiplies what it masks by nothing, and a row that failed may leave what is no number.

    :param architecture: Says how many numbers a token has.
    :param most_rows: Rows that there will be at most.
    :param device: Where they are kept.
    :param dtype: Their type.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        most_rows: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._most_rows = most_rows
        self._kv_heads = architecture.kv_heads
        self._device, self._dtype = device, dtype
        self._token = (2 * architecture.kv_heads, architecture.head_width)
        self._layers = [self._empty(0, 0) for _ in range(architecture.layers)]
        self.lengths: list[int] = []
        # How far each row was ever written, by passes that failed too.
        self._written: list[int] = []

    @property
    def rows(self) -> int:
        """Number of rows in use; they are 0 to this."""
        return len(self.lengths)

    @property
    def capacity(self) -> int:
        """Tokens that a row has room for."""
        return self._layers[0].shape[1]

    @property
    def token_bytes(self) -> int:
        """Memory that the keys and values of a token take."""
        size = len(self._layers) * self._layers[0].element_size()
        return size * self._token[0] * self._token[1]

    def join(self, length: int) -> int:
        """Add an empty row with room for a number of tokens; return its number."""
        self.reserve(length)
        self.lengths.append(0)
        self._written.append(0)
        return len(self.lengths) - 1

    def leave(self, row: int) -> int | None:
        """Remove a row.

        :return: The row that was moved to this one's place; None when none was.
        """
        last = len(self.lengths) - 1
        for layer in self._layers:
            layer[row, : self._written[row]].zero_()
        if row != last:
            length = self.lengths[last]
            for layer in self._layers:
                layer[row, :length] = layer[last, :length]
                layer[last, : self._written[last]].zero_()
            self.lengths[row] = self._written[row] = length
        self.lengths.pop()
        self._written.pop()
        if not self.lengths and len(self._layers) * self._layers[0].nbytes > _KEPT_BYTES:
            self.clear()
        return last if row != last else None

    def clear(self) -> None:
        """Remove all rows and give their memory back."""
        self.lengths.clear()
        self._written.clear()
        self._layers = [self._empty(0, 0) for _ in self._layers]

    def reserve(self, length: int) -> None:
        """Make room for one row more and for rows of a length.

        Without memory for it, nothing is changed; without any for undoing it, all rows are lost.
        """
        slots, length = self._wanted(length)
        if (slots, length) == tuple(self._layers[0].shape[:2]):
            return
        before = self._layers[0].shape[:2]
        try:
            self._resize(slots, length)
        except BaseException:
            # Without the memory for all layers, those that have grown must not stay so.
            try:
                self._resize(*before)
            except BaseException:
                self.clear()
            raise

    def more_bytes(self, length: int) -> int:
        """Return the memory that :meth:`reserve` would take beyond what is taken."""
        slots, length = self._wanted(length)
        had, capacity = self._layers[0].shape[:2]
        return self.token_bytes * (slots * length - had * capacity)

    def _wanted(self, length: int) -> tuple[int, int]:
        """Return the rows and the tokens of each that there is to be room for."""
        slots, capacity = self._layers[0].shape[:2]
        rows = len(self.lengths)
        if rows >= slots:
            # Twice as many, so that sixteen that join one by one are moved four times.
            slots = min(max(1, 2 * slots), self._most_rows)
        return slots, max(capacity, -(-length // _GRANULE) * _GRANULE)

    def _resize(self, slots: int, capacity: int) -> None:
        rows, used = len(self.lengths), max(self._written, default=0)
        for i, old in enumerate(self._layers):
            if old.shape[:2] != (slots, capacity):
                new = self._empty(slots, capacity)
                new[:rows, :used] = old[:rows, :used]
                self._layers[i] = new

    def places(self, row: int, start: int, count: int) -> range:
        """Return where tokens of a row are to be written by :meth:`write`."""
        self._written[row] = max(self._written[row], start + count)
        first = row * self.capacity + start
        return range(first, first + count)

    def write(self, layer: int, places: Tensor, keys: Tensor, values: Tensor) -> None:
        """Write the keys and values of tokens, each [tokens, kv heads, head width]."""
        flat = self._layers[layer].flatten(0, 1)
        flat[:, : self._kv_heads].index_copy_(0, places, keys)
        flat[:, self._kv_heads :].index_copy_(0, places, values)

    def read(self, layer: int, rows: slice, length: int) -> tuple[Tensor, Tensor]:
        """Return views of keys and values, each [rows, kv heads, length, head width]."""
        found = self._layers[layer][rows, :length].transpose(1, 2)
        return found[:, : self._kv_heads], found[:, self._kv_heads :]

    def copy_out(self, row: int, length: int) -> Tensor:
        """Return a copy of a row's first tokens, for :meth:`copy_in`."""
        return torch.stack([layer[row, :length] for layer in self._layers])

    def copy_in(self, row: int, tokens: Tensor, length: int) -> None:
        """Begin a row with tokens that were read before: see :meth:`copy_out`."""
        for layer, kept in zip(self._layers, tokens, strict=True):
            layer[row, :length] = kept[:length]
        self.lengths[row] = self._written[row] = length

    def _empty(self, slots: int, capacity: int) -> Tensor:
        return torch.zeros((slots, capacity, *self._token), device=self._device, dtype=self._dtype)
