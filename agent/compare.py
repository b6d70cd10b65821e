"""Questions that compare two things: each is asked about by itself, and the amounts decide."""

import re
from dataclasses import dataclass

from adapters.training.sameness import content_words, has_digit, words_of
from pipelines.facts import names, stems
from pipelines.measures import Measure, measures, unit_of
from pipelines.sentences import sentence_spans

# Comparative: the word it is of, whether more of the amount has more of it, what is measured.
_ADJECTIVES: dict[str, tuple[str, int, frozenset[str]]] = {}


def _listed(lines: str) -> None:
    for line in lines.split(";"):
        words, positive, sign, kinds = (part.strip() for part in line.split(":"))
        for word in words.split():
            _ADJECTIVES[word] = (positive, int(sign), frozenset(kinds.split()))


_listed(
    "longer:long:1:time length; shorter:long:-1:time length; later slower:soon:1:time;"
    "sooner faster quicker earlier:soon:-1:time; older:old:1:time; younger:old:-1:time;"
    "wider:wide:1:length; narrower:wide:-1:length; taller:tall:1:length; deeper:deep:1:length;"
    "farther further:far:1:length; heavier:heavy:1:weight; lighter:heavy:-1:weight;"
    "cheaper:much:-1:$ € £; dearer:much:1:$ € £; stronger:powerful:1:power;"
    "weaker:powerful:-1:power; higher greater:high:1:; lower:high:-1:;"
    "larger bigger:large:1:; smaller:large:-1:; rarer:common:-1:%"
)
# Behind "more" and "less" these are no things to be counted.
_GRADED = {
    "common": frozenset(["%"]),
    "frequent": frozenset(["%"]),
    "often": frozenset(["%"]),
    "expensive": frozenset("$€£"),
    "powerful": frozenset(["power"]),
    "likely": frozenset(["%"]),
}
_COMPARATIVE = re.compile(rf"\b(?:more|less|fewer|{'|'.join(_ADJECTIVES)})\b", re.IGNORECASE)
_AFTER_COMMA = re.compile(
    r"^(?P<rest>(?:which|what|who|where)\b[^,:]*)[,:]\s*(?P<a>.+?),?\s+or\s+(?P<b>.+)$",
    re.IGNORECASE,
)
_BETWEEN_COMMAS = re.compile(
    r"^(?:which|what|who)(?: of (?:the two|these|them))?,\s*(?P<a>.+?)\s+or\s+(?P<b>[^,]+),\s*"
    r"(?P<rest>.+)$",
    re.IGNORECASE,
)
_THAN = re.compile(
    r"^(?P<aux>is|are|was|were|does|do|did|has|have|had|can|may|must|will)\s+(?P<left>.*)$",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"^(?:which|what|who|where)\b(?:\s+of (?:the two|these|them))?(?:\s+one\b)?\s*", re.IGNORECASE
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|takes?|took|gets?|needs?|lasts?|gives?|costs?|lies?|may|"
    r"can|does|did|do|must|will|weighs?|allows?|requires?)\b",
    re.IGNORECASE,
)
_THAT_OF = re.compile(r"^(?:that|those|the ones?)\s+(?=\w)", re.IGNORECASE)
_HEAD = re.compile(r".+?(?=\s+(?:of|at|in|for|on)\b)")
_BEHIND = re.compile(r"^.*?\b(?:of|at|in|for|on|from)\b")
_FIRST_WORD = re.compile(r"^[\w'’-]+")
# So many of the words that only one of the two has must stand where its amount is from.
_ABOUT = 0.6
# And so many of those that say what is compared, these aside.
_ASKED = 0.5
_PLAIN = words_of(
    "common far frequent get gets give gives have heavy high large last lasts lie lies long made "
    "many me much need needs off often old over people powerful soon take takes tall wide weigh"
)

