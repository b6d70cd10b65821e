"""Whether a question may be one for the tables; by itself, so that others load none of them."""

import re

_AGGREGATE = re.compile(
    r"\b(?:how (?:many|often)|number of|count|totals?|sum|altogether|average|the mean"
    r"|max(?:imum)?|min(?:imum)?|most|least|fewest|(?:high|low|larg|small|bigg|great|long|short|cheap|dear|costli"
    r"|lat|new|young|earli|old|heavi|light|tall|fast|slow)est|last|first|top|per|each)\b"
    # Rows that meet a condition may be asked for.
    r"|^\W*(?:please\s+)?(?:list|show|give)\b|^\W*which\s+(?:of\s+)?(?:\S+\s+)?\w+s\b"
    r"|\b(?:\w+ than|over|under|above|below|at least|at most|before|after|since|on|in) \W*\d"
    r"|\bwhich\b.*\b(?:\w+ than|over|under|above|below|at (?:least|most)|up to|before|after|since"
    r"|until|between|not|\w+n['’]t|un\w+|still|are|have|has|is|was|were)\b",
    re.IGNORECASE,
)


def has_cue(question: str) -> bool:
    """Say whether a question may ask for a count, a sum or an extreme; takes microseconds."""
    return _AGGREGATE.search(question) is not None
