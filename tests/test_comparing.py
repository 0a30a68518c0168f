"""What Iterable shows against what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from iterable_sync.comparing import compare


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param("Bern", "Bern", id="text"),
        pytest.param("", "", id="empty text"),
        pytest.param(None, None, id="null"),
        pytest.param(7, 7, id="long"),
        pytest.param(10.0, 10, id="double shown without a fraction"),
        pytest.param(9_007_199_254_740_993, 9_007_199_254_740_993, id="beyond a float"),
        pytest.param(True, True, id="boolean"),
        pytest.param("2026-01-31", "2026-01-31", id="day"),
        pytest.param("2026-01-31", "2026-01-31 00:00:00 +00:00", id="day shown as its midnight"),
        pytest.param(
            "2026-01-31 13:37:19 +00:00", "2026-01-31 13:37:19 +00:00", id="the form of Iterable"
        ),
        pytest.param("2026-01-31T13:37:19.999Z", "2026-01-31 13:37:19 +00:00", id="fraction"),
        pytest.param("2026-01-31 01:00:00 +02:00", "2026-01-30 23:00:00 +00:00", id="zone"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, id="object with more keys"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, id="objects in objects"),
        pytest.param({"a": None}, {}, id="null in an object"),
        pytest.param({"a": None}, None, id="object of nulls"),
        pytest.param([1, 2], [1, 2], id="array"),
        pytest.param([], None, id="empty array"),
        pytest.param([{"id": "p", "x": None}], [{"id": "p", "price": 2.0}], id="array of objects"),
        pytest.param({"lat": 46.95, "lon": 7}, {"lat": 46.95, "lon": 7.0}, id="place"),
    ],
)
def test_what_iterable_rewrites_is_no_difference(sent: Any, shown: Any) -> None:
    assert set() == compare({"field": sent}, {"field": shown, "other": 1})


@pytest.mark.parametrize(
    ("sent", "shown", "fields"),
    [
        pytest.param("Bern", "bern", {"field"}, id="case"),
        pytest.param("Bern", None, {"field"}, id="not there"),
        pytest.param(None, "Bern", {"field"}, id="still there"),
        pytest.param(None, 0, {"field"}, id="null and zero"),
        pytest.param(0, None, {"field"}, id="zero and nothing"),
        pytest.param("", None, {"field"}, id="empty text and nothing"),
        pytest.param(False, None, {"field"}, id="false and nothing"),
        pytest.param(7, 8, {"field"}, id="long"),
        pytest.param(7, "7", {"field"}, id="number and text"),
        pytest.param(1, True, {"field"}, id="one and true"),
        pytest.param(False, 0, {"field"}, id="false and zero"),
        pytest.param(
            9_007_199_254_740_993, 9_007_199_254_740_992, {"field"}, id="what a float would hide"
        ),
        pytest.param("2026-01-31", "2026-02-01 00:00:00 +00:00", {"field"}, id="another day"),
        pytest.param(
            "2026-01-31 13:37:19 +00:00", "2026-01-31 13:37:20 +00:00", {"field"}, id="a second"
        ),
        pytest.param("2026-02-31", "2026-02-31 00:00:00 +00:00", {"field"}, id="no day"),
        pytest.param({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"field.b"}, id="in an object"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, {"field.a.b"}, id="in an object in an object"),
        pytest.param({"a": 1}, None, {"field"}, id="no object"),
        pytest.param({"a": 1}, "text", {"field"}, id="object and text"),
        pytest.param({}, "text", {"field"}, id="empty object and text"),
        pytest.param([1, 2], [2, 1], {"field"}, id="order"),
        pytest.param([1], [1, 2], {"field"}, id="one more"),
        pytest.param([1], None, {"field"}, id="no array"),
        pytest.param([{"id": "p"}], [{"id": "q"}], {"field"}, id="array of objects"),
        pytest.param([], "text", {"field"}, id="empty array and text"),
    ],
)
def test_another_value_is_a_difference(sent: Any, shown: Any, fields: set[str]) -> None:
    """And it is named with where it is, or as a whole where its parts have no names."""
    there = {} if shown is None else {"field": shown}

    assert fields == compare({"field": sent, "same": 1}, {**there, "same": 1})
