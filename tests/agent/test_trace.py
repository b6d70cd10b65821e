"""What is kept of how answers came about, in a real file, and the spans that tell it."""

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from haystack import tracing
from haystack.tracing import Span, Tracer

from agent.errors import TraceError
from agent.expert import Expert, Reply
from agent.trace import Recorder, Trace, TraceStore
from agent.workspace import Workspace
from pipelines.answer import Answer

LEAVE = "How many days of annual leave do full-time staff earn?"
LOCKED = "Where is postgres://anna:secret@db/hr, and how many days?"


@pytest.fixture
def ask(own_workspace: Workspace, word_answerer: object) -> Callable[[str], Reply]:
    def asked(question: str) -> Reply:
        with Expert(own_workspace, route="retrieval") as expert:
            return expert.ask(question)

    return asked


@pytest.fixture
def store(own_workspace: Workspace) -> TraceStore:
    return TraceStore(own_workspace.path / "runs/traces.sqlite")


def test_an_answers_way_is_kept_for_its_owner_alone(
    ask: Callable[[str], Reply], store: TraceStore
) -> None:
    reply = ask(LEAVE)
    trace = store.find("last")
    assert trace.id == reply.trace == trace.content["trace"]
    assert (trace.withheld, trace.content["answer"]) == (False, reply.answer.text)
    passages = trace.content["passages"]
    assert len(passages) == len(reply.hits)
    assert passages[0]["evidence"]
    assert trace.content["evidence"][0]["text"] == reply.evidence[0].text
    assert trace.content["versions"]["index"].startswith("3 documents")
    assert trace.content["timings_ms"]["retrieve"] > 0
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert store.find(trace.id[:-2]) == trace


def test_passwords_are_not_kept(ask: Callable[[str], Reply], store: TraceStore) -> None:
    ask(LOCKED)
    assert b"secret" not in b"".join(p.read_bytes() for p in store.path.parent.glob("traces*"))
    assert "anna:***@db" in store.find("last").content["question"]


def test_only_the_last_are_kept_and_none_where_none_are_wanted(
    own_workspace: Workspace, word_answerer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TraceStore(own_workspace.path / "few.sqlite", keep=3)
    for number in range(120):
        store.add(Trace(f"{number:03}", number % 2 == 0, {"n": number}))
    assert len(store.latest(1000)) < 60
    assert [trace.id for trace in store.latest(2)] == ["119", "118"]
    assert [trace.id for trace in store.latest(2, withheld=True)] == ["118", "116"]
    assert store.clear() > 0
    assert store.latest(1) == []
    monkeypatch.setenv("EXPERT_TRACE__KEEP", "0")
    with Expert(Workspace(own_workspace.path), route="retrieval") as expert:
        assert expert.ask(LEAVE).trace is None
    assert not (own_workspace.path / "runs/traces.sqlite").exists()


def test_many_threads_and_stores_write_one_file(tmp_path: Path) -> None:
    stores = [TraceStore(tmp_path / "t.sqlite") for _ in range(3)]

    def write(number: int) -> None:
        for n in range(20):
            stores[number % 3].add(Trace(f"{number}-{n:02}", False, {}))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores[0].latest(1000)) == 120


@pytest.mark.parametrize("damage", ["text", "folder"])
def test_an_answer_is_not_lost_with_its_trace(
    own_workspace: Workspace, word_answerer: object, damage: str
) -> None:
    path = own_workspace.path / "runs/traces.sqlite"
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if damage == "folder" else path.write_text("no database, " * 100)
    with Expert(own_workspace, route="retrieval") as expert:
        with pytest.warns(UserWarning, match="no longer traced"):
            assert expert.ask(LEAVE).answer.text
        reply = expert.ask(LEAVE)
    assert (reply.answer.abstained, reply.trace) == (False, None)


def test_an_answer_is_not_lost_whatever_fails(
    own_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def fail(_: TraceStore, trace: Trace) -> None:
        both.wait(10)
        raise RuntimeError("no room")

    monkeypatch.setattr(TraceStore, "add", fail)
    reply = Reply("When?", "When?", Answer(None, 0.1), "abstain", None, (), (), {})
    recorder = Recorder(own_workspace)
    with (
        ThreadPoolExecutor(2) as threads,
        pytest.warns(UserWarning, match="no room; answers are no longer traced") as told,
    ):
        kept = list(threads.map(recorder.keep, [reply, reply]))
    assert kept == [reply, reply]
    assert len(told) == 1


def test_as_many_as_there_are_can_be_asked_for(store: TraceStore) -> None:
    store.add(Trace("20261128-1", False, {}))
    assert len(store.latest(2**70)) == 1


def test_names_that_fit_none_or_two_are_refused(store: TraceStore, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="there is no trace last"):
        store.find("last")
    for name in ("20261128-1", "20261128-2"):
        store.add(Trace(name, False, {}))
    with pytest.raises(TraceError, match="more than one trace begins with 2026"):
        store.find("2026")
    with pytest.raises(TraceError, match="there is no trace %"):
        store.find("%")
    (tmp_path / "other.sqlite").write_text("x" * 100)
    with pytest.raises((TraceError, sqlite3.Error), match="cannot read the traces"):
        TraceStore(tmp_path / "other.sqlite").latest(1)


class _Recorded(Tracer):
    """Keeps spans, as Haystack's own tests do."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def trace(
        self, operation_name: str, tags: dict[str, Any] | None = None, parent_span: Any = None
    ) -> Iterator[Span]:
        kept = dict(tags or {})

        class Kept(Span):
            def set_tag(self, key: str, value: Any) -> None:
                kept[key] = value

        self.spans.append((operation_name, kept))
        yield Kept()

    def current_span(self) -> Span | None:
        return None


def test_steps_are_spans_of_haystacks_tracing(ask: Callable[[str], Reply]) -> None:
    recorded = _Recorded()
    tracing.enable_tracing(recorded)
    try:
        reply = ask(LEAVE)
    finally:
        tracing.disable_tracing()
    spans = dict(recorded.spans)
    assert spans["expert.ask"] == {
        "route": "retrieval",
        "abstained": False,
        "confidence": 0.9,
        "trace": reply.trace,
    }
    assert spans["expert.retrieve"] == {"passages": len(reply.hits)}
    assert spans["expert.answer"]["answerer"] == "quote"
