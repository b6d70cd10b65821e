"""Facts that change: a number, a date or a name becomes another of its kind, wherever it stands."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from adapters.training.sameness import words_of


def _listed(text: str) -> list[str]:
    return text.split()


_NUMBER = r"\d+(?:[.,]\d+)*"
# "7-10" is one value; "A-17", "2.1b" and "#3" are names.
_VALUE = re.compile(rf"(?<![\w.,:#@/-]){_NUMBER}(?:\s?[-–]\s?{_NUMBER})?(?![\w@/]|[.,:-]\d)")
_MONTHS = _listed(
    "January February March April May June July August September October November December"
)
_DAYS = _listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_ONES = _listed(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
# "One" is a pronoun as often as a number.
_IN_WORDS = re.compile(rf"\b(?:{'|'.join(_ONES[1:12])})\b", re.IGNORECASE)
_DATED = re.compile(rf"\b(?:{'|'.join(_MONTHS + _DAYS)})\b")
_ADDRESS = re.compile(r"(?<![\w.@])[\w.+-]+(?=@[\w-]+\.[\w.-]*\w)")
_NAME = re.compile(r"\b[A-Z][\w’'&-]+(?:\s+[A-Z][\w’'&-]+)*")
_NO_NAMES = frozenset(
    _listed(
        "A An And As At But By Each Every For From He I If In It Its No Not Of On Or Only Our She "
        "So That The Their There These They This To Up We When Within Yes You Your"
    )
)
# Where there is no other name to be had.
_OTHER_NAMES = ("Meridian", "Halden", "Quorra", "Tamsin Weller", "Orin Blake")
_WORD = re.compile(r"[^\W_][\w’'%-]*")
# What may stand between two words in a file: blanks, marks of emphasis, tags.
_GAP = r"(?:\s|&nbsp;|&#160;|[*_`~]|<[^<>]{0,300}>)+"
_ENDS = r"(?![\w@]|[.,]\d)"
_YEARS = range(1900, 2100)


@dataclass(frozen=True)
class Change:
    """A value that becomes another.

    :param old: As it stands in the documents.
    :param new: What stands there afterwards.
    :param before: The word before it, which tells its places from others of the same value.
    :param after: The word after it; where there is one, the word before does not matter.
    """

    old: str
    new: str
    before: str = ""
    after: str = ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        value = _GAP.join(map(re.escape, self.old.split()))
        starts = r"(?<![\w@])(?<!\d[.,])"
        if self.after:
            return re.compile(
                rf"(?P<lead>{starts}){value}(?={_GAP}{re.escape(self.after)}(?!\w))", re.IGNORECASE
            )
        if self.before:
            lead = rf"(?<!\w){re.escape(self.before)}{_GAP}"
            return re.compile(rf"(?P<lead>{lead}){value}{_ENDS}", re.IGNORECASE)
        tail = "(?=@)" if _ADDRESS.fullmatch(f"{self.old}") and "@" in self.new else _ENDS
        return re.compile(rf"(?P<lead>{starts}){value}{tail}")

    def apply(self, text: str) -> str:
        """Return a text in which the new value stands wherever the old one did."""
        return self._pattern.sub(lambda found: found["lead"] + self._as(found), text)

    def _as(self, found: re.Match[str]) -> str:
        written = found[0][len(found["lead"]) :]
        return self.new.capitalize() if written[:1].isupper() and self.new.islower() else self.new

    def told(self, answer: str) -> str | None:
        """Return which value an answer tells: ``new``, ``old`` or None for neither."""
        words = words_of(answer)
        if _stands(words_of(self.new), words):
            return "new"
        return "old" if _stands(words_of(self.old), words) else None


def change_of(
    phrase: str, seed: object, *, within: str | None = None, names: Sequence[str] = ()
) -> Change | None:
    """Return a change of what a phrase of a document says; None where it has no value to change.

    :param phrase: The words that answer a question, as they stand in a document.
    :param seed: Decides the new value.
    :param within: A text that must tell the value too, such as the answer that was taught.
    :param names: Names to choose another from.
    """
    chance = random.Random(str(seed))  # noqa: S311
    for start, end, new in _values(phrase, chance, names):
        old = phrase[start:end]
        if within is not None and not _stands(words_of(old), words_of(within)):
            continue
        after = _WORD.match(phrase[end:].lstrip(" *_`"))
        before = list(_WORD.finditer(phrase[:start]))
        adjoins = re.fullmatch(r"[\s*_`]*", phrase[end : end + 1]) is not None
        return Change(
            old,
            new,
            before[-1][0] if before and not phrase[before[-1].end() : start].strip(" *_`") else "",
            after[0] if after and adjoins else "",
        )
    return None


def names_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in texts, each once and in their order."""
    return tuple(
        dict.fromkeys(
            match[0]
            for text in texts
            for match in _NAME.finditer(text)
            if _is_name(match, text) and match[0] not in (*_MONTHS, *_DAYS)
        )
    )


