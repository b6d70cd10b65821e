"""Whether a question may be one for the tables; by itself, so that others load none of them."""

import re

_WORKED_OUT = (
    r"\b(?:how (?:many|often)|number of|count|totals?|sum|altogether|together|average|the mean"
    r"|max(?:imum)?|min(?:imum)?|most|least|fewest"
    r"|(?:high|low|larg|small|bigg|great|long|short|cheap|dear|costli|lat|new|young|earli|old|heavi"
    r"|light|tall|fast|slow)est|last|first|top|per|each)\b"
)
WORKED_OUT = re.compile(_WORKED_OUT, re.IGNORECASE)
"""Asks for a count, a sum, an extreme."""
_CUE = re.compile(
    _WORKED_OUT +
    # Rows that meet a condition may be asked for.
    r"|^\W*(?:please\s+)?(?:list|show|give|name)\b"
    r"|\b(?:\w+ than|over|under|above|below|at (?:least|most)|up to|before|after|since|until"
    r"|between|on)\s+[$€£]?\s?\d",
    re.IGNORECASE,
)
_WHICH = re.compile(r"\bwhich\b", re.IGNORECASE)
_SO = re.compile(r"\b(?:not|\w+n['’]t|un\w*(?:ed|paid|sold|sent|done)|still)\b", re.IGNORECASE)


def has_cue(question: str) -> bool:
    """Say whether a question may be for a table: a count, a sum, an extreme; takes microseconds."""
    if _CUE.search(question) is not None:
        return True
    which = _WHICH.search(question)
    return which is not None and _SO.search(question, which.end()) is not None
