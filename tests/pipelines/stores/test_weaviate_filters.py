import pytest
from haystack.errors import FilterError

from pipelines.stores.weaviate_filters import convert_filters
from pipelines.stores.weaviate_schema import range_property


def condition(operator, value, field="meta.columns.cost"):
    return {"field": field, "operator": operator, "value": value}


def convert(filters, *known):
    return convert_filters(filters, set(known).__contains__)


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ([], "a dictionary"),
        ({}, "'operator' key missing"),
        ({"operator": "AND"}, "'conditions' key missing"),
        ({"conditions": []}, "'operator' key missing"),
        ({"operator": "AND", "conditions": {"field": "x"}}, "must be a list"),
        ({"operator": "XOR", "conditions": []}, "Unknown logical operator 'XOR'"),
        ({"operator": "AND", "conditions": [{"operator": "==", "value": 1}]}, "'conditions' key"),
        ({"field": "meta.x", "value": 1}, "'operator' key missing"),
        ({"field": "meta.x", "operator": "=="}, "'value' key missing"),
        (condition("~", 1), "Unknown comparison operator '~'"),
        (condition("in", "abc"), "must be a list"),
        (condition("not in", 3), "must be a list"),
        (condition(">", "abc"), "only comparable if they are ISO"),
        (condition("<=", "1"), "only comparable if they are ISO"),
        (condition(">", [1]), "can't be of type"),
        (condition("==", [0.1], "embedding"), "cannot be filtered by 'embedding'"),
        (condition("==", 1, "score"), "cannot be filtered by 'score'"),
    ],
)
def test_what_cannot_be_asked_is_said(filters, said):
    with pytest.raises(FilterError, match=said):
        convert(filters)


def test_a_range_is_asked_of_its_own_property_once_that_exists():
    number = range_property("columns.cost", time=False)
    time = range_property("columns.cost", time=True)
    assert convert(condition(">", 5), number).target == number
    assert convert(condition("<", "2024-01-01"), time).target == time
    assert convert(condition("<", "2024-01-01"), time).value == 1704067200.0
    assert convert(condition(">", 5), time).target == "facts", "no document has a number there"


def test_values_of_one_field_are_asked_together():
    found = convert(condition("in", ["a", "b", 3], "meta.kind"))
    assert (found.target, len(found.value)) == ("facts", 3)


def test_meta_may_be_left_out_of_a_fields_name():
    assert (
        convert(condition("==", 1, "kind")).value == convert(condition("==", 1, "meta.kind")).value
    )


def test_a_documents_own_fields_are_not_metas():
    own = convert(condition("==", "x", "content"))
    metas = convert(condition("==", "x", "meta.content"))
    assert own.value != metas.value
    assert convert(condition("in", ["a", None], "id")).value == ["a"]
