"""A small real index, and an answerer that needs no trained weights."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.assemble import open_indexer
from agent.workspace import Workspace
from pipelines.answer import NOT_IN_SOURCES, Answer, cite
from pipelines.evidence import Evidence
from pipelines.sentences import sentence_spans

LEAVE = """---
title: Leave
---
# Annual leave

Full-time staff earn 25 days of annual leave a year. Part-time staff earn 12 days.

Unused leave is carried over until March.

# Sick leave

Tell your supervisor before ten in the morning.
"""
PARKING = "Visitors park behind the north gate of the warehouse.\n"
_WORD = re.compile(r"\w{4,}")


class WordAnswerer:
    """Answers with the sentence that shares most words of a question, and those set off.

    :param before: Called after the first piece was streamed.
    """

    def warm_up(self) -> None:
        """There is nothing to load."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.before = before
        self.asked: list[str] = []

    def run(
        self, query: str, evidence: list[Evidence], on_text: Callable[[str], None] | None = None
    ) -> dict[str, Answer]:
        self.asked.append(query)
        words = {word.casefold() for word in _WORD.findall(query)}
        shared, piece, start, end = max(
            (
                len(words & {w.casefold() for w in _WORD.findall(piece.text[start:end])}),
                piece,
                start,
                end,
            )
            for piece in evidence[:1]
            for start, end in sentence_spans(piece.text)
        )
        found = cite(piece, start, end, shared / max(len(words), 1))
        for text in re.split(r"(?<= )", found.quote):
            if on_text is not None:
                on_text(text)
            self.before()
        if shared < 2:
            return {"answer": Answer(None, 0.1, reason=NOT_IN_SOURCES, nearest=found)}
        number = re.search(r"\d+ \w+", found.quote)
        return {
            "answer": Answer(
                found.quote,
                0.9,
                (found,),
                highlights=(number.span(),) if number else (),
                usage={"prompt_tokens": 7, "completion_tokens": 3},
            )
        }


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give a workspace with an index of three documents."""
    folder = tmp_path_factory.mktemp("indexed")
    (folder / "docs/hr").mkdir(parents=True)
    (folder / "docs/hr/leave.md").write_text(LEAVE)
    (folder / "docs/parking.txt").write_text(PARKING)
    (folder / "docs/assets.csv").write_text("id,asset,cost\n1,Excavator EX-17,420.50\n")
    made = Workspace(folder / ".expert")
    with made.index_lock(), open_indexer(made) as indexer:
        indexer.index_paths([folder / "docs"])
    return made


@pytest.fixture
def word_answerer(monkeypatch: pytest.MonkeyPatch) -> WordAnswerer:
    """Let every expert answer with the answerer given."""
    answerer = WordAnswerer()

    @contextmanager
    def open_answerer(_: Workspace, name: str | None = None) -> Iterator[WordAnswerer]:
        yield answerer

    monkeypatch.setattr("agent.routes.open_answerer", open_answerer)
    return answerer


@pytest.fixture
def own_workspace(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Give a workspace of its own that shares the index."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own/index").symlink_to(workspace.index_folder)
    return Workspace(tmp_path / "own")
