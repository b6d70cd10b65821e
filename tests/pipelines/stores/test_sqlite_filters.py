from datetime import UTC, date, datetime
from typing import Any

import pytest
from haystack import Document
from haystack.errors import FilterError
from haystack.utils.filters import document_matches_filter
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stores.sqlite import SqliteDocumentStore
from pipelines.stores.sqlite_filters import compile_filters

NUMBERS = [0, 1, 2, -3, 1.0, 2.5, True, False, 2**70, -(2**65)]
TEXTS = ["a", "A", "", "1", "x" * 300, 'it\'s "quoted" %_ \0']
DATES = [
    "2024-02-03",
    "2024-02-03T00:00:00",
    "2024-02-03T00:00:00Z",
    "2024-02-03T01:00:00+02:00",
    "2024-02-03 10:30",
    "1969-07-21T20:17:40",
]
OTHERS: list[Any] = [[1, 2], [1.0, 2], {"b": 1}, {"b": True}, []]
EVERY = [None, *NUMBERS, *TEXTS, *DATES, *OTHERS]
DOCUMENTS = [Document(id="bare")] + [
    Document(id=f"{field}{n}", content=f"c{n % 3}", meta=meta)
    for field in ("number", "small", "text", "date", "any")
    for n, value in enumerate(
        {"number": NUMBERS, "small": NUMBERS[:-2], "text": TEXTS, "date": DATES, "any": EVERY}[
            field
        ]
    )
    for meta in [{field: value, "nested": {"deep": {field: value}}}]
]

VALUES = st.sampled_from(EVERY)
FIELDS = st.sampled_from(
    [f"{prefix}{name}" for prefix in ("meta.", "meta.nested.deep.") for name in ("number", "any")]
    + ["meta.text", "meta.date", "meta.nested", "meta.missing", "meta.nested.x.y", "any"]
)
EQUALITIES = st.one_of(
    st.builds(
        lambda f, o, v: {"field": f, "operator": o, "value": v},
        FIELDS,
        st.sampled_from(["==", "!="]),
        VALUES,
    ),
    st.builds(
        lambda f, o, v: {"field": f, "operator": o, "value": v},
        FIELDS,
        st.sampled_from(["in", "not in"]),
        st.lists(VALUES, max_size=5),
    ),
    st.builds(
        lambda f, o, v: {"field": f, "operator": o, "value": v},
        st.sampled_from(["id", "content"]),
        st.sampled_from(["==", "!="]),
        st.sampled_from(["c1", "bare", None]),
    ),
)
ORDERS = st.builds(
    lambda pair, o: {"field": pair[0], "operator": o, "value": pair[1]},
    st.one_of(
        st.tuples(st.just("meta.small"), st.sampled_from(NUMBERS)),
        st.tuples(
            st.just("meta.date"), st.sampled_from([*DATES, datetime(2024, 2, 3, tzinfo=UTC)])
        ),
    ),
    st.sampled_from([">", ">=", "<", "<="]),
)
FILTERS = st.recursive(
    EQUALITIES | ORDERS,
    lambda inner: st.builds(
        lambda o, c: {"operator": o, "conditions": c},
        st.sampled_from(["AND", "OR", "NOT"]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def store() -> SqliteDocumentStore:
    store = SqliteDocumentStore(":memory:")
    store.write_documents(DOCUMENTS)
    return store


@settings(max_examples=400, deadline=None)
@given(filters=FILTERS)
def test_filters_mean_what_they_mean_in_haystack(
    store: SqliteDocumentStore, filters: dict[str, Any]
) -> None:
    expected = {d.id for d in DOCUMENTS if document_matches_filter(filters, d)}
    assert {d.id for d in store.filter_documents(filters)} == expected
    assert store.count_documents_by_filter(filters) == len(expected)


def test_a_field_of_mixed_types_is_ordered_where_it_can_be(store: SqliteDocumentStore) -> None:
    above = {"field": "meta.any", "operator": ">", "value": 1}
    found = {d.meta["any"] for d in store.filter_documents(above)}
    assert found == {2, 2.5}


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"field": "meta.text", "operator": ">", "value": 1}, "meta.text holds no numbers"),
        (
            {"field": "meta.number", "operator": "<", "value": date(2024, 1, 1)},
            "meta.number holds no dates",
        ),
        ({"field": "meta.number", "operator": ">", "value": "1"}, "not text"),
        ({"field": "meta.number", "operator": ">", "value": [1]}, "not a list"),
        ({"field": "content", "operator": ">", "value": 1}, "cannot be compared by order"),
        ({"field": "embedding", "operator": "==", "value": [1.0]}, "only be compared with None"),
        ({"field": "blob.mime_type", "operator": "==", "value": "x"}, "use meta.NAME"),
        ({"field": "meta.x", "operator": "~", "value": 1}, "unknown operator '~'"),
        ({"operator": "XOR", "conditions": []}, "unknown operator 'XOR'"),
        ({"operator": "AND", "conditions": [1]}, "a filter is a dictionary, not int"),
        ({"operator": "AND", "conditions": "x"}, "'conditions' must be a list"),
        ({"field": 3, "operator": "==", "value": 1}, "a field is named by text"),
        ({"field": "meta.x", "operator": "==", "value": object()}, "compared with a object"),
    ],
)
def test_a_filter_that_cannot_be_answered_is_an_error(
    store: SqliteDocumentStore, filters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(FilterError, match=reason):
        store.filter_documents(filters)


def test_very_large_filters(store: SqliteDocumentStore) -> None:
    one = {"field": "meta.number", "operator": "==", "value": 2}
    wide = {"operator": "OR", "conditions": [{**one, "value": n} for n in range(300)]}
    assert store.count_documents_by_filter(wide) > 2
    many = {"field": "meta.number", "operator": "in", "value": list(range(20_000))}
    assert store.count_documents_by_filter(many) == store.count_documents_by_filter(wide)
    deep = one
    for _ in range(200):
        deep = {"operator": "NOT", "conditions": [deep]}
    with pytest.raises(FilterError, match="nested more than 100 deep"):
        store.filter_documents(deep)


def test_values_are_never_part_of_the_statement() -> None:
    attack = "x') OR 1=1; DROP TABLE documents; --"
    condition = compile_filters({"field": f"meta.{attack}", "operator": "==", "value": attack})
    assert attack not in condition.sql
    assert attack in condition.parameters
