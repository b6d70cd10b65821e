"""Take apart a question that asks for several things."""

import re
from dataclasses import dataclass

from agent.router.features import parts_of

_MOST = 2000
_AND = r"(?:and|but|also|then|plus)"
_JOINING = re.compile(rf"^[\s,;:.!?]*(?:{_AND}\b\s*)*", re.IGNORECASE)
_JOINED_TO = re.compile(
    rf"(?<![\s,;:–—-])[\s,;:–—-]*(?:\s{_AND}[\s,;:–—-]*){{0,2}}$", re.IGNORECASE
)
# What is said before a colon or a dash, behind which it is asked.
_TOLD = re.compile(r"(?:(?!\b(?:wh|how\b)).)*(?::|\s[-–—])\s+", re.IGNORECASE)
# The "and" of it takes nothing apart.
_BETWEEN = re.compile(r"(\bdifferences?\s+between\s(?:(?!\band\b)[^?])*)and\b", re.IGNORECASE)
_IN = (
    r"(?:about|above|after|against|at|before|below|by|during|for|from|in|into|of|on|over|since|to|"
    r"under|until|with|within)"
)
_IS = (
    r"(?:am|are|can|could|did|do|does|had|has|have|is|may|might|must|shall|should|was|were|will|"
    r"would)"
)
_INTO = rf"(?:{_IN}\s+(?:(?!{_IN}\b)[\w'’-]+\s+){{0,5}}?)"
_WHAT = r"(?:what|which|who|whom|whose|why|how|when|where)"
# At the beginning, behind a few words such as "for a new belt", or told to say: elsewhere the word
# belongs to what is said, as in "someone who fell". "When" and "where" ask before a verb only.
_ASKING = re.compile(
    r"(?:^|[:–—-]\s+)(?:please\s+)?(?:(?:can|could|do|would|will)\s+you\s+)?(?:please\s+)?"
    r"(?:(?:explain|find\s+out|know|say|show|tell)\s+(?:(?:to\s+)?(?:me|us|[\w'’-]+)\s+)?)?"
    rf"(?:(?:and|but|so|then)\s+)?{_INTO}?"
    rf"(?:(?:what|which|who|whom|whose|why|how)(?:['’]s)?|(?:when|where)(?:['’]s|\s+{_INTO}?{_IS}))\b",
    re.IGNORECASE,
)
# Behind a comma alone, what these say is told of what stands before it.
_RELATIVE = re.compile(
    rf"(?:{_IN}\s+)?(?:which(?! one)|who|whom|whose)\b(?!.*\b(?:do|does|did)\b)", re.IGNORECASE
)
# What asks for a thing and says nothing of it yet: "how many belts and how much oil do I need".
_THING = re.compile(
    rf"(?:{_IN}\s+)?(?:what|which|whose|how\s+(?:many|much))\s+[\w'’-]+$", re.IGNORECASE
)
_INSIDE = re.compile(rf"\b{_WHAT}\b", re.IGNORECASE)
_BY_AND = re.compile(r"\s+(?:and|or)\s+", re.IGNORECASE)
_BY_COMMA = re.compile(r",\s+")
# Begins what is said before something is asked, and no further thing that was asked of before it.
_TOLD_ANEW = re.compile(
    r"(?:after|as|because|before|he|i|if|it|my|once|our|she|since|there|they|this|until|we|when|"
    r"where|while)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AskedPart:
    """One of the things that a question asks for.

    :param said: What the question says before it asks, with a blank behind it; may be empty.
    :param asks: What it asks.
    """

    said: str
    asks: str

    @property
    def question(self) -> str:
        """Both, as one question."""
        return self.said + self.asks


def asked_apart(question: str) -> tuple[AskedPart, ...]:
    """Return each thing that a question asks for, behind what it says before it asks.

    :param question: Such as "I am a donor. How long am I off, and if I fall ill, who is told?" What
        stands behind its 2,000th character is of the last.
    :returns: Nothing where it asks for one thing.
    """
    masked = _BETWEEN.sub(r"\1&&&", question[:_MOST])
    # Where each thing that is asked for begins, with what is said right before it.
    begins: list[int] = []
    at, before, told_at = 0, "", None
    for part in parts_of(masked):
        joined = masked[at : masked.index(part, at)]
        at += len(joined) + len(part)
        start = at - len(part)
        if _ASKING.search(part) and not (begins and _goes_on(before, joined, part)):
            told = _TOLD.match(part) if not begins else None
            begins.append(start + told.end() if told is not None else told_at or start)
            before, told_at = part, None
        elif before and _TOLD_ANEW.match(part):
            before, told_at = "", start
        elif before:
            before += joined + part
    if len(begins) < 2:
        return ()
    said = _JOINED_TO.sub("", question[: begins[0]])
    said += " " if said.endswith((".", "!", "?")) else ". " if said else ""
    stretches = zip(begins, [*begins[1:], len(question)], strict=True)
    return tuple(
        AskedPart(said, _JOINED_TO.sub("", _JOINING.sub("", question[start:end])))
        for start, end in stretches
    )


def _goes_on(before: str, joined: str, part: str) -> bool:
    """Whether what seems to ask anew belongs to what is asked before it.

    :param before: That, or nothing where something is said between the two.
    :param joined: What stands between them.
    """
    if _BY_COMMA.fullmatch(joined):
        return _RELATIVE.match(part) is not None
    # "Where do we note who works on what and who is free?"
    asked = _ASKING.search(before)
    return (
        asked is not None
        and _BY_AND.fullmatch(joined) is not None
        and (_THING.match(before) or _INSIDE.search(before, asked.end())) is not None
    )
