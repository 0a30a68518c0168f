"""
Phone numbers in the form in which Iterable takes them: ``+14158675309`` (E.164).

A number is taken where it can be dialled: with its country, or in the way in which one dials within
*region*. Digits and what people put between them are read; letters and extensions are not, since
nobody can send a message to those.

Source: Segment's destination Iterable, "a valid phone number with country code", documented.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from iterable_sync.errors import ConfigError
from iterable_sync.values.columns import Bad, Reason, Refused, mend

if TYPE_CHECKING:
    import pyarrow as pa


class PhoneKind(StrEnum):
    """What answers under a number, as far as its country's plan says."""

    MOBILE = "mobile"
    EITHER = "either"  # in North America a number does not tell
    OTHER = "other"  # a landline, a service: nobody there reads a text message


_WRITTEN = re.compile(r"[+(0-9][0-9 ()./\u00a0\u2010-\u2013-]*")


def check_phones(region: str | None) -> None:
    """
    Check that phone numbers can be read here.

    Raises:
        ConfigError: the library is not installed, or there is no such region.
    """
    try:
        from phonenumbers import SUPPORTED_REGIONS
    except ImportError:
        raise ConfigError(
            "a field of type phone needs the library phonenumbers: "
            "pip install 'airflow-provider-iterable[phone]'"
        ) from None
    if region is not None and region not in SUPPORTED_REGIONS:
        raise ConfigError(
            f"phone_region={region!r} is no country; write its two letters of ISO 3166, e.g. 'US'"
        )


def e164(text: pa.Array, region: str | None, bad: Bad) -> pa.Array:
    """
    Give phone numbers (``large_string``) in their one form; each distinct one is read once.

    Args:
        region: the country of those that do not say theirs; None refuses them.
    """
    import numpy as np
    import pyarrow.compute as pc

    distinct = pc.dictionary_encode(text)
    written = distinct.dictionary
    refused: Bad = {}
    is_plain = np.zeros(len(written), dtype=bool)
    numbers = mend(written, written, is_plain, lambda one: _e164(one, region), refused)
    done = numbers.take(distinct.indices)
    if refused:
        wrong = done.is_null().to_numpy(zero_copy_only=False)
        wrong &= text.is_valid().to_numpy(zero_copy_only=False)
        bad.update(dict.fromkeys(wrong.nonzero()[0].tolist(), Reason.INVALID_PHONE))
    return done


def kinds_of(text: pa.Array, region: str | None) -> pa.Array:
    """Give the :class:`PhoneKind` of phone numbers (``large_string``); null for what is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    distinct = pc.dictionary_encode(text)
    kinds: list[str | None] = []
    for written in distinct.dictionary.to_pylist():
        try:
            kinds.append(_kind(_number(written, region)))
        except Refused:
            kinds.append(None)
    return pa.array(kinds, pa.large_string()).take(distinct.indices)


def _kind(number: Any) -> str:
    from phonenumbers import PhoneNumberType, number_type

    of_type = {
        PhoneNumberType.MOBILE: PhoneKind.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE: PhoneKind.EITHER,
    }
    return of_type.get(number_type(number), PhoneKind.OTHER).value


def _e164(value: str, region: str | None) -> str:
    from phonenumbers import PhoneNumberFormat, format_number

    return str(format_number(_number(value, region), PhoneNumberFormat.E164))


def _number(value: str, region: str | None) -> Any:
    """Read a number that can be dialled; raises :class:`Refused`."""
    import phonenumbers

    if not _WRITTEN.fullmatch(value):
        raise Refused(Reason.INVALID_PHONE)
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        raise Refused(Reason.INVALID_PHONE) from None
    if not phonenumbers.is_valid_number(number):
        raise Refused(Reason.INVALID_PHONE)
    return number
