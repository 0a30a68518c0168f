from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from iterable_sync.fields import Chunk, DataFields, flags, where
from iterable_sync.rows import Column, StateType, WireType


def chunk(masks: list[str | None], **columns: Any) -> Chunk:
    rows = len(masks)
    table = pa.table(
        {
            "_seq": pa.array(range(rows), pa.int64()),
            "_op": pa.array(["changed"] * rows, pa.string()),
            "_mask": pa.array(masks, pa.string()),
            "_identity": pa.array(["userId:1"] * rows, pa.string()),
        }
        | columns
    )
    return Chunk(table.to_pandas(types_mapper=pd.ArrowDtype))


def text(name: str, position: int) -> Column:
    return Column(name, name, StateType.TEXT, WireType.STRING, position)


@pytest.mark.parametrize(
    ("masks", "position", "expected"),
    [
        pytest.param(["010", "010"], 1, [True, True], id="one mask, set"),
        pytest.param(["010", "010"], 2, [False, False], id="one mask, not set"),
        pytest.param(["010", "001"], 1, [True, False], id="masks differ"),
        pytest.param(["01", "0"], 1, [True, False], id="a shorter mask"),
        pytest.param(["01", "01"], 5, [False, False], id="a place beyond every mask"),
        pytest.param(["01", "10"], 5, [False, False], id="a place beyond different masks"),
        pytest.param(["1", None], 0, [True, False], id="no mask sends nothing"),
        pytest.param([], 0, [], id="no rows"),
    ],
)
def test_mask_says_which_rows_send_a_column(
    masks: list[str | None], position: int, expected: list[bool]
) -> None:
    assert chunk(masks).sent(text("a", position)).tolist() == expected


def test_rows_with_the_same_fields_share_their_names() -> None:
    """Who looks for new fields has few distinct tuples to look at."""
    documents = ['{"x":1}', '{"y":1}', '{"x":2}']
    rows = chunk(["11"] * 3, a=["1", "2", "3"], b=documents)
    fields = DataFields(rows, {})
    fields.add(text("a", 0))
    fields.add(Column("b", "b", StateType.TEXT, WireType.JSON, 1))

    names = fields.names()

    assert list(names) == [("a", "b.x"), ("a", "b.y"), ("a", "b.x")]
    assert names[0] is names[2]


def test_chunk_without_fields_has_empty_objects() -> None:
    fields = DataFields(chunk(["", ""]), {})

    assert fields.objects().pieces == ["{}"]
    assert fields.objects().is_empty.to_pylist() == [True, True]
    assert list(fields.names()) == [(), ()]


def test_null_flag_is_false() -> None:
    assert flags(pa.array([True, None, False])).tolist() == [True, False, False]


def test_values_of_other_rows_become_null() -> None:
    array = pa.array([1, 2, None])

    assert where(np.array([True, False, True]), array).to_pylist() == [1, None, None]
    assert where(np.array([True, True, True]), array) is array
