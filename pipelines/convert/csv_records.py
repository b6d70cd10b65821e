"""Read the records of a separated-values text, mending what is badly quoted.

RFC 4180, and what is met in its place: other separators, quotes escaped by a backslash,
fields with a stray quote that would swallow the lines after them.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

DELIMITERS = ",;\t|"

_SAMPLE_RECORDS = 200
_SAMPLE_CHARACTERS = 1 << 18
# How many lines a field with unescaped quotes inside may run over.
_MAX_MENDED_LINES = 30
# Excel's own way to name the separator.
_NAMED = re.compile(r"sep=(.)\n", re.IGNORECASE)
_ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    :param line: Number of its first line in the file, from 1.
    :param fields: Its fields, unquoted.
    :param mended: Whether its quotes were not well-formed and it was read around them.
    """

    line: int
    fields: list[str]
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text is written.

    :param delimiter: What stands between fields; empty where a line is one field.
    :param width: Fields that most records have.
    :param backslash: Whether a backslash before a quote escapes it.
    """

    delimiter: str
    width: int
    backslash: bool = False


def normal_lines(text: str) -> str:
    """Write every line break as a line feed, also those of an old Macintosh."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sniff(text: str, *, prefer: str = ",") -> Dialect:
    """Find out how a text is written.

    The separator is the one that divides most records into equally many fields. Whether
    backslashes escape quotes is tried on the whole text: the reading with fewer
    irregular records is taken.

    :param text: The text with normal lines.
    :param prefer: The separator taken where several do equally well.
    """
    named = _NAMED.match(text)
    others = [d for d in DELIMITERS if d != prefer]
    candidates = [named[1]] if named else [prefer, *others]
    sample = text[:_SAMPLE_CHARACTERS]
    if len(sample) < len(text):
        sample = sample[: sample.rfind("\n") + 1] or sample
    first_line = sample.lstrip().partition("\n")[0]
    best, best_score = Dialect("", 1), (0.0, 0)
    for delimiter in candidates:
        for backslash in (False, True) if '\\"' in sample else (False,):
            share, width = _usual_width(sample, Dialect(delimiter, 0, backslash))
            if width < 2 or (share < 0.5 and delimiter not in first_line):
                continue
            if (round(share, 1), width) > best_score:
                best, best_score = Dialect(delimiter, width, backslash), (round(share, 1), width)
    if '\\"' in text and best.delimiter:
        # Equally many: RFC 4180 knows no backslash.
        best = min(
            (Dialect(best.delimiter, best.width, backslash) for backslash in (False, True)),
            key=lambda dialect: _irregular(text, dialect),
        )
    return best


def _usual_width(sample: str, dialect: Dialect) -> tuple[float, int]:
    """Return the width of most records of several fields, and their share of all records."""
    widths: Counter[int] = Counter()
    for record in records(sample, dialect):
        if any(field.strip() for field in record.fields):
            widths[len(record.fields)] += 1
        if widths.total() >= _SAMPLE_RECORDS:
            break
    count, width = max(((n, width) for width, n in widths.items() if width > 1), default=(0, 1))
    return count / max(1, widths.total()), width


def _irregular(text: str, dialect: Dialect) -> int:
    return sum(r.mended or len(r.fields) != dialect.width for r in records(text, dialect))


def records(text: str, dialect: Dialect) -> Iterator[Record]:
    """Read all records; an empty line gives one without fields.

    A quoted field may run over lines as long as its quotes are well-formed and what it
    swallows does not itself look like records. Otherwise the line is read on its own, its
    stray quotes taken as they stand, and reading goes on with the next line.

    :param text: The text with normal lines.
    :param dialect: How it is written; a width of 0 means unknown.
    """
    named = _NAMED.match(text)
    position, line = (named.end(), 2) if named else (0, 1)
    if not dialect.delimiter:
        for number, one in enumerate(text[position:].split("\n"), start=line):
            yield Record(number, [_unquoted(one)] if one.strip() else [])
        return
    # Only where it stands before a quote is a blank after a separator not part of the value.
    sign = dialect.delimiter
    spaced = re.search(re.escape(sign) + ' +"', text) is not None
    while position < len(text):
        lines = _Lines(text, position, dialect.backslash)
        reader = csv.reader(
            lines, delimiter=dialect.delimiter, strict=True, skipinitialspace=spaced
        )
        while True:
            position, read = lines.position, reader.line_num
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                break
            taken = reader.line_num - read
            if taken > 1 and _swallows(text[position : lines.position], fields, dialect):
                break
            yield Record(line, _restored(fields) if dialect.backslash else fields)
            line += taken
        mended, end = _mend(text, position, dialect)
        yield Record(line, mended, mended=True)
        line += text.count("\n", position, end)
        position = end


