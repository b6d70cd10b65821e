import pytest
from haystack import Document

from pipelines.stores.sqlite import SqliteDocumentStore


@pytest.fixture
def store() -> SqliteDocumentStore:
    store = SqliteDocumentStore(":memory:")
    store.write_documents(
        [
            Document(content="a", meta={"columns": {"cost": 3, "part": "pump"}, "tags": ["x"]}),
            Document(content="b", meta={"columns": {"cost": 1.5, "part": "Pipe"}, "open": True}),
            Document(content="c", meta={"columns": {"cost": "n/a"}, "day": "2024-02-03"}),
            Document(content="d", meta={"note": "long " * 100, "big": 2**80}),
        ]
    )
    return store


def test_fields_are_listed_by_path_with_their_types(store: SqliteDocumentStore) -> None:
    assert {k: v["type"] for k, v in store.get_metadata_fields_info().items()} == {
        "columns.cost": "int|number|text",
        "columns.part": "text",
        "tags": "list",
        "open": "boolean",
        "day": "text",
        "note": "text",
        "big": "number",
    }


def test_extremes_are_of_the_numbers_first(store: SqliteDocumentStore) -> None:
    assert store.get_metadata_field_min_max("columns.cost") == {"min": 1.5, "max": 3}
    assert store.get_metadata_field_min_max("meta.day") == {
        "min": "2024-02-03",
        "max": "2024-02-03",
    }
    extremes = store.get_metadata_field_min_max("open")
    assert extremes["min"] is True


def test_values_come_back_whole(store: SqliteDocumentStore) -> None:
    assert store.get_metadata_field_unique_values("note") == (["long " * 100], 1)
    assert store.get_metadata_field_unique_values("tags") == ([["x"]], 1)
    assert store.get_metadata_field_unique_values("big") == ([2**80], 1)
    assert store.get_metadata_field_unique_values("columns.part", "PI") == (["Pipe"], 1)
    has_number = {"field": "meta.columns.cost", "operator": ">", "value": 2}
    assert store.get_metadata_field_unique_values("columns.part", filters=has_number) == (
        ["pump"],
        1,
    )
