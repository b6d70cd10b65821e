"""Show a reply while it is written, and take it away again for the finished answer."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from agent.printable import printable

# What is there sooner needs no sign that it is coming.
_QUIET_S = 0.4
_LINES_KEPT_FREE = 3


@contextmanager
def keys_held_back() -> Iterator[None]:
    """Keep what is typed ahead for the next prompt, as it is typed, and off the screen.

    Echoed, it would stand in the middle of a reply; read by lines, a Ctrl-D would be lost.
    Ctrl-C interrupts as ever.
    """
    try:
        import termios
    except ImportError:  # no such terminals on Windows
        yield
        return
    if sys.stdin is None or not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    held = termios.tcgetattr(descriptor)
    held[0] &= ~termios.ICRNL
    held[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSANOW, held)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


class Streamed:
    """A reply on a terminal while it is written; nothing where there is no terminal.

    :param console: Where to show it.
    :param waiting: What is said until the first piece comes.
    """

    def __init__(self, console: Console, waiting: str = "reading the sources") -> None:
        self._console = console
        self._pieces: list[str] = []
        self._since = time.monotonic()
        self._spinner = Spinner("dots", Text(waiting, style="dim"))
        self._keys = ExitStack()
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(
                console=console, get_renderable=self._now, transient=True, refresh_per_second=10
            )

    def __enter__(self) -> Self:
        """Start showing."""
        if self._live is not None:
            self._keys.enter_context(keys_held_back())
            self._live.start(refresh=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take away what was shown."""
        if self._live is not None:
            self._live.stop()
        self._keys.close()

    @property
    def on_text(self) -> Callable[[str], None] | None:
        """What to tell each piece to; None where nothing is shown as it comes."""
        return self._pieces.append if self._live is not None else None

    @property
    def text(self) -> str:
        """What was written so far, printable."""
        return printable("".join(self._pieces)).strip()

    def _now(self) -> RenderableType:
        if not self._pieces:
            return self._spinner if time.monotonic() - self._since > _QUIET_S else Text("")
        # What outgrows the screen could not be taken away again: show its end.
        lines = Text(self.text).wrap(self._console, self._console.width)
        most = max(self._console.height - _LINES_KEPT_FREE, 1)
        return Text("\n").join(lines[-most:])
