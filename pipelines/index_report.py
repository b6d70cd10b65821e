"""What a run of the indexer tells: how far it is, and what it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that could not be indexed.

    :param path: Its path relative to the indexed root.
    :param reason: Why, in one line.
    """

    path: str
    reason: str


@dataclass(slots=True)
class IndexReport:
    """What a run of the indexer did.

    :param documents: Documents converted, embedded and written in this run.
    :param chunks: Passages written in this run.
    :param unchanged: Documents found as they were indexed before.
    :param removed: Documents that left the index.
    :param skipped: Documents that could not be indexed, in this run or since before.
    :param notices: What was repaired on the way, as (document, notice).
    :param seconds: Time taken.
    """

    documents: int = 0
    chunks: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0


class Progress(Protocol):
    """Told how far indexing is; every method may be called often."""

    def start(self, documents: int, weight: int) -> None:
        """Announce how much has to be indexed; weight is proportional to the work."""

    def advance(self, weight: int, document: str) -> None:
        """Report a document as converted and about to be embedded."""

    def wrote(self, documents: int, passages: int) -> None:
        """Report what has just been written and will survive a stop."""


def merge_reports(reports: Sequence[IndexReport]) -> IndexReport:
    """Add up the reports of several runs."""
    total = IndexReport()
    for report in reports:
        total.documents += report.documents
        total.chunks += report.chunks
        total.unchanged += report.unchanged
        total.removed += report.removed
        total.skipped += report.skipped
        total.notices += report.notices
        total.seconds += report.seconds
    return total
