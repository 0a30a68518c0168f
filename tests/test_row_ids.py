"""Ids of rows: the same for the same row for ever, and no other row's."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_sync.row_ids import NAMESPACE, key_text, row_ids
from iterable_sync.rows import StateType

LARGE = pa.large_string()


def ids(*keys: tuple[str, ...], project: str = "12345.us", sync: str = "shop") -> list[str]:
    columns = [pa.array(column, LARGE) for column in zip(*keys, strict=True)]
    return row_ids(project, sync, columns).to_pylist()


def test_id_never_changes() -> None:
    """All events ever sent would come a second time under the ids of another rule."""
    assert ["b6d448e5-fa19-58b9-be8a-120010e80111"] == ids(("a", "bc"))


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