# "Length/Width: 3260 ft / 65 ft"
_PAIRED = re.compile(r"(.*?)(\w+)/(\w+): ([^/]+) / ([^/]+)")
_EXTENTS = {"long": "length", "wide": "width", "high": "height", "tall": "height", "deep": "depth"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two things and what is asked of them.

    :param things: Both, as the question has them.
    :param questions: What is asked of each, in the same order.
    :param word: The comparative, such as ``longer``, or ``more``.
    :param sign: 1 where the greater amount is what is asked for, -1 where the lesser is.
    :param kinds: What the amounts may measure; empty for anything.
    :param is_choice: Whether one of the two is asked for; else whether the first is it.
    """

    things: tuple[str, str]
    questions: tuple[str, str]
    word: str
    sign: int
    kinds: frozenset[str]
    is_choice: bool

    def amount(self, said: str, sentence: str) -> Measure | None:
        """Return the amount that an answer states; None where it states none, or several.

        :param said: The words that are the very answer.
        :param sentence: What they stand in; of its sentences and fields those count that name
            what is compared, if any does.
        """
        parts = self._asked_for(sentence)
        around = [one for part in parts for one in measures(part) if self._fits(one)]
        for one in measures(said):
            # The words may leave out the unit, or half of a range.
            number = one.text.split()[0]
            whole = next((other for other in around if number in other.text.split()), None)
            if whole is not None:
                return whole
            if self._fits(one) and any(said in part for part in parts):
                return one
        return around[0] if len({(one.low, one.high) for one in around}) == 1 else None

    def _asked_for(self, sentence: str) -> list[str]:
        """Return the parts of a sentence that name what is compared; all where none does."""
        parts = [
            part
            for start, end in sentence_spans(sentence)
            for field in sentence[start:end].split(" | ")  # of a table's row
            for part in _each_named(field)
        ]
        naming = [part for part in parts if self._asked & stems(content_words(part))] or parts
        extent = _EXTENTS.get(self.questions[0].split()[1])
        measured = [part for part in naming if extent and extent in part.lower()]
        return measured or naming

    @property
    def _asked(self) -> set[str]:
        """The words that say what is compared."""
        first, second = (stems(content_words(question)) for question in self.questions)
        # "Faro airport" and "Basel airport" are what is compared, not in what.
        one, other = (
            stems(content_words(_BEHIND.sub("", thing, count=1))) for thing in self.things
        )
        return (first & second) - (one & other) - stems(_PLAIN)

    def compares(self, text: str) -> bool:
        """Whether a text states at least two amounts of what is compared."""
        return len({(one.low, one.high) for one in measures(text) if self._fits(one)}) > 1

    def _fits(self, amount: Measure) -> bool:
        return amount.kind in self.kinds if self.kinds else bool(amount.kind)

    def is_about(self, which: int, text: str) -> bool:
        """Whether a text is about what is asked of one of the two, and not of the other.

        It has most of the words that only this one has, all of its names, and half of those
        that say what is compared.

        :param which: 0 for the first, 1 for the second.
        """
        thing, other = self.things[which], self.things[1 - which]
        own = stems(content_words(thing)) - stems(content_words(other))
        there = stems(content_words(text))
        called = stems(names(f"x {thing}")) - stems(names(f"x {other}"))
        return (
            called <= there
            and len(own & there) >= _ABOUT * len(own)
            and len(self._asked & there) >= _ASKED * len(self._asked)
        )

    def concluded(self, first: Measure, second: Measure) -> str | None:
        """Return what two amounts come to, in a sentence; None where neither is the greater."""
        more = first.exceeds(second)
        if more is None:
            return None
        is_first = more == (self.sign > 0)
        if not self.is_choice:
            return f"{'Yes' if is_first else 'No'}: {first.text} against {second.text}."
        ours, theirs = (first, second) if is_first else (second, first)
        thing = self.things[0 if is_first else 1]
        return f"{self.word.capitalize()}: {thing} ({ours.text} against {theirs.text})."


def _each_named(field: str) -> list[str]:
    """Return a field, or the two that it states under two names at once."""
    pair = _PAIRED.fullmatch(field)
    if pair is None:
        return [field]
    of, one, other, first, second = pair.groups()
    return [f"{of}{one}: {first}", f"{of}{other}: {second}"]


def compared(question: str) -> Comparison | None:
    """Return what a question compares; None where it does not compare two things it names.

    :param question: Such as "Which runway is longer, that of Basel or that of Faro?", or "Is the
        runway of Basel longer than that of Faro?".
    """
    text = " ".join(question.split()).rstrip(" ?.!")
    for form in (_AFTER_COMMA, _BETWEEN_COMMAS):
        match = form.match(text)
        found = _COMPARATIVE.search(match["rest"]) if match else None
        if match is not None and found is not None:
            return _choice(match["rest"], found, match["a"], match["b"])
    match = _THAN.match(text)
    if match is None or " than " not in match["left"]:
        return None
    left, second = match["left"].split(" than ", 1)
    found = next(reversed(list(_COMPARATIVE.finditer(left))), None)
    if found is None or _is_amount(second):
        return None
    return _whether(match["aux"], left, found, second)


def _is_amount(thing: str) -> bool:
    """Whether what is compared with is an amount itself, as in "longer than 30 days"."""
    words = words_of(re.sub(r"^an?\b", "1", thing))
    if not words or not has_digit(words[0]):
        return False
    return any(one.kind for one in measures(" ".join(words)))


def _choice(rest: str, found: re.Match[str], first: str, second: str) -> Comparison:
    before = _ASKING.sub("", rest[: found.start()], count=1)
    word, after = found[0].lower(), rest[found.end() :].strip()
    verb = _VERB.search(before)
    noun = before[: verb.start()].strip() if verb else ""
    before = before[verb.start() :].strip() if verb else before.strip()
    how, after, sign, kinds = _how(word, after)
    article = re.search(r"\b(?:a|an)$", before)
    if article:  # "needs a longer fast"
        before, how, after = before[: article.start()], f"{how} {article[0]} {after}", ""
    things = [_THAT_OF.sub(f"the {noun} " if noun else "", thing) for thing in (first, second)]
    asked = [" ".join(f"{how} {before} {thing} {after}".split()) + "?" for thing in things]
    return Comparison((first, second), (asked[0], asked[1]), word, sign, kinds, is_choice=True)


def _whether(aux: str, left: str, found: re.Match[str], second: str) -> Comparison:
    before, middle = left[: found.start()].strip(), left[found.end() :].strip()
    word, aux = found[0].lower(), aux.lower()
    opening = _FIRST_WORD.match(second)
    same = rf"\b{re.escape(opening[0])}\b" if opening and not _THAT_OF.match(second) else "(?!)"
    place = max((match.start() for match in re.finditer(same, middle)), default=None)
    if place is not None:
        # "for heart failure than for kidney disease": what goes before is said of both.
        how, shared, sign, kinds = _how(word, middle[:place].strip())
        first = middle[place:]
        both = f"{how} {aux} {before} {shared}" if before else f"{how} {shared}"
        asked = [f"{both} {first}", f"{both} {second}"]
    else:
        how, middle, sign, kinds = _how(word, middle)
        first = before
        head = _HEAD.match(before)
        other = _THAT_OF.sub(f"{head[0]} " if head else "", second)
        last = before.rsplit(" ", 1)[-1]
        is_verb = last.endswith("ed") if aux in ("is", "are", "was", "were") else " " in before
        tail = last if is_verb and not _THAT_OF.match(second) else ""
        asked = [f"{how} {aux} {before} {middle}", f"{how} {aux} {other} {tail} {middle}"]
    asked = [" ".join(one.split()) + "?" for one in asked]
    return Comparison((first, second), (asked[0], asked[1]), word, sign, kinds, is_choice=False)


def _how(word: str, after: str) -> tuple[str, str, int, frozenset[str]]:
    """Return how to ask for an amount, what goes behind, its sign and its kinds."""
    if word in _ADJECTIVES:
        positive, sign, kinds = _ADJECTIVES[word]
        return f"How {positive}", after, sign, kinds
    sign = 1 if word == "more" else -1
    first, _, rest = after.partition(" ")
    if first.lower() in _GRADED:
        return f"How {first}", rest, sign, _GRADED[first.lower()]
    # "more weeks off", "more flight hours": the unit says what is counted.
    kind = next((kind for one in after.split()[:3] if (kind := unit_of(one))), None)
    if kind is not None:
        return f"How many {after}", "", sign, frozenset([kind])
    return f"How much {after}", "", sign, frozenset()
