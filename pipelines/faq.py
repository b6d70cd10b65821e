"""Questions that a document answers itself: what stands under one is its answer."""

import re

from pipelines.evidence import Evidence
from pipelines.packing import Span

# "Q: May I? A: You may."
_MARK = re.compile(r"(?:A|Answer)\s?:[ \t]+")
# A longer answer is a section of its own.
_MOST_CHARACTERS = 250
_AFTER_QUESTION = ")\"'”’*_ "


def asks(text: str) -> bool:
    """Return whether a sentence or heading asks something."""
    return text.rstrip(_AFTER_QUESTION).endswith("?")


def answers_in(piece: Evidence) -> dict[Span, float]:
    """Return the sentences of a piece that answer a question standing above them.

    Those are all up to the next question or heading, where they are short together: a long
    section under a question answers others too. Each comes with how well that question meets the
    words of what was asked, from 0 to 1.
    """
    found: dict[Span, float] = {}
    open_since: tuple[int, float] | None = None
    under: list[Span] = []

    def close() -> None:
        if open_since is not None and under and under[-1][1] - open_since[0] <= _MOST_CHARACTERS:
            found.update(dict.fromkeys(under, open_since[1]))
        under.clear()

    for start, end, score in piece.sentences:
        is_question = asks(piece.text[start:end])
        if is_question or piece.is_heading(start):
            close()
            open_since = (end, score) if is_question else None
        elif open_since is not None:
            under.append((start, end))
    close()
    return found


def behind_mark(text: str, start: int) -> int:
    """Return where an answer's words begin: behind an "A:" that stands before them."""
    mark = _MARK.match(text, start)
    return start if mark is None else mark.end()
