"""Put rows of a table back into line whose values slipped one column to the right.

The usual cause is a separator inside a value that was not quoted: it makes two fields of
one, and everything after it stands one column too far.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.convert.column_types import Kind, TypeProbe
from pipelines.convert.extracted import clean

# Distinct values remembered of a column: more, and they are no vocabulary.
_VOCABULARY = 2_000


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
