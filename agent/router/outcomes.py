"""What became of routed questions, kept in one SQLite file for the router to learn from."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from agent.errors import RouterError
from agent.printable import without_passwords
from agent.private_database import PrivateDatabase

Source = Literal["suite", "chat", "api"]
FILE = "outcomes.sqlite"
_TABLE = """CREATE TABLE outcomes (
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    question TEXT NOT NULL,
    route TEXT NOT NULL,
    adapter TEXT,
    score REAL NOT NULL,
    cost REAL NOT NULL,
    latency_ms REAL NOT NULL,
    propensity REAL NOT NULL,
    source TEXT NOT NULL,
    router_version TEXT NOT NULL,
    index_version TEXT,
    adapters TEXT NOT NULL,
    features TEXT NOT NULL
)"""
_INDEX = "CREATE INDEX outcomes_by_question ON outcomes (question)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one question that took one route.

    :param question: As it was asked; passwords in addresses are not kept.
    :param route: ``retrieval``, ``expert``, ``hybrid`` or ``abstain``.
    :param adapter: Which wrote, or None.
    :param score: How right the answer was, from 0 to 1.
    :param cost: What it cost.
    :param latency_ms: How long it took.
    :param propensity: Probability with which this route was chosen; 1 when by rule.
    :param source: Who judged: a ``suite``, the user of a ``chat``, or a caller of the ``api``.
    :param router_version: Which router chose; empty when none did.
    :param index_version: Which index was searched, or None.
    :param adapters: Names and versions of the adapters there were.
    :param features: What the router saw.
    :param at: When, with its time zone.
    :param id: Of its own; adding it again replaces the outcome.
    :raises ValueError: When a number is out of its range, or the time has no zone.
    """

    question: str
    route: str
    adapter: str | None
    score: float
    cost: float
    latency_ms: float
    source: Source
    propensity: float = 1.0
    router_version: str = ""
    index_version: str | None = None
    adapters: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score is from 0 to 1, not {self.score}")
        # What learns from outcomes divides by it.
        if not 0 < self.propensity <= 1:
            raise ValueError(f"a propensity is above 0 and at most 1, not {self.propensity}")
        if self.at.tzinfo is None:
            raise ValueError("an outcome's time needs a time zone")


_NAMES = tuple(each.name for each in fields(Outcome))
_COLUMNS = ", ".join(_NAMES)
_PLACES = ", ".join("?" * len(_NAMES))
_ADD = f"INSERT OR REPLACE INTO outcomes ({_COLUMNS}) VALUES ({_PLACES})"  # noqa: S608


class OutcomeStore:
    """The outcomes of a workspace; a context manager.

    Several processes may write at once: each waits for the other.

    :param path: The file; created, for its owner only, when missing.
    :raises RouterError: When it cannot be read, is damaged or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._db = PrivateDatabase(path, "outcomes", [_TABLE, _INDEX], error=RouterError)
        with self._db.opened("open") as db:
            db.execute(f"SELECT {_COLUMNS} FROM outcomes LIMIT 0")  # noqa: S608

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Keep outcomes, all of them or, when interrupted, none.

        :raises RouterError: When the file cannot be written.
        """
        rows = [_row(outcome) for outcome in outcomes]
        if rows:
            with self._db.transaction() as db:
                db.executemany(_ADD, rows)

    def all(self, source: Source | None = None) -> list[Outcome]:
        """Return the outcomes, oldest first.

        :param source: Only those judged there.
        :raises RouterError: When the file is damaged.
        """
        return self._select() if source is None else self._select("WHERE source = ?", source)

    def for_question(self, question: str) -> list[Outcome]:
        """Return the outcomes of one question, oldest first.

        :raises RouterError: When the file is damaged.
        """
        return self._select("WHERE question = ?", without_passwords(question))

    def count(self) -> int:
        """Return how many outcomes there are.

        :raises RouterError: When the file is damaged.
        """
        with self._db.opened("read") as db:
            (count,) = db.execute("SELECT count(*) FROM outcomes").fetchone()
        return int(count)

    def _select(self, where: str = "", *values: str) -> list[Outcome]:
        query = f"SELECT {_COLUMNS} FROM outcomes {where} ORDER BY at, rowid"  # noqa: S608
        with self._db.opened("read") as db:
            return [_outcome(row) for row in db.execute(query, values)]


def _row(outcome: Outcome) -> tuple[object, ...]:
    row = {name: getattr(outcome, name) for name in _NAMES}
    row["question"] = without_passwords(outcome.question)
    # Always as long, so that texts are in the order of times.
    row["at"] = outcome.at.astimezone(UTC).isoformat(timespec="microseconds")
    row["adapters"] = json.dumps(dict(outcome.adapters))
    row["features"] = json.dumps(dict(outcome.features))
    return tuple(row.values())


def _outcome(row: tuple[Any, ...]) -> Outcome:
    values = dict(zip(_NAMES, row, strict=True))
    values["at"] = datetime.fromisoformat(values["at"])
    values["adapters"] = dict(json.loads(values["adapters"]))
    values["features"] = dict(json.loads(values["features"]))
    return Outcome(**cast("Any", values))
