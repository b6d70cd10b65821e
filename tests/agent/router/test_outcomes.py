"""Outcomes in a real SQLite file, also with several writers, a kill, and damage."""

import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from agent.errors import RouterError
from agent.router.outcomes import Outcome, OutcomeStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _outcome(question: str = "How many days of leave?", **others: object) -> Outcome:
    given = {
        "route": "retrieval",
        "adapter": None,
        "score": 1.0,
        "cost": 0.5,
        "latency_ms": 120.0,
        "source": "suite",
    }
    return Outcome(question=question, **given | others)


def _change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "router/outcomes.sqlite"


def test_outcomes_come_back_as_they_were(path: Path) -> None:
    full = _outcome(
        route="expert",
        adapter="hr@3",
        score=0.25,
        source="api",
        propensity=0.05,
        router_version="0007",
        index_version="abc",
        adapters={"hr": "3", "legal": "1"},
        features={"margin": 0.125, "words": 7},
        at=NOON,
    )
    with OutcomeStore(path) as store:
        assert store.count() == 0
        store.add([])
        store.add([full, _outcome("Where do visitors park?")])
    with OutcomeStore(path) as store:
        first, second = store.all()
        assert store.count() == 2
        assert first == full
        assert store.all("api") == [full]
        assert store.all("chat") == []
        assert store.for_question("Where do visitors park?") == [second]
        assert second.at.tzinfo == UTC
        assert (second.propensity, second.router_version, second.index_version) == (1.0, "", None)


def test_outcomes_come_oldest_first_whatever_their_zone(path: Path) -> None:
    later = _outcome("b", at=NOON.astimezone(timezone(timedelta(hours=-9))))
    earlier = _outcome("a", at=NOON - timedelta(microseconds=1))
    with OutcomeStore(path) as store:
        store.add([later, earlier])
        assert [each.question for each in store.all()] == ["a", "b"]
        assert store.all()[1].at == NOON


def test_the_same_outcome_again_replaces_it(path: Path) -> None:
    with OutcomeStore(path) as store:
        store.add([_outcome(id="1", score=1.0)])
        store.add([_outcome(id="1", score=0.0)])
        (kept,) = store.all()
        assert kept.score == 0.0


def test_only_the_owner_may_read_and_passwords_are_not_kept(path: Path) -> None:
    asked = "Why does postgresql://app:hunter2@db.example/x?"
    with OutcomeStore(path) as store:
        store.add([_outcome(asked)])
        files = list(path.parent.iterdir())
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        assert not any(b"hunter2" in file.read_bytes() for file in files)
        (kept,) = store.for_question(asked)
        assert kept.question == "Why does postgresql://app:***@db.example/x?"


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 1.5},
        {"score": float("nan")},
        {"propensity": 0.0},
        {"at": NOON.replace(tzinfo=None)},
    ],
)
def test_what_cannot_be_is_no_outcome(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"score|propensity|time"):
        _outcome(**wrong)


_WRITER = """
import sys
from pathlib import Path
from agent.router.outcomes import Outcome, OutcomeStore
with OutcomeStore(Path(sys.argv[1])) as store:
    for n in range(25):
        store.add([Outcome(question=f"{sys.argv[2]} {n}", route="expert", adapter=None,
                           score=1, cost=0, latency_ms=1, source="chat")])
"""


def test_processes_write_at_once(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(path), str(n)]) for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with OutcomeStore(path) as store:
        assert store.count() == 75


_KILLED = """
import os, signal, sys
from pathlib import Path
from agent.router.outcomes import Outcome, OutcomeStore
def outcome(n):
    return Outcome(question=str(n), route="expert", adapter=None, score=1, cost=0,
                   latency_ms=1, source="chat")
store = OutcomeStore(Path(sys.argv[1]))
store.add([outcome(0)])
opened = store._db.transaction()
db = opened.__enter__()
db.execute("INSERT INTO outcomes SELECT 'half', at, question, route, adapter, score, cost, "
           "latency_ms, propensity, source, router_version, index_version, adapters, features "
           "FROM outcomes")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_whole_additions_only(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with OutcomeStore(path) as store:
        (kept,) = store.all()
        assert kept.question == "0"
        store.add([_outcome()])
        assert store.count() == 2


def test_an_addition_that_fails_adds_nothing(path: Path) -> None:
    with OutcomeStore(path) as store:
        with pytest.raises(RouterError, match="cannot write the outcomes in "):
            store.add([_outcome(), _outcome(cost=None)])
        assert store.count() == 0


def test_a_damaged_file_is_said_in_one_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, however long it goes on " * 40)
    with pytest.raises(RouterError) as error:
        OutcomeStore(path)
    assert str(error.value) == (
        f"cannot open the outcomes in {path} (file is not a database): it is damaged, move it away"
    )


def test_damage_within_is_said_when_it_is_read(path: Path) -> None:
    with OutcomeStore(path) as store:
        store.add(_outcome(f"{n} {'long ' * 50}") for n in range(200))
    content = bytearray(path.read_bytes())
    content[8192:-4096] = b"\xff" * (len(content) - 8192 - 4096)
    path.write_bytes(content)
    with OutcomeStore(path) as store, pytest.raises(RouterError, match="it is damaged") as error:
        store.all()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("column", "value"), [("adapters", "{"), ("at", "noon"), ("score", 7.0), ("features", "3")]
)
def test_a_row_that_is_none_is_said(path: Path, column: str, value: object) -> None:
    with OutcomeStore(path) as store:
        store.add([_outcome()])
    _change(path, f"UPDATE outcomes SET {column} = ?", value)  # noqa: S608
    with OutcomeStore(path) as store, pytest.raises(RouterError, match="it is damaged"):
        store.all()


def test_a_newer_or_a_strange_file_is_left_alone(path: Path, tmp_path: Path) -> None:
    with OutcomeStore(path):
        pass
    _change(path, "PRAGMA user_version=2")
    with pytest.raises(RouterError, match=r"newer phi-expert \(outcomes 2\): upgrade"):
        OutcomeStore(path)

    strange = tmp_path / "strange.sqlite"
    _change(strange, "CREATE TABLE notes (text TEXT)")
    with pytest.raises(RouterError, match=r"strange\.sqlite holds something else"):
        OutcomeStore(strange)
    _change(strange, "PRAGMA user_version=1")
    with pytest.raises(RouterError, match="no such table: outcomes"):
        OutcomeStore(strange)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "router").write_text("a file")
    with pytest.raises(RouterError, match=r"cannot open the outcomes in .*outcomes\.sqlite"):
        OutcomeStore(tmp_path / "router/outcomes.sqlite")
