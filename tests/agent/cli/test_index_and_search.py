"""Indexing and searching as a user does, with the real embedder, store and reranker."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from agent.cli.search import parse_conditions

Expert = Callable[..., object]

LEAVE = """---
title: Leave
---
# Annual leave

Full-time staff earn 25 days of annual leave a year.

# Sick leave

Tell your supervisor before ten in the morning.
"""
ORDERS = (
    "id,asset,cost,note\n1,EX-17,420.50,Hydraulic hose replaced\n2,EX-18,90,Bucket teeth changed\n"
)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "hr").mkdir(parents=True)
    (folder / "hr/leave.md").write_text(LEAVE)
    (folder / "orders.csv").write_text(ORDERS)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is not really one")
    return folder


def test_index_then_search(expert: Expert, documents: Path) -> None:
    first = expert("index", "docs", "--json")
    assert first.code == 0
    assert {k: first.json[k] for k in ("documents", "unchanged", "removed")} == {
        "documents": 2,
        "unchanged": 0,
        "removed": 0,
    }
    assert first.json["chunks"] >= 3
    (skipped,) = first.json["skipped"]
    assert skipped["path"] == "broken.pdf"
    assert skipped["reason"]

    found = expert("search", "how much holiday do I get?", "--top-k", "2", "--json").json["hits"]
    best = found[0]
    assert (best["document"], best["title"]) == ("hr/leave.md", "Leave")
    assert "25 days" in best["text"]
    assert best["end"] - best["start"] == len(best["text"])
    assert best["score"] >= found[1]["score"]
    assert any("25 days" in best["text"][start:end] for start, end in best["evidence"])
    assert isinstance(best["vector"], float)

    shown = expert("search", "how much holiday do I get?", "--top-k", "1")
    assert shown.code == 0
    assert "hr/leave.md" in shown.out
    assert "25 days" in shown.out
    assert "\x1b" not in shown.out


def test_only_what_changed_is_indexed_again(expert: Expert, documents: Path) -> None:
    expert("index", "docs", "--json")
    again = expert("index", "docs", "--json").json
    assert (again["documents"], again["chunks"], again["unchanged"]) == (0, 0, 2)
    assert [s["path"] for s in again["skipped"]] == ["broken.pdf"]

    # The time alone does not count; the content does.
    os.utime(documents / "orders.csv", (1, 1))
    (documents / "hr/leave.md").write_text(LEAVE.replace("25 days", "30 days"))
    changed = expert("index", "docs", "--json").json
    assert (changed["documents"], changed["unchanged"]) == (1, 1)
    hits = expert("search", "annual leave days", "--json").json["hits"]
    texts = " ".join(hit["text"] for hit in hits)
    assert "30 days" in texts
    assert "25 days" not in texts

    (documents / "orders.csv").unlink()
    assert expert("index", "docs", "--json").json["removed"] == 1
    hits = expert("search", "hydraulic hose", "--json").json["hits"]
    assert {hit["document"] for hit in hits} == {"hr/leave.md"}


def test_a_document_that_becomes_unreadable_leaves_the_index(
    expert: Expert, documents: Path
) -> None:
    expert("index", "docs")
    (documents / "hr/leave.md").write_bytes(b"\0\1\2\3" * 500)
    report = expert("index", "docs", "--json").json
    assert {s["path"] for s in report["skipped"]} == {"broken.pdf", "hr/leave.md"}
    hits = expert("search", "annual leave", "--json").json["hits"]
    assert {hit["document"] for hit in hits} == {"orders.csv"}


def test_rows_carry_typed_columns_to_filter_by(expert: Expert, documents: Path) -> None:
    expert("index", "docs")
    hits = expert("search", "repair", "--filter", "columns.cost>100", "--json").json["hits"]
    (hit,) = hits
    assert hit["meta"]["columns"]["cost"] == 420.5
    assert hit["meta"]["row"] == 2
    assert expert("search", "repair", "--filter", "format=pdf", "--json").json["hits"] == []


def test_a_question_may_be_any_bytes(expert: Expert, documents: Path) -> None:
    expert("index", "docs")
    assert expert("search", "annual leave \udcff?", "--json").json["hits"]
    assert expert("search", "\udcff").code == 2


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("serial=Infinity", "Infinity"),
        ("serial!=NaN", "NaN"),
        ("serial=1e999", "1e999"),
        (f"serial={2**64}", str(2**64)),
        (f"serial<{2**64}", 2**64),
        (f"serial={2**62}", 2**62),
        (f"serial={'9' * 5000}", "9" * 5000),
        (f"serial={'[' * 100_000}", "[" * 100_000),
        ("serial=true", True),
    ],
)
def test_what_documents_keep_as_text_is_compared_as_text(condition: str, value: object) -> None:
    filters = parse_conditions((condition,))
    assert filters is not None
    assert filters["conditions"][0]["value"] == value


def test_as_many_hits_as_asked_for(expert: Expert, tmp_path: Path) -> None:
    rows = "".join(f"Pump {number},{number}\n" for number in range(150))
    (tmp_path / "pumps.csv").write_text(f"asset,Cost (USD)\n{rows}")
    expert("index", "pumps.csv")
    for wanted in (3, 30, 120):
        arguments = ("search", "pump", "--top-k", str(wanted), "--json")
        assert len(expert(*arguments).json["hits"]) == wanted
    above = expert("search", "pump", "--filter", "columns.Cost (USD)>147", "--json").json["hits"]
    assert {hit["meta"]["columns"]["Cost (USD)"] for hit in above} == {148, 149}


def test_a_single_file_and_its_removal(expert: Expert, documents: Path) -> None:
    assert expert("index", "docs/orders.csv", "--json").json["documents"] == 1
    assert expert("index", "docs/hr/leave.md", "--json").json["documents"] == 1
    (documents / "orders.csv").unlink()
    gone = expert("index", "docs/orders.csv", "--json").json
    assert (gone["removed"], gone["documents"]) == (1, 0)
    missing = expert("index", "docs/never.md")
    assert missing.code == 1
    assert "no such file or folder" in missing.err


def test_a_database_table(expert: Expert, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "erp.db") as db:
        db.execute("CREATE TABLE work_orders (id INTEGER PRIMARY KEY, asset TEXT, cost REAL)")
        db.execute("INSERT INTO work_orders VALUES (1, 'Excavator bucket', 99.5)")
    url = f"sqlite:///{tmp_path}/erp.db"
    first = expert("index", url, "--table", "work_orders", "--json").json
    assert (first["documents"], first["chunks"]) == (1, 1)
    assert expert("index", url, "--table", "work_orders", "--json").json["unchanged"] == 1
    (hit,) = expert("search", "excavator", "--json").json["hits"]
    assert hit["document"] == "work_orders"
    assert hit["meta"]["columns"]["cost"] == 99.5
    wrong = expert("index", url, "--table", "work_order")
    assert wrong.code == 1
    assert "work_orders" in wrong.err


def test_another_embedder_is_refused_until_rebuilt(
    expert: Expert, documents: Path, tmp_path: Path
) -> None:
    expert("index", "docs")
    store = tmp_path / ".expert/index/passages.sqlite"
    with sqlite3.connect(store) as db:
        db.execute("UPDATE metadata SET value = 'other@1' WHERE key = 'embedder'")
    for arguments in (("index", "docs"), ("search", "leave")):
        refused = expert(*arguments)
        assert refused.code == 1
        assert "made with embedder other@1" in refused.err
        assert "--rebuild" in refused.err
    assert expert("index", "docs", "--rebuild", "--json").json["documents"] == 2
    assert expert("search", "leave").code == 0


def test_the_pipeline_can_be_exported_changed_and_used(
    expert: Expert, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert("index", "docs")
    for name in ("show", "draw"):
        shown = expert("pipelines", name)
        assert shown.code == 0
        assert "HybridRetriever" in shown.out
    assert expert("pipelines", "export", "-o", "mine.yaml").code == 0
    assert expert("pipelines", "export", "-o", "mine.yaml").code == 2
    definition = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    definition["components"]["retriever"]["init_parameters"]["alpha"] = 0.0
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(definition))
    monkeypatch.setenv("EXPERT_RETRIEVAL__PIPELINE", "mine.yaml")
    hits = expert("search", "hydraulic", "--top-k", "1", "--json").json["hits"]
    assert hits[0]["document"] == "orders.csv"

    definition["components"]["retriever"]["type"] = "os.path.Evil"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(definition))
    refused = expert("search", "hydraulic")
    assert refused.code == 1
    assert "components.retriever: os.path.Evil is not allowed in a pipeline" in refused.err


def test_a_second_indexer_waits_for_nobody(expert: Expert, documents: Path) -> None:
    from agent.workspace import Workspace

    with Workspace(Path(".expert")).index_lock():
        refused = expert("index", "docs")
    assert refused.code == 1
    assert "another `expert index` is writing" in refused.err


def test_doctor_finds_an_index_that_is_whole(expert: Expert, documents: Path) -> None:
    expert("index", "docs")
    result = expert("doctor", "--json")
    checks = {check["name"]: check for check in result.json["checks"]}
    assert result.code == 0, result.out
    assert checks["index"]["detail"] == "2 documents, 1 skipped"
    assert checks["store"]["state"] == "ok"


def test_ctrl_c_keeps_what_was_written(documents: Path, tmp_path: Path) -> None:
    for number in range(400):
        (documents / f"page{number:03d}.md").write_text(f"# Page {number}\n\n" + "word " * 400)
    command = [sys.executable, "-m", "agent", "index", "docs"]
    child = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    catalog = tmp_path / ".expert/index/catalog.sqlite"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if catalog.exists():
            with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as db:
                try:
                    query = "SELECT count(*) FROM documents WHERE status = 'done'"
                    if db.execute(query).fetchone()[0]:
                        break
                except sqlite3.OperationalError:
                    continue
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "run the same command to carry on" in err
    assert "Traceback" not in err
    done = subprocess.run(
        [*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout)
    assert report["unchanged"] > 0
    assert report["documents"] + report["unchanged"] == 402
