"""Tables of real files in a real store, as indexing writes them but for the vectors."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.convert import convert_file
from pipelines.split import split
from pipelines.stores.sqlite import SqliteDocumentStore
from pipelines.tables import Tables
from pipelines.tables.links import Vocabulary
from pipelines.tables.reading import Reading, read_question

ORDERS = """id,Asset,Opened,Cost,Hours,Part,Action,Done,Note
1,A,2010-01-05,$100.50,3,Hose,Replace,TRUE,"Replaced hose, left side"
2,A,2010-02-11,$20.25,1,Pump,Repair,TRUE,Pump noisy
3,B,2011-03-09,$300.00,8,Hose,Replace,FALSE,Hose burst again
4,B,2011-07-30,,2,Hose_Pump,Repair_Replace,TRUE,Both
5,C,2012-01-01,$50.00,,Boom,Inspect,FALSE,Crack?
"""
MakeTables = Callable[..., Tables]


def read(tables: Tables, question: str) -> Reading:
    """Read a question against all tables."""
    return read_question(question, [Vocabulary(table) for table in tables.tables])


@pytest.fixture
def make_tables(tmp_path: Path) -> MakeTables:
    """Index files given by name and content."""

    def make(max_tokens: int = 192, **files: str) -> Tables:
        store = SqliteDocumentStore(tmp_path / "passages.sqlite")
        for name, content in files.items():
            path = tmp_path / name.replace("__", ".")
            path.write_text(content, encoding="utf-8")
            store.write_documents(
                split(
                    convert_file(path),
                    root=str(tmp_path),
                    document=path.name,
                    format="csv",
                    max_tokens=max_tokens,
                    count_tokens=lambda texts: [len(text.split()) for text in texts],
                )
            )
        return Tables(store)

    return make


@pytest.fixture
def orders(make_tables: MakeTables) -> Tables:
    """Five work orders."""
    return make_tables(machine_work_orders__csv=ORDERS)
