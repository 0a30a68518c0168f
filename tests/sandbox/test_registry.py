from __future__ import annotations

import pytest

from iterable_sync.sandbox.answers import Refused
from iterable_sync.sandbox.registry import MAX_DEPTH, Draft, FieldRegistry


def admit(registry, data, *, create=True):
    draft = Draft()
    fits = registry.admit(data, draft, create=create, widen_numbers=False)
    return fits, draft


@pytest.fixture
def registry():
    return FieldRegistry({}, category="user")


def test_nested_fields_are_known_by_their_dotted_path(registry):
    fits, draft = admit(registry, {"address": {"city": "Paris", "geo": {"floor": 4}}})

    assert fits
    assert draft.created == ["address", "address.city", "address.geo", "address.geo.floor"]
    assert registry.kinds["address.geo.floor"] == "long"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1, 2], {"f": "long"}, id="numbers"),
        pytest.param([None, "a"], {"f": "string"}, id="null first"),
        pytest.param([], {}, id="empty"),
        pytest.param([None], {}, id="nulls only"),
        pytest.param([{"a": 1}, {"b": "x"}], {"f": "object", "f.a": "long", "f.b": "string"},
                     id="objects"),
        pytest.param([[1], [2]], {"f": "long"}, id="arrays"),
    ],
)  # fmt: skip
def test_array_has_the_type_of_its_elements(registry, values, expected):
    fits, _ = admit(registry, {"f": values})

    assert fits
    assert registry.kinds == expected


def test_elements_of_two_types_do_not_fit_together(registry):
    fits, draft = admit(registry, {"f": [1, "a"]})

    assert not fits
    assert draft.wrong["f"].value == "a"


def test_null_gives_no_type(registry):
    fits, draft = admit(registry, {"f": None, "g": {"h": None}})

    assert fits
    assert draft.created == ["g"]


def test_unknown_fields_are_dropped_and_named_where_none_may_be_created(registry):
    admit(registry, {"known": {"a": 1}})
    data = {"known": {"a": 2, "b": 3}, "new": 1, "tags": ["x"]}

    _, draft = admit(registry, data, create=False)

    assert data == {"known": {"a": 2}}
    assert list(draft.filtered) == ["known.b", "new", "tags"]
    assert draft.created == []


def test_what_a_refused_request_created_is_taken_back(registry):
    _, draft = admit(registry, {"f": 1, "g": {"h": "x"}})

    registry.take_back(draft)

    assert registry.kinds == {}


def test_dates_are_stored_in_one_form_also_inside_arrays_and_objects(registry):
    data = {"day": "2020-01-02", "days": ["2020-01-02"], "at": {"day": "2020-01-02"}}

    admit(registry, data)
    admit(registry, data)

    day = "2020-01-02 00:00:00 +00:00"
    assert data == {"day": day, "days": [day], "at": {"day": day}}


@pytest.mark.parametrize("wrap", [lambda inner: {"f": inner}, lambda inner: [inner]])
def test_nesting_has_an_end(registry, wrap):
    value = 1
    for _ in range(MAX_DEPTH + 1):
        value = wrap(value)

    with pytest.raises(Refused):
        admit(registry, {"f": value})
