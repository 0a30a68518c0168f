"""Ids of rows: the same for the same row for ever, and no other row's."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_sync.row_ids import NAMESPACE, key_text, natural_or_uuid, row_ids
from iterable_sync.rows import StateType

LARGE = pa.large_string()


def ids(*keys: tuple[str, ...], project: str = "12345.us", sync: str = "shop") -> list[str]:
    columns = [pa.array(column, LARGE) for column in zip(*keys, strict=True)]
    return row_ids(project, sync, columns).to_pylist()


def test_id_never_changes() -> None:
    """All events ever sent would come a second time under the ids of another rule."""
    assert ["b6d448e5-fa19-58b9-be8a-120010e80111"] == ids(("a", "bc"))


@pytest.mark.capability("A14")
@given(
    keys=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), min_size=1, max_size=9),
    project=st.text(max_size=9),
    sync=st.text(max_size=9),
)
def test_id_is_the_uuid5_of_project_sync_and_key(
    keys: list[tuple[str, str]], project: str, sync: str
) -> None:
    """By the definition of the standard library; each part has its length in bytes before it."""

    def named(*parts: str) -> str:
        return "".join(f"{len(part.encode())}:{part}" for part in parts)

    assert [str(uuid.uuid5(NAMESPACE, named(project, sync, *key))) for key in keys] == ids(
        *keys, project=project, sync=sync
    )


@pytest.mark.failure("D14")
def test_keys_that_read_alike_have_different_ids() -> None:
    keys = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("a", "1:b"), ("a1:", "b")]

    assert len({*ids(*keys)}) == len(keys)


def test_id_is_of_one_project_and_one_sync() -> None:
    """Two syncs may number their rows alike; names that read alike together are not."""
    found = [
        *ids(("1",)),
        *ids(("1",), project="12345.eu"),
        *ids(("1",), sync="shop2"),
        *ids(("1",), project="12345.us1:", sync="hop"),
    ]

    assert len({*found}) == 4


def test_id_has_the_characters_that_iterable_takes() -> None:
    found = ids(*[(f"'{n}é\n",) for n in range(200)])

    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for one in found)
    assert [5] * 200 == [uuid.UUID(one).version for one in found]


def test_no_rows_have_no_ids() -> None:
    assert [] == row_ids("p", "s", [pa.array([], LARGE)]).to_pylist()


# -- the key itself ------------------------------------------------------------------------------


def natural(*keys: tuple[str, ...]) -> list[str]:
    columns = [pa.array(column, LARGE) for column in zip(*keys, strict=True)]
    return natural_or_uuid("12345.us", "shop", columns).to_pylist()


@pytest.mark.parametrize(
    "key",
    ["1", "A-1", "b6d448e5-fa19-58b9-be8a-120010e80111", "-", "x" * 511, "x" * 512],
    ids=len,
)
def test_key_that_can_be_an_id_is_the_id(key: str) -> None:
    """As it is: nobody has to look up what Iterable calls it."""
    assert [key] == natural((key,))


@pytest.mark.parametrize(
    "key",
    ["", "a b", "a_b", "a.b", "a/b", "é", "٣", "a\n", "\na", "x" * 513, "{a}"],
    ids=lambda key: repr(key[:5]),
)
def test_key_that_cannot_be_an_id_has_one_made_of_it(key: str) -> None:
    """Letters, digits and hyphens, at most 512 of them: the rest is a UUID, whole."""
    assert ids((key,)) == natural((key,))


def test_keys_of_both_kinds_keep_their_places() -> None:
    found = natural(("1",), ("a b",), ("2",), ("ü",))

    assert ["1", *ids(("a b",)), "2", *ids(("ü",))] == found


def test_key_of_several_columns_is_made_an_id() -> None:
    """Joined, `a-b` and `c` would be `a` and `b-c`."""
    assert ids(("a-b", "c"), ("a", "b-c")) == natural(("a-b", "c"), ("a", "b-c"))


@given(st.lists(st.text(max_size=6), min_size=1, max_size=9))
def test_id_of_any_key_can_be_one(keys: list[str]) -> None:
    """Distinct keys have distinct ids, and Iterable takes each of them."""
    found = natural(*((key,) for key in keys))

    assert all(re.fullmatch("[A-Za-z0-9-]{1,512}", one) for one in found)
    assert len({*keys}) == len({*found})


def test_no_keys_have_no_ids() -> None:
    assert [] == natural_or_uuid("p", "s", [pa.array([], LARGE)]).to_pylist()


# -- keys as texts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "state", "expected"),
    [
        pytest.param(pa.array([5], pa.int64()), StateType.BIGINT, "5", id="integer"),
        pytest.param(pa.array(["5"]), StateType.TEXT, "5", id="text"),
        pytest.param(pa.array([Decimal("5.00")]), StateType.DECIMAL, "5", id="integral decimal"),
        pytest.param(pa.array(["5.000"]), StateType.DECIMAL, "5", id="decimal as text"),
        pytest.param(pa.array([Decimal(500)]), StateType.DECIMAL, "500", id="round decimal"),
        pytest.param(pa.array([Decimal("0.10")]), StateType.DECIMAL, "0.1", id="fraction"),
        pytest.param(
            pa.array([Decimal("0.0000000100")]), StateType.DECIMAL, "0.00000001", id="small"
        ),
        pytest.param(pa.array(["-0.00"]), StateType.DECIMAL, "0", id="minus nothing"),
        pytest.param(
            pa.array(["1" * 38 + ".50"]), StateType.DECIMAL, "1" * 38 + ".5", id="many digits"
        ),
        pytest.param(pa.array([True]), StateType.BOOLEAN, "true", id="boolean"),
        pytest.param(pa.array(["05 "]), StateType.TEXT, "05 ", id="text as it is"),
    ],
)
def test_key_is_one_text_in_every_type_that_holds_it(
    array: pa.Array, state: StateType, expected: str
) -> None:
    """A column that becomes wider, or text, gives its rows no new ids."""
    assert [expected] == key_text(array, state).to_pylist()
