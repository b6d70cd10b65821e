"""Lists in evidence, and what tells that a whole one answers a question."""

import json
import re
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from pipelines.evidence import Evidence
from pipelines.logistic import Logistic, logistic
from pipelines.packing import Span

CALIBRATION = Path(__file__).parent / "weights" / "lists.json"

# A longer list is no answer to read.
_MOST_ITEMS, _MOST_CHARACTERS = 15, 1_500
# Characters of a question that is looked at: the forms take their time over very long ones.
_MOST_ASKED = 1_000

# What is asked behind "can you tell me", and "not" where it is drawn together.
_POLITE = re.compile(
    r"^\W*(?:please\s+|(?:can|could|would|will) you (?:please )?(?:tell|show|give|list|explain)"
    r"(?: to)?(?: me| us)?\s+)",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(can)(?:'t|not)\b|n't\b", re.IGNORECASE)
# One place in a list, one fact, or yes or no: "the last thing I do", "what time", "can I".
_ASKS_ONE = re.compile(
    r"\b(?:first|last|second|third|next|final) (?:two |three |few )?"
    r"(?:thing|step|item|task|rule|job|point)s?\b"
    r"|\b(?:first|last|next|second|third)\s*\??\s*$"
    r"|\bhow (?:much|many|long|often|far|soon|old|big|high|hot|cold)\b"
    r"|\b(?:what(?:['’]s| is)?|which) (?:are )?(?:the |your |our )?(?:\w+ ){0,2}(?:times?|dates?"
    r"|days?|hours|year|age|prices?|size|speed|temperature|colou?r|number|code|password|address"
    r"|amount|fee|limit)\b"
    r"|\b(?:costs?|pay|charges?|price)\b"
    r"|\bwhat\b[^?]*\bcall(?:ed)?\b|\bas (?:my |the |an? )?\w+\s*\??\s*$"
    r"|^\W*(?:who|whom|whose|where|when|why|is|are|was|were|can|could|do|does|did|should|may|must"
    r"|has|have|will|would)\b",
    re.IGNORECASE,
)
# What a list is for, and the opposite, which no small model tells apart.
_OPPOSITES = [
    tuple(re.compile(rf"\b{form}", re.IGNORECASE) for form in pair)
    for pair in (
        (r"open(?:s|ed|ing)?\b", r"(?:clos(?:es?|ed|ing)|shut(?:ting)?|lock(?:ing)? up)\b"),
        (
            r"(?:arriv(?:es?|ed|ing|als?)|check(?:ing|s)?[- ]in)\b",
            r"(?:depart(?:s|ed|ing|ures?)?|leav(?:es|ing)|\w+s leave|check(?:ing|s)?[- ]out)\b",
        ),
        (r"(?:switch|turn)(?:ing)? (?:\w+ )*on\b", r"(?:switch|turn)(?:ing)? (?:\w+ )*off\b"),
        (r"install(?:s|ed|ing)?\b", r"(?:remov(?:es?|ed|ing)|uninstall\w*)\b"),
        (r"mornings?\b", r"(?:evening|night)s?\b"),
        (
            r"(?<!not )(?:allow|permit)",
            r"(?:forbid|banned|prohibit|not (?:\w+ ){0,2}(?:allow|permit|bring|take|use|have))",
        ),
    )
]


@dataclass(frozen=True, slots=True)
class ListCalibration:
    """How sure a whole list is to answer, and from when on it is told.

    Fitted by ``benchmarks/calibrate_lists.py``.

    :param signs: Over :class:`ListSigns`: that the list answers.
    :param threshold: Least probability with which it is told.
    """

    signs: Logistic
    threshold: float


@dataclass(frozen=True, slots=True)
class ListSpan:
    """A list in a piece of evidence.

    :param start: Where its first item begins in the piece's text.
    :param end: Where its last item ends.
    :param lead: Where the heading, or the sentence with a colon, right above it begins and ends;
        None where there is none.
    :param is_headed: The lead is a heading.
    :param heads: What leads into it, and the nearest heading.
    :param met: How well the lead, or the heading above, meets the question's words, from 0 to 1.
    """

    start: int
    end: int
    lead: Span | None
    is_headed: bool
    heads: str
    met: float

    @property
    def told_from(self) -> int:
        """Where what is told of it begins: with the sentence that leads into it."""
        return self.start if self.lead is None or self.is_headed else self.lead[0]

    def has(self, start: int) -> bool:
        """Whether a place is in the list, or in what leads into it."""
        return (self.start if self.lead is None else self.lead[0]) <= start < self.end


def asks_for_one(question: str) -> bool:
    """Return whether a question asks for one thing by its form, or whether something is so."""
    question = _apart(_POLITE.sub("", question[:_MOST_ASKED]))
    return _ASKS_ONE.search(question) is not None


@dataclass(frozen=True, slots=True)
class ListSigns:
    """What tells whether a whole list is the answer.

    :param asks_for_one: See :func:`asks_for_one`.
    :param met: How well what stands above it meets the question's words, from 0 to 1.
    :param item_met: How well its best item does: where one has the words, it alone is asked for.
    :param best: Log odds that its likeliest item answers.
    :param mean: The mean of all items' log odds: where all may answer, they do together.
    :param ahead: By how much the likeliest item is ahead of the next.
    :param other: Log odds that the likeliest other sentence answers.
    :param place: Logarithm of its piece's place in the evidence.
    :param has_lead: A sentence with a colon leads into it.
    """

    asks_for_one: bool
    met: float
    item_met: float
    best: float
    mean: float
    ahead: float
    other: float
    place: float
    has_lead: bool

    def features(self) -> tuple[float, ...]:
        """Return them as numbers, in this order."""
        return tuple(map(float, astuple(self)))


@cache
def load_list_calibration() -> ListCalibration:
    """Return the shipped calibration."""
    shipped = json.loads(CALIBRATION.read_text(encoding="utf-8"))["calibration"]
    return ListCalibration(logistic(shipped["signs"]), shipped["threshold"])


def _apart(text: str) -> str:
    """Return a text with "not" as a word of its own: "can't" as "can not"."""
    return _NOT.sub(lambda match: f"{match[1] or ''} not", text)


def is_opposite(question: str, heads: str) -> bool:
    """Return whether what stands above a list says the opposite of what a question asks for."""
    texts = [_apart(text) for text in (question[:_MOST_ASKED], heads)]
    for pair in _OPPOSITES:
        asked, led = ([bool(form.search(text)) for form in pair] for text in texts)
        if sum(asked) == sum(led) == 1 and asked != led:
            return True
    return False


def lists_of(piece: Evidence) -> list[ListSpan]:
    """Return the lists of a piece of evidence that are short enough to be told."""
    found = (_list(piece, items) for items in piece.lists if 1 < len(items) <= _MOST_ITEMS)
    return [one for one in found if one.end - one.told_from <= _MOST_CHARACTERS]


def _list(piece: Evidence, items: tuple[Span, ...]) -> ListSpan:
    start, end = items[0][0], items[-1][1]
    above = [sentence for sentence in piece.sentences if sentence[1] <= start]
    heads = [piece.is_heading(first) for first, _, _ in above]
    nearest = next((above[n] for n in reversed(range(len(above))) if heads[n]), None)
    named = (
        piece.context.rpartition(" > ")[2] if nearest is None else piece.text[slice(*nearest[:2])]
    )
    met = 0.0 if nearest is None else nearest[2]
    if above and not piece.text[above[-1][1] : start].strip():
        first, last, score = above[-1]
        if heads[-1] or piece.text[first:last].endswith(":"):
            led = named if heads[-1] else f"{named} {piece.text[first:last]}"
            met = max(met, score)
            return ListSpan(start, end, (first, last), heads[-1], led, met)
    return ListSpan(start, end, None, is_headed=False, heads=named, met=met)
