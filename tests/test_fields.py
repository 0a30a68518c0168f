from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from iterable_sync.fields import Chunk, DataFields, flags, where
from iterable_sync.names import join
from iterable_sync.renamed import Renamed
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


# -- places of two columns, and names of before --------------------------------------------------


def written(fields: DataFields) -> list[dict[str, Any]]:
    pieces = fields.objects().pieces
    return [json.loads(text) for text in join(*pieces, null="").to_pylist()]


def half(part: str, position: int) -> Column:
    field = f"at_geo_location.{part}"
    return Column(part, field, StateType.DOUBLE, WireType.DOUBLE, position)


@pytest.mark.parametrize("order", [("lat", "lon"), ("lon", "lat")])
def test_half_that_did_not_change_is_sent_with_the_other(order: tuple[str, str]) -> None:
    """Whichever column comes first in the model."""
    place = {part: pa.array([1.0, 2.0, 3.0, 4.0]) for part in order}
    rows = chunk(["10", "01", "11", "00"], **place)
    fields = DataFields(rows, {})
    for position, part in enumerate(order):
        fields.add(half(part, position))

    names = [set(found) for found in fields.names()]

    assert [{"at_geo_location": {"lat": n, "lon": n}} for n in (1, 2, 3)] == written(fields)[:3]
    assert {} == written(fields)[3]
    assert [{"at_geo_location"}] * 3 + [set()] == names


def test_place_of_halves_is_refused_or_cleared_as_a_whole() -> None:
    """Both columns are named, so that neither is tried again alone."""
    rows = chunk(["11"] * 3, lat=pa.array([91.0, None, None]), lon=pa.array([8.0, 8.0, None]))
    fields = DataFields(rows, {"at_geo_location": "geo_location"})
    for position, part in enumerate(("lat", "lon")):
        fields.add(half(part, position))

    assert [
        (row, f"at_geo_location.{part}", "invalid_geo_location")
        for row in (0, 1)
        for part in ("lat", "lon")
    ] == sorted(fields.refused)
    assert [{}, {}, {"at_geo_location": None}] == written(fields)


@pytest.mark.parametrize(
    ("of_changed", "expected"),
    [
        pytest.param({"a"}, [{"b": "x", "old": None}, {}], id="rows that are known have it"),
        pytest.param(set(), [{"b": "x"}, {}], id="only those that come back"),
    ],
)
def test_old_name_is_cleared_beside_the_new_one(
    of_changed: set[str], expected: list[dict[str, Any]]
) -> None:
    """In rows that send the column, and where Iterable has such a field."""
    fields = DataFields(chunk(["1", "0"], a=["x", "y"]), {"old": "string", "b": "string"})
    column = Column("a", "b", StateType.TEXT, WireType.STRING, 0)
    renamed = Renamed({"a": ("old", "unknown")}, frozenset(of_changed))

    fields.clear_renamed(column, fields.add(column), renamed)

    assert expected == written(fields)


def test_old_name_of_two_columns_is_cleared_once() -> None:
    """They had it one after the other."""
    fields = DataFields(chunk(["10", "01"], a=["x", "y"], b=["x", "y"]), {"old": "string"})
    renamed = Renamed({"a": ("old",), "b": ("old",)}, frozenset("ab"))
    for position, name in enumerate("ab"):
        column = text(name, position)
        fields.clear_renamed(column, fields.add(column), renamed)

    assert [{"a": "x", "old": None}, {"b": "y", "old": None}] == written(fields)


def test_place_that_was_is_cleared_as_a_whole() -> None:
    rows = chunk(["11"], lat=pa.array([1.0]), lon=pa.array([1.0]))
    fields = DataFields(rows, {"old_geo_location": "geo_location"})
    renamed = Renamed(
        {part: (f"old_geo_location.{part}",) for part in ("lat", "lon")},
        frozenset({"lat", "lon"}),
    )
    for position, part in enumerate(("lat", "lon")):
        column = half(part, position)
        fields.clear_renamed(column, fields.add(column), renamed)

    (row,) = written(fields)

    assert {"at_geo_location": {"lat": 1.0, "lon": 1.0}, "old_geo_location": None} == row
