"""Lists in evidence, and which questions ask for what a whole list tells."""

import re
from dataclasses import dataclass

from pipelines.evidence import Evidence
from pipelines.packing import Span

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
# "How do I close up?", "how to clean the tank"; not "how do I reach the vet".
_ASKS_STEPS = re.compile(
    r"\bhow (?:do|should|can|could|would|must|to)\b"
    r"(?! (?:\w+ ){0,3}?(?:reach|contact|call|phone|ring|email|find|know|pay|spell)\b)",
    re.IGNORECASE,
)
# "What do I have to bring?", "what should visitors wear", "what is allowed".
_DOES = (
    r"(?:do|doing|bring|wear|take|need(?! to)|have(?! to)|tell|say|check|pack|prepare|provide|show"
    r"|send|expect|watch|clean|inspect|avoid|refuse|include|return|hand (?:in|over|back)|give back"
    r"|sort out|ask)"
)
_ASKS_WHAT_TO_DO = re.compile(
    r"\bwhat (?:all |else |exactly )?(?:do|does|did|should|must|can|could|may|shall|would|needs? to"
    rf"|has to|have to)\b[^?,;]*\b{_DOES}\b"
    rf"|\bwhat to {_DOES}\b"
    r"|\bwhat (?:must|should|has to|needs to) be \w+"
    r"|\bwhat needs doing\b"
    r"|\bwhat (?:am|are) (?:i|we|you|they) (?:not )?(?:supposed|allowed|meant)\b"
    r"|\bwhat(?:'s| is| are| comes) (?:not )?(?:allowed|forbidden|banned|required|included|covered"
    r"|needed|in|inside|part of)\b",
    re.IGNORECASE,
)
# "Which documents do I need?", "what are the rules".
_ASKS_SEVERAL = re.compile(
    r"\b(?:what|which)\s+(?:(?:\w+\s+){0,2}?\w{2,}(?<![su])s(?:\s+of\s+\w+)?\s+(?:are|were|do|did"
    r"|can|must|should|need|may|will|would|could|mean|count|cause|come|go|get|i|we|you|they)\b"
    r"|are (?!(?:\w+ ){0,3}(?:odds|chances|rates|fees)\b)(?:\w+ ){0,3}\w{2,}s\b)",
    re.IGNORECASE,
)
_NAMES_LIST = re.compile(
    r"(?:^\W*|\bwhat(?:'s| is| are) |\bwhich )(?:list |name )?(?:the |your |our |my )?(?:\w+ ){0,2}"
    r"(?:steps|rules|requirements|procedure|checklist|instructions|routine|dos|don'ts|ingredients"
    r"|symptoms|signs|causes|duties|protective gear)\b",
    re.IGNORECASE,
)
# One place in a list, one fact, or yes or no: "the last thing I do", "what time", "can I".
_ASKS_ONE = re.compile(
    r"\b(?:first|last|second|third|next|final) (?:two |three |few )?"
    r"(?:thing|step|item|task|rule|job|point)s?\b"
    r"|\b(?:first|last|next|second|third)\s*\??\s*$"
    r"|\bhow (?:much|many|long|often|far|soon|old|big|high|hot|cold)\b"
    r"|\b(?:what|which) (?:are )?(?:the |your |our )?(?:opening )?(?:times?|dates?|days?|hours|year"
    r"|age|prices?|size|speed|temperature|colou?r|number|code|password|address|amount|fee|limit)\b"
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


def asks_for_list(question: str) -> bool:
    """Return whether a question may ask for all of a list's items, by its form."""
    if len(question) > _MOST_ASKED:
        return False
    question = _apart(_POLITE.sub("", question))
    if _ASKS_ONE.search(question):
        return False
    asks = (_ASKS_STEPS, _ASKS_WHAT_TO_DO, _ASKS_SEVERAL, _NAMES_LIST)
    return any(form.search(question) for form in asks)


def _apart(text: str) -> str:
    """Return a text with "not" as a word of its own: "can't" as "can not"."""
    return _NOT.sub(lambda match: f"{match[1] or ''} not", text)


def is_opposite(question: str, heads: str) -> bool:
    """Return whether what stands above a list says the opposite of what a question asks for."""
    texts = [_apart(text) for text in (question, heads)]
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
