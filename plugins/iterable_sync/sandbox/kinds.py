"""The types of fields, and which of them a JSON value has."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

DATE_FORMAT = "%Y-%m-%d %H:%M:%S +00:00"
MAX_LONG = 2**63 - 1
MIN_LONG = -(2**63)

_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:"
    r" (\d\d:\d\d:\d\d)(?: ([+-]\d\d:\d\d))?"
    r"|T(\d\d:\d\d:\d\d\.\d{3})(Z|[+-]\d\d:\d\d)"
    r")?"
)


class Kind(StrEnum):
    """
    The type of a field.

    Source:
        support.iterable.com article 208183076, documented; the names as `users/getFields` gives
        them, recorded 2017.
    """

    STRING = "string"
    DATE = "date"
    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    OBJECT = "object"
    GEO = "geo_location"


# The types that a request is reported to hold, by what the value is. Recorded 2021 for text
# (`string, keyword`); assumed for the others.
INCOMING: dict[Kind, list[str]] = {
    Kind.STRING: ["string", "keyword"],
    Kind.DATE: ["date", "string", "keyword"],
    Kind.LONG: ["long"],
    Kind.DOUBLE: ["double"],
    Kind.BOOLEAN: ["boolean"],
    Kind.OBJECT: ["object"],
    Kind.GEO: ["geo_location", "object"],
}


def normal_date(text: str) -> str | None:
    """
    Return *text* as Iterable shows a date, or ``None`` if it is no date.

    Source:
        The accepted forms: support.iterable.com article 208183076, documented. Fractions of a
        second need the ``T``: a test of a production client. Shown as
        ``yyyy-MM-dd HH:mm:ss +00:00``: recorded 2021. A time without an offset is taken as UTC
        and a plain date as midnight: assumed.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    day, time, offset, iso_time, iso_offset = match.groups()
    clock = time or iso_time or "00:00:00"
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{offset or iso_offset or '+00:00'}")
        if offset == "+00:00":
            return text
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Not strftime: it writes the year 12 as `12`, and is three times as slow.
    return f"{moment.replace(tzinfo=None, microsecond=0).isoformat(' ')} +00:00"


def kind_of(name: str, value: Any) -> Kind:
    """
    Return the type that *value* gives to a new field called *name*.

    Source:
        support.iterable.com article 208183076, documented: text that looks like a date is a date;
        a geo location is named ``..._geo_location`` and holds exactly ``lat`` and ``lon``.
    """
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int):
        return Kind.LONG
    if isinstance(value, float):
        return Kind.DOUBLE
    if isinstance(value, dict):
        is_geo = name.endswith("_geo_location") and _is_location(value)
        return Kind.GEO if is_geo else Kind.OBJECT
    return Kind.STRING if normal_date(value) is None else Kind.DATE


def fits(kind: Kind, incoming: Kind, value: Any, *, widen_numbers: bool) -> bool:
    """
    Say whether *value*, of type *incoming*, may be written to a field of type *kind*.

    Source:
        Documented: a type never changes. That a text field takes text that looks like a date, and
        that a long has 64 bits, is inferred from the recorded error texts; for numbers see
        `Settings.widen_numbers`.
    """
    if incoming is Kind.LONG and not MIN_LONG <= value <= MAX_LONG:
        return False
    if kind is incoming:
        return True
    if kind is Kind.STRING:
        return incoming is Kind.DATE
    if widen_numbers:
        if kind is Kind.DOUBLE:
            return incoming is Kind.LONG
        return kind is Kind.LONG and incoming is Kind.DOUBLE and float(value).is_integer()
    return False


def _is_location(value: dict[str, Any]) -> bool:
    if value.keys() != {"lat", "lon"}:
        return False
    lat, lon = value["lat"], value["lon"]
    return all(type(degrees) in (int, float) for degrees in (lat, lon)) and (
        -90 <= lat <= 90 and -180 <= lon <= 180
    )
