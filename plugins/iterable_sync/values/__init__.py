"""
Values of a column as JSON, exact, and why some have none.

A column is read by its state type, brought to its wire type, and from there to the type that
Iterable knows for the field (:mod:`.conversions`). Numbers are text all the way from the warehouse
to the request, so no digit can change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from iterable_sync.errors import ConfigError
from iterable_sync.names import join
from iterable_sync.rows import StateType, WireType
from iterable_sync.values.columns import Bad, Reason, Refused, apply, mend, refuse, text_bytes
from iterable_sync.values.conversions import (
    CASTS,
    DOUBLE_OF_DECIMAL,
    DOUBLE_OF_FLOAT,
    DOUBLE_OF_TEXT,
    KNOWN,
    MAX_CHARACTERS,
    NATURAL,
    NEVER,
    STEPS,
)
from iterable_sync.values.nested import look_into
from iterable_sync.values.phones import check_phones, e164
from iterable_sync.values.places import places_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = [
    "MAX_CHARACTERS",
    "Bad",
    "Reason",
    "Rendered",
    "can_become",
    "check_phones",
    "escape",
    "places_of",
    "render",
]


@dataclass(slots=True)
class Rendered:
    """
    A column as JSON.

    Args:
        written: a JSON text per row (``large_string``), strings without the quotes around them:
            those are put when rows are joined, which spares a copy of each column; null where
            there is no value, or a bad one.

        bad: row -> why its value cannot be sent.

        leaves: JSON columns only: per row, the dotted fields to which its value gives one.

        is_string: *written* lacks its quotes.
    """

    written: pa.Array
    bad: Bad = field(default_factory=dict)
    leaves: list[tuple[str, ...]] | None = None
    is_string: bool = False

    @property
    def text(self) -> pa.Array:
        """The JSON texts in full."""
        return join('"', self.written, '"') if self.is_string else self.written


def can_become(state: StateType, wire: WireType) -> bool:
    """Tell whether a column of *state* can be sent as *wire*; what a declared type has to meet."""
    if wire is WireType.JSON:
        return state is StateType.TEXT
    if wire is WireType.PHONE:
        return state in (StateType.TEXT, StateType.BIGINT)
    return wire is NATURAL[state] or (NATURAL[state], wire) in STEPS


def render(
    values: pa.Array,
    state: StateType,
    wire: WireType,
    name: str,
    known_types: Mapping[str, str],
    *,
    region: str | None = None,
) -> Rendered:
    """
    Write a column as JSON.

    Args:
        values: one Arrow array, no chunks.

        state: how the state keeps the column.

        wire: what it is to become.

        name: the field, dotted.

        known_types: dotted field -> its type in Iterable. A value of another type is cast where
            nothing is lost by it, else it is bad: ``wrong_type``.

        region: of phone numbers without a country.

    Raises:
        ConfigError: no value of *state* can be a *wire*.
    """
    if not can_become(state, wire):
        raise ConfigError(f"field {name!r}: a {state} cannot be sent as a {wire}")
    bad: Bad = {}
    text = _read(values, state, bad)
    if wire is WireType.JSON:
        text, leaves = look_into(text, name, known_types, bad)
        return Rendered(text, bad, leaves)
    if wire is WireType.PHONE:
        text, wire = e164(text, region, bad), WireType.STRING
    elif wire is not NATURAL[state]:
        text = apply(STEPS[NATURAL[state], wire], text, bad)
    known = KNOWN.get(known_types.get(name, ""), wire)
    if known is not wire:
        refused: Bad = {}
        text = apply(CASTS.get((wire, known), NEVER), text, refused)
        bad |= dict.fromkeys(refused, Reason.WRONG_TYPE)
    if known in {WireType.LONG, WireType.DOUBLE, WireType.BOOLEAN}:
        return Rendered(text, bad)
    return Rendered(escape(text, bad), bad, is_string=True)


def escape(text: pa.Array, bad: Bad) -> pa.Array:
    """Write texts (``large_string``) as the inside of JSON strings; what cannot be one is bad."""
    import numpy as np

    data, offsets = text_bytes(text)
    plain = np.diff(offsets) <= MAX_CHARACTERS
    # Control characters, quotes and backslashes are all that JSON escapes.
    places = np.flatnonzero((data < 0x20) | (data == 0x22) | (data == 0x5C))
    if places.size:
        plain[np.searchsorted(offsets, places + offsets[0], side="right") - 1] = False
    return mend(text, text, plain, _escape, bad)


def _escape(value: str) -> str:
    if "\0" in value:
        raise Refused(Reason.NUL_CHARACTER)
    if len(value) > MAX_CHARACTERS:
        raise Refused(Reason.TOO_LONG)
    return orjson.dumps(value)[1:-1].decode()


def _read(values: pa.Array, state: StateType, bad: Bad) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    large = pa.large_string()
    if pa.types.is_null(kind):
        return values.cast(large)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if state is StateType.TEXT:
            return _utf8(values.cast(large), bad)
        if state is StateType.DECIMAL:
            return apply(DOUBLE_OF_TEXT, _utf8(values.cast(large), bad), bad)
    if state is StateType.DOUBLE and pa.types.is_floating(kind):
        wrong = pc.if_else(
            pc.is_null(values), pa.scalar(value=False), pc.invert(pc.is_finite(values))
        )
        text = refuse(values.cast(large), wrong, Reason.NOT_FINITE, bad)
        return apply(DOUBLE_OF_FLOAT, text, bad)
    if state is StateType.DECIMAL and pa.types.is_decimal(kind):
        return apply(DOUBLE_OF_DECIMAL, values.cast(large), bad)
    if (state is StateType.BIGINT and pa.types.is_integer(kind)) or (
        state is StateType.BOOLEAN and pa.types.is_boolean(kind)
    ):
        return values.cast(large)
    # A bigint that came as a float has lost its digits already: no cast can be right.
    raise TypeError(f"a column of state type {state} came as Arrow type {kind}")


def _utf8(text: pa.Array, bad: Bad) -> pa.Array:
    """Refuse what is no UTF-8: Arrow does not look, and drivers pass on what they get."""
    import pyarrow as pa

    data, _ = text_bytes(text)
    if not (data > 0x7F).any():
        return text
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        wrong = [not _is_utf8(value) for value in text.cast(pa.large_binary()).to_pylist()]
        return refuse(text, pa.array(wrong), Reason.NOT_TEXT, bad)
    return text


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
