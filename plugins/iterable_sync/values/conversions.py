"""
From one type to another: each way is defined for one value, and vectorised for plain ones.

Nothing is guessed: ``00501`` is no number, ``1`` no boolean and ``2024-11-25T13:37:19Z`` no date
(Iterable itself takes it for text).
"""

from __future__ import annotations

import math
import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from iterable_sync.rows import StateType, WireType
from iterable_sync.values.columns import Reason, Refused, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

# Source: https://support.iterable.com/hc/en-us/articles/217744303, about 32,000 characters,
# documented; 32,766 (the bytes that a keyword may have in Elasticsearch) is assumed.
MAX_CHARACTERS = 32_766

_INT64 = range(-(2**63), 2**63)
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_NUMBER = r"(?P<whole>-?(?:0|[1-9][0-9]*))(?:\.(?P<fraction>[0-9]+))?(?P<exponent>[eE][+-]?[0-9]+)?"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_ZONE = r"[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]"
_CANONICAL_TIME = rf" {_TIME}(?:\.[0-9]{{1,6}})?\+00:00"
# Source: https://support.iterable.com/hc/en-us/articles/208183076, documented: a fraction is read
# only after a `T`, and has three digits then.
_LITERAL_TIME = rf" {_TIME}(?: {_ZONE})?|T{_TIME}\.[0-9]{{3}}(?:{_ZONE}|Z)"

# Plain is what one pattern can vouch for; the rest is looked at value by value.
_PLAIN_LONG = "0|-?[1-9][0-9]{0,17}"
_PLAIN_NUMBER = r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]+)?"
_PLAIN_DATE = (
    r"[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)


def long_of_text(value: str) -> str:
    """Take an integer as it is; leading zeros and a plus are what codes have, not numbers."""
    if value in _NOT_FINITE:
        raise Refused(Reason.NOT_FINITE)
    if not re.fullmatch("-?(?:0|[1-9][0-9]*)", value):
        raise Refused(Reason.INVALID_NUMBER)
    # The length first: Python refuses to parse thousands of digits.
    if len(value) > 20 or int(value) not in _INT64:
        raise Refused(Reason.OUT_OF_RANGE_LONG)
    return str(int(value))


def long_of_double(value: str) -> str:
    """Take an integral number."""
    number = Decimal(value)
    if number.adjusted() > 18 or number != number.to_integral_value():
        raise Refused(Reason.WRONG_TYPE)
    return long_of_text(format(number, ".0f"))


def double_of_text(value: str) -> str:
    """Take a number with all its digits, but no zeros at its end, and with a fraction."""
    if value in _NOT_FINITE:
        raise Refused(Reason.NOT_FINITE)
    if not (parts := re.fullmatch(_NUMBER, value)):
        raise Refused(Reason.INVALID_NUMBER)
    if math.isinf(float(value)):
        raise Refused(Reason.OUT_OF_RANGE_DOUBLE)
    fraction = (parts["fraction"] or "").rstrip("0") or "0"
    return f"{parts['whole']}.{fraction}{parts['exponent'] or ''}"


def double_of_decimal(value: str) -> str:
    """Take what Arrow writes for a decimal: small ones have an exponent."""
    return double_of_text(format(Decimal(value), "f"))


def boolean_of_text(value: str) -> str:
    """Take true and false."""
    if value.lower() not in {"true", "false"}:
        raise Refused(Reason.INVALID_BOOLEAN)
    return value.lower()


def date_of_text(value: str) -> str:
    """Take a day of the years 1 to 9999 that there is."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) or not _is_day(value):
        raise Refused(Reason.INVALID_DATE)
    return value


def datetime_of_text(value: str) -> str:
    """Take the state's form of a time, or one that Iterable reads."""
    if re.fullmatch(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_CANONICAL_TIME}", value):
        return literal_of_text(f"{value[:19]} +00:00")
    return literal_of_text(value)


def literal_of_text(value: str) -> str:
    """Take the five forms that Iterable reads as a date."""
    if not re.fullmatch(
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:{_LITERAL_TIME})?", value
    ) or not _is_day(value[:10]):
        raise Refused(Reason.INVALID_DATETIME)
    return value


