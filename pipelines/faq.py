"""Questions that a document answers itself: what stands under one is its answer."""

import re

from pipelines.evidence import Evidence, Span

# "Q: May I? A: You may."
_MARK = re.compile(r"(?:A|Answer)\s?[:.)]\s+")
_AFTER_QUESTION = ")\"'”’*_ "


def asks(text: str) -> bool:
    """Return whether a sentence or heading asks something."""
    return text.rstrip(_AFTER_QUESTION).endswith("?")


def answered(piece: Evidence) -> dict[Span, float]:
    """Return the sentences of a piece that answer a question standing above them.

    Those are the first paragraph, or list, under it. Each comes with how well that question meets
    the words of what was asked, from 0 to 1.
    """
    found: dict[Span, float] = {}
    score: float | None = None
    last, is_first = 0, False
    for start, end, own in piece.sentences:
        gap, last = piece.text[last:start], end
        if asks(piece.text[start:end]):
            score, is_first = own, True
            continue
        is_heading = any(first <= start < after for first, after in piece.headings)
        if is_heading or (gap.count("\n") > 1 and not is_first):
            score = None
        if score is not None:
            found[start, end] = score
            is_first = False
    return found


def behind_mark(text: str, start: int) -> int:
    """Return where an answer's words begin: behind an "A:" that stands before them."""
    mark = _MARK.match(text, start)
    return start if mark is None else mark.end()
