import re
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import StoreError
from pipelines.stores import weaviate_schema as schema

NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=100).filter(
    lambda name: name[0].isalnum()
)
PATHS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
VALUES = st.one_of(st.text(max_size=20), st.integers(), st.floats(allow_nan=False), st.booleans())


@given(NAMES, NAMES)
def test_collection_names_are_valid_and_kept_apart(one, other):
    name = schema.collection_name(one)
    assert re.fullmatch(r"[A-Z][_0-9A-Za-z]*", name)
    assert (name == schema.collection_name(other)) == (one == other)


def test_a_name_that_weaviate_allows_is_used_as_it_is():
    assert schema.collection_name("Expert") == "Expert"
    assert schema.collection_name("hr-handbook") == "Expert_hr_handbook_28bf05a8"


@pytest.mark.parametrize("name", ["", "a b", "../x", "ü", "-x", "x" * 101, "x\n"])
def test_other_names_are_refused(name):
    with pytest.raises(StoreError, match="cannot name a collection"):
        schema.collection_name(name)


@given(PATHS, PATHS, VALUES, VALUES)
def test_facts_are_equal_when_field_and_value_are(path, other, value, another):
    same = path == other and _equal(value, another)
    assert (schema.fact_of_value(path, value) == schema.fact_of_value(other, another)) == same
    assert schema.fact_of_presence(path) != schema.fact_of_value(other, value)
    assert (schema.fact_of_presence(path) == schema.fact_of_presence(other)) == (path == other)


def _equal(value, another):
    return value == another and isinstance(value, str) == isinstance(another, str)


@given(PATHS, VALUES)
def test_facts_have_no_outer_blanks_for_the_server_to_trim_and_are_short(path, value):
    terms = [schema.fact_of_presence(path), schema.fact_of_value(path, value)]
    for term in terms:
        assert term.strip() == term
        assert 1 < len(term) <= 200


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5.0), (-0.5, -0.5), (True, 1.0), (10**20, 1e20), (10**400, None), ("5", None)],
)
def test_numbers(value, number):
    assert schema.number_of(value) == number


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, [], {}])
def test_what_is_no_number(value):
    assert schema.number_of(value) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T00:00:01.5", 1.5),
        ("1970-01-01 01:00:00+01:00", 0.0),
        ("9999-12-31", 253402214400.0),
        ("0001-01-01", -62135596800.0),
        ("1970", None),
        ("19700102", None),
        ("1970-13-01", None),
        ("1970-01-02 was a day", None),
        (5, None),
    ],
)
def test_dates(value, seconds):
    assert schema.seconds_of(value) == seconds


def test_range_properties_of_different_fields_differ_though_their_letters_agree():
    paths = ["columns.Größe (mm)", "columns.Gr__e__mm_", "columns.cost", "columns.Cost", "x" * 300]
    names = [schema.range_property(path, time=time) for path in paths for time in (True, False)]
    assert len({name.lower() for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-z]+_[0-9A-Za-z_]{1,80}", name) for name in names)
    assert all(map(schema.is_range_property, names))
    assert not any(map(schema.is_range_property, schema.STORED))


def test_flattening_names_nested_fields_and_leaves_none_out():
    meta = {"a": 1, "b": None, "columns": {"x": 2, "y": {"z": None}}}
    assert dict(schema.flatten(meta)) == {
        "a": 1,
        "columns": meta["columns"],
        "columns.x": 2,
        "columns.y": {"z": None},
    }


def test_metadata_are_kept_in_the_description():
    metadata = {"embedder": "minilm", "ü": '"'}
    assert schema.described("X", schema.describe(metadata)) == metadata


@pytest.mark.parametrize(
    "description", [None, "", "someone's documents", "{}", "[]", '{"phi-expert": 3}']
)
def test_a_collection_of_others_is_told(description):
    with pytest.raises(StoreError, match="was not made by Phi Expert"):
        schema.described("X", description)


def test_a_newer_layout_is_refused():
    description = '{"phi-expert": {"layout": 2, "metadata": {}}}'
    with pytest.raises(StoreError, match="newer Phi Expert"):
        schema.described("X", description)


def test_objects_have_the_ids_that_weaviate_haystack_gives_them():
    from weaviate.util import generate_uuid5

    assert schema.object_uuid("a document") == generate_uuid5("a document")


def test_slots_are_spread_over_their_range():
    slots = [schema.slot_of(schema.object_uuid(str(n))) for n in range(4000)]
    quarters = [sum(slot * 4 // schema.SLOTS == n for slot in slots) for n in range(4)]
    assert min(quarters) > 850
    assert schema.slot_of(str(uuid.UUID(int=2**128 - 1))) == schema.SLOTS - 1