def _is_day(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _never(_: str) -> str:
    raise Refused(Reason.WRONG_TYPE)


def _as_it_is(text: pa.Array) -> pa.Array:
    return text


def _with_fraction(text: pa.Array) -> pa.Array:
    # `10` and `10.00` become `10.0`: JSON without a fraction would be a long to Iterable.
    import pyarrow.compute as pc

    pointed = pc.match_substring(text, ".")
    if not pc.any(pointed).as_py():
        return _append(text, ".0")
    if not pc.all(pointed).as_py():
        text = _append(text, ".", pc.invert(pointed))
    short = pc.ascii_rtrim(text, characters="0")
    return _append(short, "0", pc.ends_with(short, "."))


def _with_point(text: pa.Array) -> pa.Array:
    # What Arrow writes for a float has no zeros at its end to take away.
    import pyarrow.compute as pc

    return _append(text, ".0", pc.invert(pc.match_substring(text, ".")))


def _append(text: pa.Array, end: str, rows: pa.Array | None = None) -> pa.Array:
    """Put *end* behind some rows, by default behind all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    none, ending = (pa.scalar(part, pa.large_string()) for part in ("", end))
    if rows is None:
        return pc.binary_join_element_wise(text, ending, none)
    if not pc.any(rows).as_py():
        return text
    return pc.binary_join_element_wise(text, pc.if_else(rows, ending, none), none)


def _without_fraction(text: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_replace_slice(text, -2, 2**31 - 1, "")


def _with_zone(text: pa.Array) -> pa.Array:
    # Iterable reads no fraction of a second after a blank, so it goes.
    import pyarrow.compute as pc

    return pc.binary_replace_slice(text, 19, 2**31 - 1, " +00:00")


def _nowhere(text: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.less(pc.binary_length(text), 0)


def _matches(pattern: str) -> Callable[[pa.Array], pa.Array]:
    def match(text: pa.Array) -> pa.Array:
        import pyarrow.compute as pc

        return pc.match_substring_regex(text, rf"\A(?:{pattern})\z")

    return match


def _lacks(part: str) -> Callable[[pa.Array], pa.Array]:
    def lacks(text: pa.Array) -> pa.Array:
        import pyarrow.compute as pc

        return pc.invert(pc.match_substring(text, part))

    return lacks


DOUBLE_OF_TEXT = Step(double_of_text, _with_fraction, _matches(_PLAIN_NUMBER))
DOUBLE_OF_DECIMAL = Step(double_of_decimal, _with_fraction, _lacks("E"))
DOUBLE_OF_FLOAT = Step(double_of_text, _with_point, _lacks("e"))
NEVER = Step(_never, _as_it_is, _nowhere)
_KEEP = Step(str, _as_it_is)

# The wire type of a column for which nothing else is declared.
NATURAL = {
    StateType.BIGINT: WireType.LONG,
    StateType.DOUBLE: WireType.DOUBLE,
    StateType.DECIMAL: WireType.DOUBLE,
    StateType.BOOLEAN: WireType.BOOLEAN,
    StateType.TEXT: WireType.STRING,
}
# What a column may become on the wire.
STEPS = {
    (WireType.STRING, WireType.LONG): Step(long_of_text, _as_it_is, _matches(_PLAIN_LONG)),
    (WireType.STRING, WireType.DOUBLE): DOUBLE_OF_TEXT,
    (WireType.STRING, WireType.BOOLEAN): Step(boolean_of_text, _as_it_is, _matches("true|false")),
    (WireType.STRING, WireType.DATE): Step(date_of_text, _as_it_is, _matches(_PLAIN_DATE)),
    (WireType.STRING, WireType.DATETIME): Step(
        datetime_of_text, _with_zone, _matches(_PLAIN_DATE + _CANONICAL_TIME)
    ),
    (WireType.LONG, WireType.DOUBLE): Step(double_of_text, _with_fraction),
    (WireType.LONG, WireType.STRING): _KEEP,
    (WireType.DOUBLE, WireType.STRING): _KEEP,
    (WireType.DOUBLE, WireType.LONG): Step(
        long_of_double, _without_fraction, _matches(rf"(?:{_PLAIN_LONG})\.0")
    ),
    (WireType.BOOLEAN, WireType.STRING): _KEEP,
}
# What a type of Iterable asks of the wire; it has one type for dates and times.
KNOWN = {
    "string": WireType.STRING,
    "long": WireType.LONG,
    "double": WireType.DOUBLE,
    "boolean": WireType.BOOLEAN,
    "date": WireType.DATETIME,
    "object": WireType.JSON,
    "nested": WireType.JSON,
    "geo_location": WireType.JSON,
}
# What the wire may become for a field that Iterable knows.
CASTS = STEPS | {
    (WireType.STRING, WireType.DATETIME): Step(literal_of_text, _as_it_is, _matches(_PLAIN_DATE)),
    (WireType.DATE, WireType.DATETIME): _KEEP,
    (WireType.DATE, WireType.STRING): _KEEP,
    (WireType.DATETIME, WireType.STRING): _KEEP,
}
