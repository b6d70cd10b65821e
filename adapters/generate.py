"""Generate text: one request, many, or one as a stream."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from adapters.base import LanguageModel
from adapters.batch import Generation, Request
from adapters.host import AdapterHost
from adapters.scheduler import Scheduler
from adapters.tickets import Job, Ticket


class TextGenerator:
    """Generates with one model. What several threads ask for is written together.

    :param model: The model.
    :param find: Finds adapters, see :class:`adapters.host.AdapterHost`; None for no adapters.
    :param most_rows: Requests generated together.
    :param prefix_bytes: Memory for beginnings that were read before; 0 for none.
    """

    def __init__(
        self,
        model: LanguageModel,
        find: Callable[[str], tuple[str, Path]] | None = None,
        *,
        most_rows: int = 16,
        prefix_bytes: int = 256_000_000,
    ) -> None:
        self.model = model
        self.adapters = None if find is None else AdapterHost(model, find)
        self._scheduler = Scheduler(
            model, self.adapters, most_rows=most_rows, most_waiting=None, prefix_bytes=prefix_bytes
        )

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Return what each request comes to, in order.

        :raises GenerationError: When a request cannot be generated from; the others are
            cancelled then.
        :raises NotEnoughRoomError: When there is no memory for one.
        """
        tickets: list[Ticket] = []
        try:
            tickets.extend(self._scheduler.submit(Job(request)) for request in requests)
            return [ticket.result() for ticket in tickets]
        except BaseException:
            for ticket in tickets:
                ticket.cancel()
            raise

    def stream(self, request: Request, adapter: str | None = None) -> "Stream":
        """Return the answer as it is written, piece by piece.

        :param adapter: The adapter that writes, such as ``hr`` or ``hr@3``; None for none.
        :raises GenerationError: When the request cannot be generated from.
        :raises AdapterError: When there is no such adapter.
        """
        return Stream(self._scheduler.submit(Job(request, adapter)))


class Stream(Iterator[str]):
    """An answer that is being written. Iterate over it; leave off at any time.

    :param ticket: Of its request.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._pieces = self._run()

    @property
    def generation(self) -> Generation | None:
        """What it came to, once it has ended."""
        return self._ticket.result() if self._ticket.done else None

    @property
    def adapter(self) -> str | None:
        """Name and version of the adapter that writes, as soon as it is known."""
        return self._ticket.adapter

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stop writing."""
        self._ticket.cancel()
        self._pieces.close()

    def _run(self) -> Generator[str]:
        try:
            yield from self._ticket
        finally:
            # Also when nobody reads on.
            self._ticket.cancel()
