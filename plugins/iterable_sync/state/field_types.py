"""What a field is: its type by declaration, column or name, and whether a row needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.names import dotted, half_of, is_location
from iterable_sync.rows import WireType
from iterable_sync.values import can_become, check_phones

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.rows import Column
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Cast

# Without underscores, in small letters. As numbers they lose their zeros in front.
_TEXTS = frozenset({"phone", "phonenumber", "postalcode", "postcode", "zip", "zipcode"})


def wire_of(
    name: str, field: str, type_name: str, cast: Cast, declared: WireType | None
) -> WireType:
    """
    Give the type of a field.

    Args:
        name: of its column, and *type_name* of the column's type in the warehouse.

        cast: how the column comes into the stage.

    Raises:
        ConfigError: no value of the column can have it.
    """
    last = dotted(field).rpartition(".")[2]
    natural = cast.wire
    wire = declared or natural
    if is_location(last):
        # A text may hold JSON: what it holds is looked at, value by value.
        wire = WireType.JSON if natural is WireType.STRING and declared is None else wire
        if wire is not WireType.JSON:
            raise ConfigError(
                f"column {name!r} is a {type_name}, and {field!r} is a place: give it as JSON "
                '{"lat": ..., "lon": ...}, or as two columns '
                f"'{name}__lat' and '{name}__lon'"
            )
    elif half_of(field) is not None:
        if declared not in (None, WireType.LONG, WireType.DOUBLE):
            raise ConfigError(
                f"column {name!r} is a part of a place, and a number; leave its type out"
            )
        wire = WireType.DOUBLE
    elif declared is None and last.replace("_", "").lower() in _TEXTS:
        if natural is WireType.DOUBLE:
            raise ConfigError(
                f"column {name!r} is a {type_name}, and zips and phones are texts: cast it in the "
                "SQL, or declare its type"
            )
        wire = WireType.STRING if natural is WireType.LONG else natural
    if declared is WireType.DATE and natural is WireType.DATETIME:
        raise ConfigError(
            f"column {name!r} is a {type_name}, and which day a time is on depends on the zone: "
            "cast it to a date in the SQL"
        )
    if wire is not natural and not can_become(cast.state, wire):
        raise ConfigError(
            f"column {name!r} is a {type_name}, which cannot be sent as {wire.value}; cast it "
            "in the SQL, or leave the type out"
        )
    return wire


def completed(spec: SyncSpec, columns: Sequence[Column]) -> list[Column]:
    """
    Mark the columns without which a row is rejected, and check that phone numbers can be read.

    Raises:
        ConfigError: what is declared is of no field that there is, or a library is missing.
    """
    _check_phone_fields(spec, columns)
    fields = {dotted(column.field) for column in columns}
    if missing := [name for name in spec.required if name not in fields]:
        raise ConfigError(
            f"required names fields that the model does not have: {', '.join(missing)}; it has "
            f"{', '.join(sorted(fields))}"
        )
    return [replace(c, is_required=dotted(c.field) in spec.required) for c in columns]


def _check_phone_fields(spec: SyncSpec, columns: Sequence[Column]) -> None:
    if any(column.wire is WireType.PHONE for column in columns):
        check_phones(spec.phone_region)
    elif spec.phone_region is not None:
        raise ConfigError(
            f"phone_region={spec.phone_region!r} is given, and no field is a phone; declare one "
            "with fields={'<column>': {'type': 'phone'}}"
        )
