from __future__ import annotations

import pytest

from iterable_sync.sandbox.kinds import Kind, fits, kind_of, normal_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2020-08-19", "2020-08-19 00:00:00 +00:00", id="day"),
        pytest.param("2020-08-19 20:50:04", "2020-08-19 20:50:04 +00:00", id="no offset"),
        pytest.param("2020-08-19 20:50:04 +00:00", "2020-08-19 20:50:04 +00:00", id="as shown"),
        pytest.param("2020-08-19 20:50:04 +02:00", "2020-08-19 18:50:04 +00:00", id="offset"),
        pytest.param("2020-08-19T20:50:04.000Z", "2020-08-19 20:50:04 +00:00", id="recorded"),
        pytest.param("2020-08-19T20:50:04.999-01:00", "2020-08-19 21:50:04 +00:00", id="fraction"),
        pytest.param("0012-01-01", "0012-01-01 00:00:00 +00:00", id="year of two digits"),
        pytest.param("2020-04-13 13:37:19.039", None, id="fraction without T"),
        pytest.param("2020-02-30", None, id="no such day"),
        pytest.param("2020-08-19 24:00:00", None, id="no such hour"),
        pytest.param("0001-01-01 00:00:00 +02:00", None, id="before the first year"),
        pytest.param("20200819", None, id="no hyphens"),
        pytest.param("2020-08-19 ", None, id="something after it"),
        pytest.param("", None, id="empty"),
    ],
)
def test_dates_are_the_documented_forms_and_shown_in_one(text, expected):
    assert normal_date(text) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("f", "Ada", Kind.STRING, id="text"),
        pytest.param("f", "", Kind.STRING, id="empty text"),
        pytest.param("f", "2020-08-19", Kind.DATE, id="text that looks like a date"),
        pytest.param("f", True, Kind.BOOLEAN, id="boolean"),
        pytest.param("f", 10, Kind.LONG, id="integer"),
        pytest.param("f", 10.0, Kind.DOUBLE, id="whole number with a fraction"),
        pytest.param("f", {}, Kind.OBJECT, id="object"),
        pytest.param("shop_geo_location", {"lat": 1, "lon": 2.5}, Kind.GEO, id="place"),
        pytest.param("shop", {"lat": 1, "lon": 2}, Kind.OBJECT, id="place by another name"),
        pytest.param("a_geo_location", {"lat": 1}, Kind.OBJECT, id="half a place"),
        pytest.param("a_geo_location", {"lat": 91, "lon": 0}, Kind.OBJECT, id="beyond the pole"),
    ],
)
def test_first_value_gives_a_field_its_type(name, value, expected):
    assert kind_of(name, value) is expected


@pytest.mark.parametrize(
    ("kind", "value", "strict", "widened"),
    [
        pytest.param(Kind.DOUBLE, 10, False, True, id="integer into double"),
        pytest.param(Kind.LONG, 10.0, False, True, id="whole double into long"),
        pytest.param(Kind.LONG, 10.5, False, False, id="broken double into long"),
        pytest.param(Kind.LONG, 2**63 - 1, True, True, id="largest long"),
        pytest.param(Kind.LONG, 2**63, False, False, id="one more than a long holds"),
        pytest.param(Kind.STRING, "2020-08-19", True, True, id="date into text"),
        pytest.param(Kind.DATE, "soon", False, False, id="text into date"),
        pytest.param(Kind.STRING, 5, False, False, id="number into text"),
        pytest.param(Kind.BOOLEAN, 1, False, False, id="number into boolean"),
        pytest.param(Kind.OBJECT, "x", False, False, id="text into object"),
    ],
)
def test_type_of_a_field_never_changes(kind, value, strict, widened):
    incoming = kind_of("f", value)

    assert fits(kind, incoming, value, widen_numbers=False) is strict
    assert fits(kind, incoming, value, widen_numbers=True) is widened