class _Lines:
    """The lines of a text from a position on, each with its line feed."""

    def __init__(self, text: str, position: int, backslash: bool) -> None:
        self._text = text
        self.position = position
        self._backslash = backslash

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self.position >= len(self._text):
            raise StopIteration
        end = _line_end(self._text, self.position)
        line = self._text[self.position : end]
        self.position = end
        return _hidden(line) if self._backslash else line


def _line_end(text: str, position: int) -> int:
    return text.find("\n", position) + 1 or len(text)


def _hidden(text: str) -> str:
    """Put noncharacters in the place of escaped quotes and backslashes."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: "\ufdd0" if found[1] == '"' else "\ufdd1", text)


def _restored(fields: list[str]) -> list[str]:
    return [field.replace("\ufdd0", '"').replace("\ufdd1", "\\") for field in fields]


def _swallows(stretch: str, fields: list[str], dialect: Dialect) -> bool:
    """Say whether a record over several lines is one that swallowed others."""
    if dialect.width == 0:
        return False
    lines = stretch.rstrip("\n").split("\n")
    if len(fields) != dialect.width:
        alone = len(_loose_split(lines[0], dialect)) == dialect.width
        return alone or len(lines) > _MAX_MENDED_LINES
    # An address has a comma or two; whole lines of fields are records.
    inner = lines[1:-1]
    return dialect.width > 2 and bool(inner) and all(_is_record(one, dialect) for one in inner)


def _is_record(line: str, dialect: Dialect) -> bool:
    """Say whether a line is a whole record on its own, every quote in its place."""
    well_formed = _well_formed(dialect.delimiter)
    shown = _hidden(line) if dialect.backslash else line
    return bool(well_formed.fullmatch(shown)) and (
        len(_loose_split(line, dialect)) == dialect.width
    )


@cache
def _well_formed(delimiter: str) -> re.Pattern[str]:
    sign = re.escape(delimiter)
    field = rf'(?: *+"(?:[^"]|"")*+" *+|[^"{sign}]*+)'
    return re.compile(rf"{field}(?:{sign}{field})*+")


def _mend(text: str, position: int, dialect: Dialect) -> tuple[list[str], int]:
    """Read one record around its stray quotes; returns its fields and where it ends.

    It is the line, or the few lines that together have the usual number of fields.
    """
    first_end = end = _line_end(text, position)
    first = fields = _loose_split(text[position:end].rstrip("\n"), dialect)
    for _ in range(_MAX_MENDED_LINES):
        if len(fields) == dialect.width:
            return fields, end
        if dialect.width == 0 or end == len(text) or len(fields) > dialect.width:
            break
        next_end = _line_end(text, end)
        if _is_record(text[end:next_end].rstrip("\n"), dialect):
            break
        end = next_end
        fields = _loose_split(text[position:end].rstrip("\n"), dialect)
    return first, first_end


def _loose_split(line: str, dialect: Dialect) -> list[str]:
    """Split at separators outside quotes; a quote that is not closed is a character."""
    if dialect.backslash:
        line = _hidden(line)
    delimiter = re.escape(dialect.delimiter)
    closing = re.compile(rf'"[^\S\n]*(?={delimiter}|\Z)')
    fields: list[str] = []
    position, closes = 0, '"' in line
    while True:
        start = position
        while start < len(line) and line[start] == " ":
            start += 1
        found = None
        if closes and line.startswith('"', start):
            found = _closed(line, start + 1, closing)
            closes = found is not None
        if found is not None:
            fields.append(line[start + 1 : found.start()].replace('""', '"'))
            position = found.end()
        else:
            end = line.find(dialect.delimiter, position)
            end = len(line) if end < 0 else end
            fields.append(line[position:end])
            position = end
        if position >= len(line):
            return _restored(fields) if dialect.backslash else fields
        position += len(dialect.delimiter)


def _closed(line: str, start: int, closing: re.Pattern[str]) -> re.Match[str] | None:
    """Find the quote that closes a field: before a separator, and not the half of a pair."""
    position = start
    while found := closing.search(line, position):
        before = found.start()
        while before > start and line[before - 1] == '"':
            before -= 1
        if (found.start() - before) % 2 == 0:
            return found
        position = found.start() + 1
    return None


def _unquoted(line: str) -> str:
    line = line.strip()
    if len(line) > 1 and line[0] == line[-1] == '"':
        return line[1:-1].replace('""', '"')
    return line
