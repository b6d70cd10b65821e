"""Facts changed in copies of documents of each format that allows it, and in no others."""

import json
from pathlib import Path

import pytest
from docx import Document as Docx
from reportlab.pdfgen.canvas import Canvas

from agent.advise.changed import change_facts, kept, put_in_place, to_keep
from agent.advise.documents import Documents, find_documents
from agent.advise.room import Room
from agent.assemble import open_indexer
from agent.settings import Settings
from agent.suite import SuiteQuestion
from agent.workspace import Workspace
from pipelines.convert import convert_file

FILES = {
    "leave.md": "# Leave\n\nStaff earn 25 days of leave. Leave of 25 days lapses in March.\n",
    "fees.html": "<h1>Fees</h1><p>A badge costs <b>12</b> euros.</p>",
    "unread.txt": "Nobody asks about this one, which says 25 rooms.\n",
    "cars.csv": "car,seats\nVan,9 seats\n",
    "plan.json": json.dumps({"text": "The plan takes 14 weeks, says the board of the house."}),
}


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content)
    docx = Docx()
    docx.add_paragraph("Visitors wait 40 minutes at most.")
    docx.save(str(folder / "visits.docx"))
    pdf = Canvas(str(folder / "scan.pdf"))
    pdf.drawString(72, 700, "The archive keeps files for 30 years.")
    pdf.save()
    for n in range(13):
        (folder / f"more-{n}.txt").write_text(f"Text number {n} about nothing.\n")
    return find_documents(folder, Workspace(tmp_path / ".expert"), tmp_path / "qa.jsonl")


@pytest.fixture
def room(tmp_path: Path, documents: Documents) -> Room:
    found = Room(tmp_path / "room", Settings())
    found.folder.mkdir()
    documents.copy(found.documents)
    with found.base.index_lock(), open_indexer(found.base) as indexer:
        indexer.index_paths([found.documents])
    return found


def asked(accepted: str, *files: str, answer: str | None = None) -> SuiteQuestion:
    return SuiteQuestion(
        question="How many?", answer=answer, accepted=(accepted,), gold_files=files
    )


QUESTIONS = (
    asked("earn 25 days of leave", "leave.md"),
    asked("costs 12 euros", "fees.html"),
    asked("9 seats", "cars.csv"),
    asked("wait 40 minutes", "visits.docx"),
    asked("files for 30 years", "scan.pdf"),
    asked("takes 14 weeks", "plan.json"),
    asked("25 rooms", answer="Many rooms."),
)


def test_facts_change_in_a_fifth_of_the_copies(room: Room, documents: Documents) -> None:
    before = {file.document: file.path.read_bytes() for file in documents.files}

    changed = change_facts(room, documents, QUESTIONS, range(len(QUESTIONS)), 0)

    assert kept(json.loads(json.dumps(to_keep(changed)))) == changed
    assert {fact.place for fact in changed.facts} == {0, 1, 2, 3}
    assert changed.documents == ("cars.csv", "fees.html", "leave.md", "visits.docx")
    assert len(changed.documents) == int(0.2 * len(documents.files))
    put_in_place(room, changed)
    for fact in changed.facts:
        text = convert_file(room.documents / fact.documents[0]).text
        assert fact.change.told(text) == "new"
        assert fact.change.old not in text
    assert before == {file.document: file.path.read_bytes() for file in documents.files}
    for name in ("scan.pdf", "plan.json", "unread.txt"):
        assert (room.documents / name).read_bytes() == before[name]


@pytest.mark.parametrize(
    ("name", "where"),
    [
        # The same sentence is the same fact; a document that cannot be changed keeps it as it was.
        ("more-1.txt", {("leave.md", "more-1.txt"), ("fees.html",)}),
        ("plan.json", {("fees.html",)}),
    ],
)
def test_a_fact_changes_in_all_documents_that_tell_it_or_in_none(
    room: Room, documents: Documents, name: str, where: set[tuple[str, ...]]
) -> None:
    # "costs 12 euros" may be said of another thing.
    text = "Again: staff earn 25 days of leave. The lunch costs 12 euros."
    content = json.dumps({"text": text}) if name.endswith("json") else text
    (room.documents / name).write_text(content)
    with room.base.index_lock(), open_indexer(room.base) as indexer:
        indexer.index_paths([room.documents])

    changed = change_facts(room, documents, QUESTIONS[:2], (0, 1), 0)

    assert {fact.documents for fact in changed.facts} == where


def test_only_what_was_taught_changes(room: Room, documents: Documents) -> None:
    assert [fact.place for fact in change_facts(room, documents, QUESTIONS, (1,), 0).facts] == [1]


def test_links_hidden_files_and_the_questions_are_not_copied(tmp_path: Path) -> None:
    folder = tmp_path / "Ordner é"
    (folder / "ws/runs").mkdir(parents=True)
    (folder / "sub").mkdir()
    for name in ("qa.jsonl", ".hidden.md", "ws/runs/a.md", "sub/b c.md", "photo.png"):
        (folder / name).write_text("Something.")
    (folder / "link.md").symlink_to(folder / "sub/b c.md")
    found = find_documents(folder, Workspace(folder / "ws"), folder / "qa.jsonl")
    assert [file.document for file in found.files] == ["sub/b c.md"]
    assert found.names(["b c.md", "/sub/b c.md", "c.md"]) == ("sub/b c.md",)
    found.copy(tmp_path / "copy")
    assert [str(p.relative_to(tmp_path / "copy")) for p in (tmp_path / "copy").rglob("*.md")] == [
        "sub/b c.md"
    ]
