"""Consent to text messages: the two columns of a model without which no SMS event goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.rows import WireType
from iterable_sync.spec import FieldSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iterable_sync.rows import Column
    from iterable_sync.spec import SyncSpec

NEEDED = {
    WireType.PHONE: ("phone_number", "phoneNumber"),
    WireType.BOOLEAN: ("sms_opt_in", "smsOptIn"),
}
"""What each of the two columns is, and the names of which the model has one."""


def with_consent(spec: SyncSpec, names: Iterable[str]) -> SyncSpec:
    """
    Let the columns of ``sms_consent`` be a phone and a boolean, where it is asked for.

    Args:
        names: the columns of the model.

    Raises:
        ConfigError: the model lacks one of them, or it is declared to be left out, or as something
            else.
    """
    if not spec.sms_consent:
        return spec
    by_lower = {name.lower(): name for name in names}
    excluded = {name.lower() for name in spec.exclude}
    fields = dict(spec.fields)
    for wire, known in NEEDED.items():
        found = next((by_lower[n.lower()] for n in known if n.lower() in by_lower), None)
        if found is None:
            raise ConfigError(
                "sms_consent: the model needs the columns 'phone_number' and 'sms_opt_in' (or "
                f"'phoneNumber' and 'smsOptIn'), and has no {known[0]!r}; select both, or leave "
                "sms_consent out where no text message comes of these events"
            )
        if found.lower() in excluded:
            raise ConfigError(f"exclude: sms_consent needs the column {found!r}")
        given = next((n for n in fields if n.lower() == found.lower()), found)
        declared = fields.get(given, FieldSpec())
        if declared.type not in (None, wire):
            raise ConfigError(
                f"column {found!r} is declared as {declared.type.value}, and sms_consent needs it "
                f"as {wire.value}; leave its type out"
            )
        fields[given] = declared.model_copy(update={"type": wire})
    return spec.model_copy(update={"fields": fields})


def consent_columns(columns: Sequence[Column]) -> tuple[Column, Column]:
    """Give the phone and the opt-in among the columns that :func:`with_consent` let pass."""
    by_lower = {column.name.lower(): column for column in columns}
    phone, opt_in = (
        next(by_lower[n.lower()] for n in known if n.lower() in by_lower)
        for known in NEEDED.values()
    )
    return phone, opt_in
