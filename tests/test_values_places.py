"""Places: ``{lat, lon}`` in fields whose names end in ``_geo_location``."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_sync.rows import StateType, WireType
from iterable_sync.values import Rendered, render
from iterable_sync.values.places import is_place, places_of

GOOD = '{"lat":47.1,"lon":8}'


def rendered(*texts: str | None, name: str = "home_geo_location", **known: str) -> Rendered:
    return render(pa.array(texts, pa.string()), StateType.TEXT, WireType.JSON, name, known)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        '{"lon":8,"lat":47.1}',
        '{"lat": -90, "lon": 180.0}',
        '{"lat":0,"lon":-180}',
        "[" + GOOD + "," + GOOD + "]",
    ],
)
def test_place_is_sent_as_it_is(text: str) -> None:
    """Digit by digit; and it is one field, of which Iterable lists no parts."""
    found = rendered(text)

    assert ([text], {}) == (found.text.to_pylist(), found.bad)
    assert [("home_geo_location",)] == found.leaves


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"lat":47.1}', id="no lon"),
        pytest.param('{"lat":47.1,"lon":null}', id="null"),
        pytest.param('{"lat":47.1,"lon":8,"alt":400}', id="more than the two"),
        pytest.param('{"lat":47.1,"lng":8}', id="another name"),
        pytest.param('{"Lat":47.1,"Lon":8}', id="capitals"),
        pytest.param('{"lat":"47.1","lon":"8"}', id="texts"),
        pytest.param('{"lat":true,"lon":false}', id="booleans"),
        pytest.param('{"lat":90.0001,"lon":8}', id="beyond the pole"),
        pytest.param('{"lat":47.1,"lon":-180.1}', id="beyond the date line"),
        pytest.param("[47.1,8]", id="list of numbers"),
        pytest.param('"47.1,8"', id="text"),
        pytest.param("47.1,8", id="no JSON"),
        pytest.param("{}", id="empty"),
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    """Iterable would make it an object for ever, or a text, or refuse the request."""
    found = rendered(text)

    assert ([None], {0: "invalid_geo_location"}) == (found.text.to_pylist(), found.bad)


def test_places_are_looked_at_one_by_one() -> None:
    """Not by their likeness to one that was right."""
    texts = [f'{{"lat":{n}.5,"lon":8.5}}' for n in range(300)]

    found = rendered(*texts)

    assert dict.fromkeys(range(90, 300), "invalid_geo_location") == found.bad


def test_place_within_an_object_is_looked_at() -> None:
    texts = [f'{{"home_geo_location":{{"lat":{n},"lon":8}},"n":1}}' for n in (1, 91)] * 100

    found = rendered(*texts, name="address")

    assert dict.fromkeys(range(1, 200, 2), "invalid_geo_location") == found.bad
    assert found.leaves is not None
    assert {"address.home_geo_location", "address.n"} == set(found.leaves[0])


def test_null_is_no_value() -> None:
    found = rendered("null", None)

    assert ([None, None], {}) == (found.text.to_pylist(), found.bad)


def test_place_goes_into_no_field_of_another_type() -> None:
    assert {0: "wrong_type"} == rendered(GOOD, home_geo_location="string").bad
    assert {} == rendered(GOOD, home_geo_location="geo_location").bad


NUMBERS = st.none() | st.floats(-200, 200) | st.integers(-200, 200)


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
def test_two_columns_give_what_their_json_would(pairs: list[tuple[Any, Any]]) -> None:
    """The vectorised check is that of one value."""
    texts = [
        pa.array([None if n is None else json.dumps(n) for n in numbers], pa.large_string())
        for numbers in ([lat for lat, _ in pairs], [lon for _, lon in pairs])
    ]

    places = places_of(*texts).to_pylist()

    for (lat, lon), text in zip(pairs, places, strict=True):
        value = {"lat": lat, "lon": lon}
        assert is_place(value) == (text is not None)
        assert text is None or value == json.loads(text)
