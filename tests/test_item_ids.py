"""Ids of catalog items: what Iterable takes, one for each key, and back."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_sync.item_ids import MAX_CHARACTERS, item_id, item_ids, item_key

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
# Texts that look as if they had been escaped, which have to be told apart from those that were.
ESCAPED = st.lists(st.sampled_from(["x--", "-", "2d", "5F", "x", "_", "é"])).map("".join)
KEYS = TEXTS | ESCAPED | TEXTS.map(item_id)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("SKU-42", "SKU-42", id="an id already"),
        pytest.param("550e8400-e29b-41d4-a716-446655440000", None, id="a uuid"),
        pytest.param("x" * 255, None, id="as long as an id may be"),
        pytest.param("x-1", None, id="nearly the marker"),
        pytest.param("SKU_42", "x--SKU-5f42", id="another character"),
        pytest.param("crème", "x--cr-c3-a8me", id="two bytes"),
        pytest.param("x--SKU", "x--x-2d-2dSKU", id="looks escaped"),
        pytest.param("a b.c/d", "x--a-20b-2ec-2fd", id="several"),
        pytest.param("SKU-42\n", "x--SKU-2d42-0a", id="the end of a line"),
        pytest.param("", "x--", id="empty"),
    ],
)
def test_key_that_is_no_id_is_escaped(key: str, expected: str | None) -> None:
    assert (expected or key) == item_id(key)
    assert [expected or key] == item_ids(pa.array([key], pa.large_string())).to_pylist()


@given(st.lists(KEYS, max_size=8))
def test_each_key_has_an_id_of_its_own(keys: list[str]) -> None:
    """And the key can be read from it; a column is done as one value is."""
    ids = item_ids(pa.array(["first", *keys], pa.large_string())[1:]).to_pylist()

    assert ids == [item_id(key) for key in keys]
    assert keys == [item_key(one) for one in ids]
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", one) for one in ids)


@given(TEXTS, TEXTS | ESCAPED)
def test_two_keys_have_two_ids(key: str, other: str) -> None:
    assert (key == other) is (item_id(key) == item_id(other))


@pytest.mark.parametrize("length", [254, 255, 256])
def test_key_that_is_too_long_stays_too_long(length: int) -> None:
    """So that it can be refused, and is never cut to somebody else's id."""
    assert (length <= MAX_CHARACTERS) is (len(item_id("k" * length)) <= MAX_CHARACTERS)


@pytest.mark.parametrize("wrong", ["x--a-5F", "x--a-zz", "x--a-", "x--a_b", "x---c3", "x---41"])
def test_what_is_the_id_of_no_key_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"no key|utf-8"):
        item_key(wrong)
