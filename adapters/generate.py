"""Generate text: one request, many, or one as a stream."""

import threading
from collections.abc import Generator, Iterator, Sequence

from adapters.base import LanguageModel
from adapters.batch import Batch, Generation, Request
from adapters.prefixes import Prefixes


class TextGenerator:
    """Generates with one model, for one caller at a time.

    :param model: The model.
    :param most_rows: Requests generated together.
    :param prefix_bytes: Memory for beginnings that were read before; 0 for none.
    """

    def __init__(
        self, model: LanguageModel, *, most_rows: int = 16, prefix_bytes: int = 256_000_000
    ) -> None:
        self.model = model
        self._lock = threading.Lock()
        self._batch = Batch(
            model.decoder,
            model.markup.tokenizer,
            end_tokens=model.end_tokens,
            most_rows=most_rows,
            prefixes=Prefixes(prefix_bytes) if prefix_bytes else None,
        )

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Return what each request comes to, in order.

        :raises GenerationError: When a request cannot be generated from; then none is.
        :raises NotEnoughRoomError: When there is no memory for one.
        """
        with self._lock:
            try:
                rows = [self._batch.submit(request) for request in requests]
                while not self._batch.is_idle:
                    for row in self._batch.step():
                        if row.error is not None:
                            raise row.error
            except BaseException:
                self._batch.clear()
                raise
        return [row.generation for row in rows if row.generation is not None]

    def stream(self, request: Request) -> "Stream":
        """Return the answer as it is written, piece by piece.

        :raises GenerationError: When the request cannot be generated from.
        """
        return Stream(self._batch, self._lock, request)


class Stream(Iterator[str]):
    """An answer that is being written. Iterate over it; leave off at any time.

    ``generation`` is what it came to, once it has ended. Until then it has the model to
    itself: close it when it is not read to its end.
    """

    def __init__(self, batch: Batch, lock: threading.Lock, request: Request) -> None:
        self.generation: Generation | None = None
        self._batch, self._lock, self._request = batch, lock, request
        self._pieces = self._run()

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stop writing."""
        self._pieces.close()

    def _run(self) -> Generator[str]:
        with self._lock:
            try:
                row = self._batch.submit(self._request)
                while row.generation is None:
                    self._batch.step()
                    if row.error is not None:
                        raise row.error
                    if piece := row.stream.new_text(ended=row.generation is not None):
                        yield piece
                self.generation = row.generation
            except BaseException:
                self._batch.clear()
                raise
