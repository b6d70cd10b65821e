"""Question sets as their publishers write them, with texts of our own."""

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from agent.lab.data import Files

_TEXT = (
    "The workshop in Lund was founded in 1921. Ida Holm led it until 1938. "
    "It repaired ploughs and pumps. A fire closed it in 1951."
)
_OTHER = "The mill in Ystad was built in 1907. Karl Berg bought it in 1930."


def _asked(text: str, question: str, answer: str | None) -> dict[str, Any]:
    if answer is None:
        likely = [{"text": "1938", "answer_start": text.index("1938")}]
        return {
            "id": question,
            "question": question,
            "answers": [],
            "is_impossible": True,
            "plausible_answers": likely,
        }
    found = [{"text": answer, "answer_start": text.index(answer)}]
    return {"id": question, "question": question, "answers": found, "is_impossible": False}


def squad_file(path: Path, articles: int = 4) -> Path:
    """Write a SQuAD 2.0 file."""
    told = [
        _asked(_TEXT, "When was the workshop in Lund founded?", "1921"),
        _asked(_TEXT, "Who led the workshop?", "Ida Holm"),
        _asked(_TEXT, "What closed it?", "A fire"),
        _asked(_TEXT, "When did Ida Holm found the mill?", None),
    ]
    paragraphs = [
        {"context": _TEXT, "qas": told},
        {"context": _OTHER, "qas": [_asked(_OTHER, "Who bought the mill?", "Karl Berg")]},
    ]
    data = [{"title": f"Old_works_{n}", "paragraphs": paragraphs} for n in range(articles)]
    path.write_text(json.dumps({"version": "v2.0", "data": data}), encoding="utf-8")
    return path


def _tables(folder: Path) -> Path:
    folder.mkdir()
    rows = [["Pump", "Power", "Year"], ["Alfa 2", "40 kW", "1999"], ["Beta", "55 kW", "2004"]]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    content = text.getvalue().encode()
    with tarfile.open(folder / "tables_csv.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("csv/1.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    lines = [
        "id\tutterance\tcontext\ttargetValue",
        "a\twhat power has the alfa 2?\tcsv/1.csv\t40 kW",
        "b\thow many pumps are there?\tcsv/1.csv\t2",
    ]
    (folder / "training.tsv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _report() -> list[dict[str, Any]]:
    table = [["", "2019", "2018"], ["Sales", "$1,452", "$1,146"], ["Costs", "$44", "$56"]]
    told = [{"order": 1, "text": "Sales are of pumps. The auditors are Berg and Sons."}]
    span = {"answer_type": "span", "answer_from": "table"}
    questions = [
        {"question": "What were sales in 2019?", "answer": ["$1,452"], **span},
        {"question": "Who audits?", "answer": ["Berg and Sons"], **span},
        {"question": "By how much did sales grow?", "answer": [306], "answer_type": "arithmetic"},
    ]
    return [{"table": {"table": table}, "paragraphs": told, "questions": questions}]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """One file of each set."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        lines = content if isinstance(content, list) and name.endswith("l") else [content]
        path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
        return path

    study = {
        "QUESTION": "Does rest help?",
        "CONTEXTS": ["Rest was studied in 40 people.", "Of those who rested, 35 got well."],
        "final_decision": "yes",
    }
    topic = {
        "collection": "one",
        "focus": "Ague",
        "qtype": "symptoms",
        "question": "What are the symptoms of Ague ?",
        "answer": "Ague begins with shivering. Fever follows within hours.",
    }
    open_question = {"instruction": "Why is the sky blue at noon?", "response": "Scattering."}
    return Files(
        squad=squad_file(tmp_path / "squad.json", 3),
        squad2=squad_file(tmp_path / "squad2.json"),
        tables=_tables(tmp_path / "tables"),
        reports=write("reports.json", _report()),
        studies=write("studies.json", {"1": study}),
        topics=write("topics.jsonl", [topic]),
        elsewhere=write("elsewhere.jsonl", [open_question]),
    )
