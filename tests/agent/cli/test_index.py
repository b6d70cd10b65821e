"""What `expert index` prints, and what it notices while it watches."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.cli.index import print_report, progress_bar
from pipelines.index import IndexReport, Skipped

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
