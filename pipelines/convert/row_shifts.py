"""Put rows of a table back into line whose values slipped one column to the right.

The usual cause is a separator inside a value that was not quoted: it makes two fields of
one, and everything after it stands one column too far.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.convert.column_types import Kind, TypeProbe
from pipelines.convert.extracted import clean

# pandas calls a column without a name "Unnamed: 16".
_NAMELESS = re.compile(r"(?:Unnamed: \d+)?")
# A last column without a name is a spill-over if all but a few rows leave it empty.
_SPILLED_SHARE = 0.01
# Distinct values remembered of a column: more, and they are no vocabulary.
_VOCABULARY = 2_000


def is_nameless(name: str) -> bool:
    """Say whether a column's name was made up because it had none."""
    return _NAMELESS.fullmatch(name.strip()) is not None


def mend_shifts(
    header: Sequence[str],
    rows: Callable[[], Iterable[tuple[int, Sequence[str]]]],
    *,
    width: int,
    delimiter: str = ",",
) -> dict[int, list[str]]:
    """Find the rows that slipped and put them back into line.

    Suspect is a row with one field too many, and one with a value in a last column that
    has no name and is empty elsewhere.

    :param header: The columns' names; empty for a table without header.
    :param rows: Gives the rows with their numbers; called up to two times.
    :param width: How many fields a row should have.
    :param delimiter: What separated the fields where they were written.
    :returns: The rows in line again by their numbers.
    """
    spills = bool(header) and all(map(is_nameless, header[width - 1 :]))
    spilled: dict[int, Sequence[str]] = {}
    overlong: dict[int, Sequence[str]] = {}
    total = 0
    for number, fields in rows():
        total += 1
        if len(fields) == width + 1:
            overlong[number] = fields
        elif spills and len(fields) == width and fields[-1].strip():
            spilled[number] = fields
    if len(spilled) > max(1, _SPILLED_SHARE * total):
        spilled = {}
    suspects = spilled | overlong
    if not suspects or len(suspects) > total / 2:
        return {}
    ordinary = (fields for number, fields in rows() if number not in suspects)
    finder = ShiftFinder(ordinary, width, delimiter)
    mended = {number: finder.mend(fields) for number, fields in suspects.items()}
    return {number: fields for number, fields in mended.items() if fields is not None}


@dataclass(slots=True)
class _Profile:
    """What the values of one column look like."""

    seen: set[str] = field(default_factory=set)
    probe: TypeProbe = field(default_factory=TypeProbe)
    kind: Kind = "empty"

    def see(self, value: str) -> None:
        self.probe.see(value)
        if value and len(self.seen) < _VOCABULARY:
            self.seen.add(value.casefold())

    def fits(self, value: str) -> float:
        """Say how well a value fits in, from 0 to 1."""
        if not value or value.casefold() in self.seen:
            return 1.0
        if self.kind in ("text", "empty"):
            return 0.25 if self.kind == "text" else 0.0
        probe = TypeProbe()
        probe.see(value)
        kind = probe.column_type().kind
        return 1.0 if kind == self.kind or {kind, self.kind} == {"int", "float"} else 0.0


class ShiftFinder:
    """Knows a table's ordinary rows and finds where another one slipped.

    :param rows: The ordinary rows.
    :param width: How many columns they have.
    :param delimiter: What separates fields.
    """

    def __init__(self, rows: Iterable[Sequence[str]], width: int, delimiter: str) -> None:
        self._profiles = [_Profile() for _ in range(width)]
        self._delimiter = delimiter
        for row in rows:
            for profile, value in zip(self._profiles, row, strict=False):
                profile.see(clean(value))
        for profile in self._profiles:
            profile.kind = profile.probe.column_type().kind

    def mend(self, fields: Sequence[str]) -> list[str] | None:
        """Join the two fields that were one value.

        :param fields: A row with one field more than it should have, or with a value in a
            last column that is empty in every other row.
        :returns: The row in line again; None unless one place fits better than all others
            and better than the row as it stands.
        """
        width = len(self._profiles)
        if not width <= len(fields) <= width + 1:
            return None
        spaced = [value[:1].isspace() for value in fields]
        fields = [clean(value) for value in fields]
        as_it_stands = self._score(fields[:width]) - (1.0 if len(fields) > width else 0.0)
        scored = []
        for at in range(len(fields) - 1):
            if fields[at] and fields[at + 1]:
                joint = self._delimiter + " " * spaced[at + 1]
                joined = [*fields[:at], fields[at] + joint + fields[at + 1], *fields[at + 2 :]]
                joined += [""] * (width - len(joined))
                scored.append((self._score(joined), at, joined))
        scored.sort(key=lambda one: one[0], reverse=True)
        if not scored or scored[0][0] <= as_it_stands:
            return None
        if len(scored) > 1 and scored[1][0] >= scored[0][0]:
            return None
        return scored[0][2]

    def _score(self, fields: Sequence[str]) -> float:
        return sum(p.fits(v) for p, v in zip(self._profiles, fields, strict=False))
