"""
Places: a field whose name ends in ``_geo_location`` is ``{"lat": ..., "lon": ...}`` and no more.

Source: https://support.iterable.com/hc/en-us/articles/208183076, documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.names import join

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_DEGREES = {"lat": 90, "lon": 180}


def is_place(value: Any) -> bool:
    """Tell whether a value, as parsed from JSON, is a latitude and a longitude."""
    return (
        type(value) is dict
        and value.keys() == _MOST_DEGREES.keys()
        and all(
            type(value[name]) in (int, float) and abs(value[name]) <= most
            for name, most in _MOST_DEGREES.items()
        )
    )


def places_of(lat: pa.Array, lon: pa.Array) -> pa.Array:
    """
    Give places as JSON texts (``large_string``); null where the two numbers are none.

    Args:
        lat, lon: JSON numbers; null where there is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    here = [
        pc.less_equal(pc.abs(text.cast(pa.float64())), _MOST_DEGREES[name])
        for name, text in (("lat", lat), ("lon", lon))
    ]
    texts = join('{"lat":', lat, ',"lon":', lon, "}")
    return pc.if_else(pc.and_(*here), texts, pa.scalar(None, texts.type))
