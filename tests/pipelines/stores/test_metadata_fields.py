import pytest

from pipelines.stores.metadata_fields import count_unique, fields_info, min_max, unique_values

METAS = [
    {"page": 3, "title": "B", "columns": {"cost": 1.5, "when": "2024-05-01"}},
    {"page": 1, "title": "a", "columns": {"cost": "n/a", "when": "2024-01-31T10:00:00+02:00"}},
    {"page": 1, "tags": ["x"], "flag": True, "nothing": None},
]


def test_fields_and_types():
    assert fields_info(METAS) == {
        "columns.cost": {"type": "number|text"},
        "columns.when": {"type": "text"},
        "flag": {"type": "boolean"},
        "page": {"type": "int"},
        "tags": {"type": "list"},
        "title": {"type": "text"},
    }
    assert fields_info([]) == {}


def test_extremes_of_numbers_and_of_dates():
    assert min_max(METAS, "meta.page") == {"min": 1, "max": 3}
    assert min_max(METAS, "columns.when") == {
        "min": "2024-01-31T10:00:00+02:00",
        "max": "2024-05-01",
    }
    assert min_max(METAS, "missing") == {"min": None, "max": None}
    with pytest.raises(ValueError, match="'title'"):
        min_max(METAS, "title")


def test_distinct_values_by_page_and_term():
    assert unique_values(METAS, "title") == (["B", "a"], 2)
    assert unique_values(METAS, "title", "A") == (["a"], 1)
    assert unique_values(METAS, "page", from_=1, size=1) == ([3], 2)
    metas = [{"v": 1}, {"v": 1.0}, {"v": "1"}, {"v": True}, {"v": 1}]
    values, total = unique_values(metas, "v")
    assert total == 4
    assert {type(value) for value in values} == {int, float, str, bool}


def test_counts_of_distinct_values():
    assert count_unique(iter(METAS), ["meta.page", "tags", "missing"]) == {
        "page": 2,
        "tags": 1,
        "missing": 0,
    }
