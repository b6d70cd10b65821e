"""What `expert index` prints, refuses, and notices while it watches."""

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from agent.cli.index import print_report, progress_bar
from pipelines.index_report import IndexReport, Skipped

Expert = Callable[..., Any]
Step = Callable[[], object]
HIDDEN = "old[/draft]\x1b[2J.md"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/leave.md").write_text("Full-time staff earn 25 days of leave a year.\n")
    return tmp_path / "docs"


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Step]], list[str]]:
    """Have steps taken while files are watched: the first before, others each noticed."""

    def taken(steps: Sequence[Step]) -> list[str]:
        watched: list[str] = []

        def watch(
            *paths: Path, yield_on_timeout: bool = False, **_: object
        ) -> Iterator[set[tuple[int, str]]]:
            watched.extend(map(str, paths))
            for number, step in enumerate(steps):
                step()
                if number or yield_on_timeout:
                    yield {(1, "changed")} if number else set()

        monkeypatch.setattr("watchfiles.watch", watch)
        return watched

    return taken


@pytest.fixture
def really_watching(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Step]], None]:
    """Have steps taken while files are really watched, each when the one before was noticed."""
    real = watchfiles.watch

    def taken(steps: Sequence[Step]) -> None:
        left, stop = list(steps), threading.Event()

        def watch(*paths: Path, **options: Any) -> Iterator[set[tuple[int, str]]]:
            options |= {"rust_timeout": 300, "debounce": 300, "stop_event": stop}
            for number, changes in enumerate(real(*paths, **options)):
                assert number < 50, "watches its own work"
                yield changes
                if changes:
                    continue
                if left:
                    left.pop(0)()
                elif number:
                    stop.set()

        monkeypatch.setattr("watchfiles.watch", watch)

    return taken


def test_names_are_printed_as_they_are_and_obeyed_by_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = IndexReport(
        skipped=[Skipped(HIDDEN, "is [not]\x1b[2J a\nfile")],
        notices=[(HIDDEN, "\x1b]0;x\x07mended")],
    )
    print_report(report)
    out = capsys.readouterr().out
    assert "  old[/draft].md: is [not] a file\n" in out
    assert "  old[/draft].md: mended\n" in out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with progress_bar() as bar:
        bar.start(1, 10)
        bar.advance(10, HIDDEN)
    err = capsys.readouterr().err
    assert "old[/draft].md" in err
    assert "\x1b[2J" not in err


def test_json_is_shown_as_it_stands(expert: Expert, docs: Path) -> None:
    (docs / "gnp\u202e.pdf").write_bytes(b"%PDF-1.7\nno")
    (docs / "krap\u202e.md").write_text("Visitors park in the north.\n")
    indexed = expert("index", "docs", "--json")
    found = expert("search", "visitors", "--json")
    assert "\u202e" not in indexed.out + found.out
    assert indexed.json["skipped"][0]["path"] == "gnp\u202e.pdf"
    assert found.json["hits"][0]["document"] == "krap\u202e.md"


def test_what_changes_before_files_are_watched_is_indexed(
    expert: Expert, docs: Path, watching: Callable[[Sequence[Step]], list[str]]
) -> None:
    watched = watching([lambda: (docs / "new.md").write_text("Visitors park in the north.\n")])
    done = expert("index", "docs", "--watch")
    assert done.code == 0
    assert [line.split(";")[0] for line in done.out.splitlines()] == [
        "1 documents indexed in 1 passages",
        "1 documents indexed in 1 passages, 1 unchanged",
    ]
    assert watched == ["docs"]


def test_a_file_that_cannot_be_read_is_told_of_once(
    expert: Expert, docs: Path, watching: Callable[[Sequence[Step]], list[str]]
) -> None:
    broken = docs / "broken.pdf"
    watching([lambda: None, lambda: broken.write_bytes(b"%PDF-1.7\nno"), lambda: None])
    out = expert("index", "docs", "--watch", "--quiet").out
    assert out.count("broken.pdf") == 1


def test_what_is_gone_is_not_watched(
    expert: Expert, docs: Path, watching: Callable[[Sequence[Step]], list[str]]
) -> None:
    (docs.parent / "more").mkdir()
    (docs.parent / "more/park.md").write_text("Visitors park in the north.\n")
    expert("index", "docs", "more")
    (docs.parent / "more/park.md").unlink()
    (docs.parent / "more").rmdir()
    watched = watching([lambda: None])
    done = expert("index", "docs", "more", "--watch")
    assert (done.code, watched) == (0, ["docs"])
    assert "1 removed" in done.out
    (docs / "leave.md").unlink()
    docs.rmdir()
    done = expert("index", "docs", "--watch")
    assert done.code == 2
    assert "1 removed" in done.out
    assert "there is nothing to watch: no such file or folder: docs" in done.err


def results(out: str) -> list[str]:
    return [line.split(";")[0] for line in out.splitlines() if ";" in line]


def test_a_workspace_in_the_folder_is_not_indexed(expert: Expert, docs: Path) -> None:
    (docs / "own").mkdir()
    (docs / "own/notes.md").write_text("Not seen.\n")
    done = expert("--workspace", "docs/own", "index", "docs")
    assert done.code == 0
    assert done.out.startswith("1 documents indexed in 1 passages;")


