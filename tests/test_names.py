from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_sync.errors import ConfigError
from iterable_sync.names import MANAGED, Template, check, dotted, join, shown, split_name
from iterable_sync.rows import Column, Role, StateType, WireType


def columns(*fields: str, role: Role = Role.FIELD) -> list[Column]:
    return [
        Column(f"c{place}", field, StateType.TEXT, WireType.STRING, place, role=role)
        for place, field in enumerate(fields)
    ]


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("city", ("city",)),
        ("address.city", ("address", "city")),
        ("address__city", ("address", "city")),
        ("a__b.c", ("a", "b", "c")),
        ("first_name", ("first_name",)),
        ("_private", ("_private",)),
        ("Größe in cm", ("Größe in cm",)),
    ],
)
def test_dots_and_double_underscores_nest(field: str, path: tuple[str, ...]) -> None:
    assert split_name(field) == path
    assert dotted(field) == ".".join(path)


@pytest.mark.parametrize("field", ["", ".", "a.", ".a", "a..b", "__a", "a__", "a____b"])
def test_name_with_an_empty_part_is_an_error(field: str) -> None:
    with pytest.raises(ConfigError, match="empty part"):
        split_name(field)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(("address", "address.city"), "'address' is mapped", id="whole, then part"),
        pytest.param(("address__city", "address"), "'address' is mapped", id="part, then whole"),
        pytest.param(("a.b", "a.b.c"), "'a.b' is mapped", id="deeper"),
        pytest.param(("Address", "address.city"), "'Address' is mapped", id="case in the parent"),
        pytest.param(("a.b", "a__b"), "'a.b' and 'a__b' are the same field", id="two spellings"),
        pytest.param(("city", "city"), "'city' and 'city' are the same field", id="twice"),
        pytest.param(("city", "City"), "'city' and 'City' are the same field", id="case only"),
        pytest.param(("a.b.c", "a.b.d"), "replaces 'a.b' as a whole", id="merged one level only"),
    ],
)
def test_fields_that_cannot_live_together_are_an_error(fields: Any, message: str) -> None:
    """Fields that would overwrite or erase each other are found before anything is sent."""
    with pytest.raises(ConfigError, match=message):
        check(columns(*fields), merge_nested_objects=True)


def test_without_merging_an_object_has_one_column() -> None:
    """Sent apart without merging, each of two parts of an object would erase the other."""
    pair = columns("address.city", "address.zip")
    check(pair, merge_nested_objects=True)
    check(columns("address.city", "home.city"), merge_nested_objects=False)

    with pytest.raises(ConfigError, match="replaces 'address' as a whole"):
        check(pair, merge_nested_objects=False)


@pytest.mark.parametrize("field", [*MANAGED, "itblInternal.documentCreatedAt"])
def test_field_that_iterable_manages_is_an_error(field: str) -> None:
    """The message says what to do instead."""
    with pytest.raises(ConfigError, match=r"cannot be written: .*(exclude|sync of|column with)"):
        check(columns(field), merge_nested_objects=True)


@pytest.mark.parametrize(
    "field",
    ["signupDate", "phoneNumber", "timeZone", "ip", "city", "region", "country", "Devices", "tags"],
)
def test_ordinary_and_usual_fields_may_be_written(field: str) -> None:
    check(columns(field), merge_nested_objects=True)


def test_event_may_have_any_field_and_nest_it_deep() -> None:
    """It is sent whole, and what Iterable manages is in profiles."""
    check(
        columns("devices", "email", "a.b.c", "a.b.d"), merge_nested_objects=True, is_profile=False
    )

    with pytest.raises(ConfigError, match="are the same field"):
        check(columns("City", "city"), merge_nested_objects=True, is_profile=False)


def test_identity_columns_are_no_fields() -> None:
    """The columns that identify people may be called what Iterable calls them."""
    check(columns("email", role=Role.EMAIL), merge_nested_objects=True)
    check(columns("userId", role=Role.USER_ID), merge_nested_objects=True)


def objects(fields: list[str], rows: list[list[str | None]]) -> list[Any]:
    texts = [
        pa.array([row[place] for row in rows], pa.large_string()) for place in range(len(fields))
    ]
    written = Template(fields).write(texts)
    found = [json.loads(text) for text in join(*written.pieces, null="").to_pylist()]
    is_empty = [False] * len(rows) if written.is_empty is None else written.is_empty.to_pylist()
    assert is_empty == [one == {} for one in found]
    return [one or None for one in found]


def test_template_nests() -> None:
    assert objects(["a", "b.c", "b__d"], [["1", '"x"', "null"]]) == [
        {"a": 1, "b": {"c": "x", "d": None}}
    ]


def test_template_leaves_out_what_a_row_does_not_send() -> None:
    """A member that is null is left out, an object without members as well."""
    rows = [["1", None, "2"], [None, "3", None], [None, None, None]]

    assert objects(["a", "b.c", "b.d"], rows) == [
        {"a": 1, "b": {"d": 2}},
        {"b": {"c": 3}},
        None,
    ]


def test_template_writes_names_as_json() -> None:
    assert objects(['say "hi"\\', "é"], [["1", "2"]]) == [{'say "hi"\\': 1, "é": 2}]


@pytest.mark.parametrize("fields", [["a", "a.b"], ["a.b", "a"], ["a", "a"], ["a.b", "a__b"]])
def test_template_takes_no_field_that_is_a_part_of_another(fields: list[str]) -> None:
    with pytest.raises(ConfigError, match="mapped"):
        Template(fields)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.none() | st.integers(0, 9).map(str), min_size=6, max_size=6),
        min_size=1,
        max_size=8,
    )
)
def test_template_writes_what_a_dict_would_be(rows: list[list[str | None]]) -> None:
    """Whatever a row sends and leaves out, its object is valid and has just that."""
    fields = ["a", "b.c", "b.d", "b.e.f", "b.e.g", "h.i"]
    expected = []
    for row in rows:
        tree: dict[str, Any] = {}
        for field, text in zip(fields, row, strict=True):
            node = tree
            *parents, leaf = field.split(".")
            if text is not None:
                for parent in parents:
                    node = node.setdefault(parent, {})
                node[leaf] = int(text)
        expected.append(tree or None)

    assert objects(fields, rows) == expected


def test_join_of_a_null_is_null_or_what_is_asked_for() -> None:
    texts = pa.array(["x", None], pa.large_string())

    assert join("<", texts, ">").to_pylist() == ["<x>", None]
    assert join("<", texts, ">", null="-").to_pylist() == ["<x>", "<->"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(["city", "a.b"], ["a.b", "city"], id="mapped"),
        pytest.param(["friends.ana@example.com"], ["friends.*"], id="below a mapped one"),
        pytest.param(["friends.a", "friends.b.c"], ["friends.*"], id="each only once"),
        pytest.param(["a.b.c"], ["a.b.*"], id="below the nearest"),
        pytest.param(["ana@example.com", "a"], ["*"], id="of nobody"),
        pytest.param([], [], id="none"),
    ],
)
def test_keys_inside_of_a_value_are_not_shown(fields: list[str], expected: list[str]) -> None:
    """They are data, and may be people."""
    assert expected == shown(fields, {"city", "friends", "a.b"})
