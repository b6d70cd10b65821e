"""Freshness: what became of the documents that an adapter learned from."""

from pathlib import Path

import pytest

from adapters.card import AdapterCard, BaseModelRef, SourceDocument
from agent.assemble import open_indexer
from agent.freshness import Freshness, IndexedDocuments, freshness_of
from agent.workspace import Workspace


def card_of(*sources: SourceDocument) -> AdapterCard:
    return AdapterCard(
        name="hr",
        base=BaseModelRef(name="lab", fingerprint="0" * 64),
        rank=2,
        alpha=2,
        target_modules=("qkv_proj",),
        sources=sources,
    )


def source(document: str, digit: str) -> SourceDocument:
    return SourceDocument(document=document, sha256=digit * 64)


@pytest.mark.parametrize(
    ("indexed", "expected"),
    [
        ([("a.md", "1"), ("b.md", "2")], Freshness(0.0, (), ())),
        ([("a.md", "9"), ("b.md", "2")], Freshness(0.5, ("a.md",), ())),
        ([("b.md", "2")], Freshness(0.5, (), ("a.md",))),
        ([("a.md", "9")], Freshness(1.0, ("a.md",), ("b.md",))),
        ([], Freshness(1.0, (), ("a.md", "b.md"))),
        # Moved, or indexed from the folder above: the same content is there.
        ([("hr/a.md", "1"), ("hr/b.md", "2")], Freshness(0.0, (), ())),
        # A copy of the old content elsewhere does not make up for the change.
        ([("a.md", "9"), ("old/a.md", "1"), ("b.md", "2")], Freshness(0.5, ("a.md",), ())),
        # Two folders have a document of that name; one of them is what was learned from.
        ([("a.md", "9"), ("a.md", "1"), ("b.md", "2")], Freshness(0.0, (), ())),
    ],
)
def test_stale_is_the_share_that_changed_or_is_missing(
    indexed: list[tuple[str, str]], expected: Freshness
) -> None:
    known = IndexedDocuments((document, digit * 64) for document, digit in indexed)
    assert known.freshness(card_of(source("a.md", "1"), source("b.md", "2"))) == expected


def test_what_cannot_be_said_is_none(tmp_path: Path) -> None:
    assert IndexedDocuments([]).freshness(card_of()) is None
    # Without an index nothing is known of any document.
    cards = {"hr": card_of(source("a.md", "1"))}
    assert freshness_of(Workspace(tmp_path), cards) == {"hr": None}


def test_names_and_hashes_are_the_index_s_own(tmp_path: Path) -> None:
    documents = tmp_path / "docs"
    (documents / "hr").mkdir(parents=True)
    (documents / "hr/leave.md").write_text("Leave is 25 days a year for full-time staff.\n")
    (documents / "parking.txt").write_text("Visitors park behind the north gate.\n")
    (documents / "assets.csv").write_text("id,asset\n1,Excavator\n")
    workspace = Workspace(tmp_path / ".expert")

    def index() -> IndexedDocuments:
        with workspace.index_lock(), open_indexer(workspace) as indexer:
            indexer.index_paths([documents])
        known = IndexedDocuments.of(workspace)
        assert known is not None
        return known

    names = ["hr/leave.md", "parking.txt", "assets.csv", "nowhere.md"]
    sources, unknown = index().sources(names)
    assert [s.document for s in sources] == ["assets.csv", "hr/leave.md", "parking.txt"]
    assert unknown == ("nowhere.md",)
    card = card_of(*sources)
    assert freshness_of(workspace, {"hr": card}) == {"hr": Freshness(0.0, (), ())}
    (documents / "hr/leave.md").write_text("Leave is 30 days a year for full-time staff.\n")
    (documents / "parking.txt").unlink()
    assert index().freshness(card) == Freshness(2 / 3, ("hr/leave.md",), ("parking.txt",))
