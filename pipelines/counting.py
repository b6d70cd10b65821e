"""Whether a question may be one for the tables; by itself, so that others load none of them."""

import re

_AGGREGATE = re.compile(
    r"\b(?:how (?:many|often)|number of|count|totals?|sum|altogether|average|the mean"
    r"|max(?:imum)?|min(?:imum)?|most|least|fewest|(?:high|low|larg|small|bigg|great|long|short|cheap|dear|costli"
    r"|lat|new|earli|old)est|last|first|top|per|each)\b",
    re.IGNORECASE,
)


def has_cue(question: str) -> bool:
    """Say whether a question may ask for a count, a sum or an extreme; takes microseconds."""
    return _AGGREGATE.search(question) is not None
