"""Texts that are like one another are told by a pattern, and by nothing but what is the same."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_sync.rows import StateType, WireType
from iterable_sync.values import render
from iterable_sync.values.nested import _WORTH_A_SHAPE
from iterable_sync.values.shapes import shape_of

KNOWN = {"f.a": "long", "f.b": "string", "f.d": "date", "f.a.b": "double"}


def matches(example: str, other: str, known: dict[str, str] | None = None) -> bool | None:
    pattern = shape_of(json.loads(example), "f", known or {})
    if pattern is None:
        return None
    return pc.match_substring_regex(pa.array([other], pa.large_string()), pattern)[0].as_py()


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param('{"a":-70,"b":"é","c":[0.5,2.25]}', True, id="other values"),
        pytest.param('{"a": 1, "b": "", "c": [1.0]}', True, id="blanks where databases put them"),
        pytest.param('{"b":"","a":1,"c":[1.5]}', False, id="another order"),
        pytest.param('{"a":1,"b":"x"}', False, id="a key less"),
        pytest.param('{"a":1,"b":"x","c":[1.5],"a":2}', False, id="a key twice"),
        pytest.param('{"a":1.5,"b":"x","c":[1.5]}', False, id="a number of another type"),
        pytest.param('{"a":1,"b":null,"c":[1.5]}', False, id="null"),
        pytest.param('{"a":1,"b":"x","c":[]}', False, id="an empty list gives no field"),
        pytest.param('{"a":1,"b":"x","c":[1.5,2]}', False, id="a list of two types"),
        pytest.param('{"a":01,"b":"x","c":[1.5]}', False, id="a number that is none"),
        pytest.param('{"a":1,"b":"x","c":[1.5]', False, id="cut off"),
        pytest.param('{"a":1,"b":"x","c":[1.5]}\n', False, id="a line end"),
        pytest.param('{"a":1,"b":"\\u0000","c":[1.5]}', False, id="an escape"),
        pytest.param('{"a":1,"b":"\t","c":[1.5]}', False, id="a raw tab, which JSON has not"),
        pytest.param('{"a":1234567890123456789,"b":"","c":[1.5]}', False, id="19 digits"),
        pytest.param('{"a":1,"b":"x","c":[1e400]}', False, id="beyond a double"),
    ],
)
def test_only_texts_of_the_same_keys_and_types_match(other: str, expected: bool) -> None:
    assert matches('{"a":1,"b":"x","c":[1.5]}', other) is expected


def test_what_a_pattern_means_in_a_name_is_plain() -> None:
    name = r'a.b*c(d)[e]{f}^g$h|i+j?k\l"'

    assert matches(json.dumps({name: 1}), json.dumps({name: 2})) is True
    assert matches(json.dumps({"a.c": 1}), json.dumps({"abc": 2})) is False


@pytest.mark.parametrize(
    "example",
    [
        pytest.param('{"d":"2024-11-25"}', id="a text of a date field"),
        pytest.param('{"x":{"d":[1,"a"]}}', id="a list of two types"),
        pytest.param(json.dumps({f"key{n}": "x" for n in range(400)}), id="a very long pattern"),
        pytest.param("[" * 60 + "]" * 60, id="lists in lists, which double the pattern"),
    ],
)
def test_text_whose_types_do_not_say_all_has_no_shape(example: str) -> None:
    assert matches(example, example, KNOWN) is None


def test_text_deeper_than_python_goes_has_no_shape() -> None:
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]

    assert shape_of(value, "f", {}) is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**65)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "x", 'a"b', "\\", "\0", "2024-11-25", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(VALUES.map(json.dumps) | st.sampled_from(["{", "", "1 2"]), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_many_texts_are_read_as_each_alone(pool: list[str], random: Any) -> None:
    """What patterns tell of a long column is what looking at each text tells."""
    texts = [*random.choices([*pool, None], k=3 * _WORTH_A_SHAPE), *pool]

    together = render(pa.array(texts, pa.string()), StateType.TEXT, WireType.JSON, "f", KNOWN)

    for row, text in enumerate(texts):
        alone = render(pa.array([text], pa.string()), StateType.TEXT, WireType.JSON, "f", KNOWN)
        assert together.bad.get(row) == alone.bad.get(0)
        assert together.text[row] == alone.text[0]
        assert set((together.leaves or [])[row]) == set((alone.leaves or [])[0])


def test_pattern_holds_from_the_first_character_to_the_last() -> None:
    assert matches('{"a":"x"}', ' {"a":"y"}') is False
    assert matches("1", "12 ") is False