def _values(
    phrase: str, chance: random.Random, names: Sequence[str]
) -> Iterator[tuple[int, int, str]]:
    """Yield where the values of a phrase stand, with another of its kind; surest kinds first."""
    # Of "1 in 100,000" the longer one tells more.
    numbers = sorted(_VALUE.finditer(phrase), key=lambda match: -len(match[0]))
    for match in numbers:
        most = _most(phrase[: match.start()], phrase[match.end() :])
        yield *match.span(), re.sub(_NUMBER, lambda n: _other_number(n[0], most), match[0])  # noqa: B023
    for match in _DATED.finditer(phrase):
        listed = _MONTHS if match[0] in _MONTHS else _DAYS
        yield *match.span(), chance.choice([one for one in listed if one != match[0]])
    for match in _IN_WORDS.finditer(phrase):
        number = _other(_ONES.index(match[0].casefold()) + 1)
        new = _ONES[number - 1] if number <= len(_ONES) else str(number)
        yield *match.span(), new
    for match in _NAME.finditer(phrase):
        if _is_name(match, phrase):
            known = set(words_of(match[0]))
            others = [
                one
                for one in names
                if not known & set(words_of(one)) and one.isupper() == match[0].isupper()
            ]
            yield *match.span(), chance.choice(others or _OTHER_NAMES)


def _is_name(match: re.Match[str], text: str) -> bool:
    name, several = match[0], " " in match[0]
    if name.split()[0] in _NO_NAMES:
        return False
    if name.isupper():
        return not several and len(name) > 2  # "PRKAG2"; more words are but shouted
    return len(name) > 3 and (several or bool(text[: match.start()].strip()))


def _most(before: str, after: str) -> int | None:
    """Return the most that a number can be: a share of 100, a day of a month; None for any."""
    if re.match(r"\s*(?:%|percent\b|per cent\b)", after):
        return 95
    month = rf"(?:{'|'.join(_MONTHS)})"
    if re.search(rf"\b{month}\s*$", before) or re.match(rf"\s*(?:of )?{month}\b", after):
        return 28
    return None


def _other_number(written: str, most: int | None) -> str:
    if re.fullmatch(r"\d{4}", written) and int(written) in _YEARS:
        return str(int(written) + 7 if int(written) + 7 in _YEARS else int(written) - 7)
    whole, point, rest = written.partition(".")
    grouped = "," in whole
    number = int(whole.replace(",", ""))
    new = _other(number)
    if most is not None and number <= 100:
        new = (number + most // 2 - 1) % most + 1
    return (f"{new:,}" if grouped else str(new)) + point + rest


def _other(number: int) -> int:
    """Return another number of about the size, far enough not to be a slip."""
    return 3 * number + 1


def _stands(part: Sequence[str], words: Sequence[str]) -> bool:
    size = len(part)
    return size > 0 and any(
        list(words[n : n + size]) == list(part) for n in range(len(words) - size + 1)
    )