@pytest.mark.parametrize("workspace", ["docs/.expert", "docs/own"])
def test_a_workspace_in_the_watched_folder_is_not_watched(
    expert: Expert,
    docs: Path,
    really_watching: Callable[[Sequence[Step]], None],
    workspace: str,
) -> None:
    (docs / "empty.md").touch()
    (docs / ".git").mkdir()
    really_watching(
        [
            lambda: (docs / "park.md").write_text("Visitors park in the north.\n"),
            lambda: (docs / ".git/x.md").write_text("Not seen.\n"),
            lambda: (docs.parent / workspace / "x.md").write_text("Not seen.\n"),
        ]
    )
    done = expert("--workspace", workspace, "index", "docs", "--watch")
    assert done.code == 0
    indexed = [line for line in results(done.out) if line.startswith("1 documents")]
    assert [line.rpartition(", ")[0] for line in indexed] == [
        "1 documents indexed in 1 passages",
        "1 documents indexed in 1 passages, 1 unchanged",
    ]


def test_a_single_file_is_followed_when_an_editor_replaces_it(
    expert: Expert, docs: Path, really_watching: Callable[[Sequence[Step]], None]
) -> None:
    def save(days: int) -> None:
        (docs / "new.md").write_text(f"Full-time staff earn {days} days of leave a year.\n")
        (docs / "new.md").replace(docs / "leave.md")

    (docs.parent / "more").mkdir()
    for paths in (["docs/leave.md"], ["docs/leave.md", "more"]):
        days = len(paths) * 10
        really_watching([lambda days=days: save(days), lambda days=days: save(days + 1)])
        done = expert("index", *paths, "--watch")
        assert results(done.out).count("1 documents indexed in 1 passages") >= 2
        hits = expert("search", "leave", "--json").json["hits"]
        assert [hit["text"] for hit in hits] == [
            f"Full-time staff earn {days + 1} days of leave a year."
        ]


def test_what_cannot_be_watched_is_told_in_a_line(
    expert: Expert, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*_: Path, **__: object) -> Iterator[None]:
        raise OSError("OS file watch limit reached.")
        yield

    monkeypatch.setattr("watchfiles.watch", watch)
    done = expert("index", "docs", "--watch")
    assert done.code == 1
    assert "expert: cannot watch for changes: OS file watch limit reached.\n" in done.err


def test_each_run_has_a_progress_bar_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with progress_bar() as bar:
        for name in ("first.md", "second.md"):
            bar.start(1, 10)
            bar.advance(10, name)
            bar.wrote(1, 2)
            bar.stop()
            print("printed")
            out, err = capsys.readouterr()
            assert out == "printed\n"
            assert name in err
            assert "1 documents" in err
            assert "100 %" in err


def test_a_stopped_run_tells_all_that_it_has_done(
    expert: Expert,
    docs: Path,
    watching: Callable[[Sequence[Step]], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pipelines.embed.components import embed_passages

    left = 0

    def embed(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return embed_passages(*arguments)

    monkeypatch.setattr("pipelines.index.embed_passages", embed)
    for name in ("a", "b"):
        with sqlite3.connect(docs / f"{name}.db") as db:
            db.executescript("CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('hose');")
    left = 2
    done = expert("index", "docs/leave.md", "sqlite:///docs/a.db", "sqlite:///docs/b.db")
    assert done.code == 130
    assert "Stopped. 2 documents of this run are in the index; run the same" in done.err

    watching([lambda: (docs / "leave.md").write_text("Half a day of leave for a move.\n")])
    done = expert("index", "docs/leave.md", "--watch")
    assert done.code == 130
    assert "Stopped. 0 documents of this run are in the index; run the same" in done.err


def test_nothing_is_emptied_before_all_that_is_named_is_found(
    expert: Expert, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert("index", "docs")
    with sqlite3.connect(tmp_path / "erp.db") as db:
        db.executescript("CREATE TABLE orders (x TEXT); INSERT INTO orders VALUES ('hose');")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    refused = {
        ("docs", "dosc"): (2, "no such file or folder: dosc"),
        ("docs", "sqlite:///epr.db"): (1, "no such file: epr.db"),
        ("sqlite:///erp.db", "--table", "order"): (1, 'no table "order"'),
        ("docs", "EXPERT_EMBEDDER__MODEL", str(tmp_path / "none")): (1, "none"),
        ("docs", "EXPERT_STORE", "weaviate"): (1, f"127.0.0.1:{port}"),
    }
    monkeypatch.setenv("EXPERT_WEAVIATE__URL", f"http://127.0.0.1:{port}")
    for given, (code, told) in refused.items():
        with monkeypatch.context() as patch:
            if given[1].startswith("EXPERT_"):
                patch.setenv(given[1], given[2])
                given = given[:1]
            done = expert("index", *given, "--rebuild")
        assert (done.code, told in done.err) == (code, True), done.err
        assert "Traceback" not in done.err
        assert len(expert("search", "leave", "--json").json["hits"]) == 1
    assert expert("index", "sqlite:///erp.db", "--rebuild", "--json").json["documents"] == 1
    assert expert("search", "leave", "--json").json["hits"][0]["document"] == "orders"


def test_a_path_that_nobody_can_reach_is_told_in_a_line(
    expert: Expert, docs: Path, as_anyone: Callable[[Path], Any]
) -> None:
    long = "a" * 300
    assert f"{long}: file name too long" in expert("index", long).err
    docs.chmod(0)
    try:
        with as_anyone(docs):
            done = expert("index", "docs/leave.md")
    finally:
        docs.chmod(0o755)
    assert done.code == 2
    assert "docs/leave.md: permission denied" in done.err
