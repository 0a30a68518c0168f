"""
Why a row or field was rejected: code -> words, whose job it is, and when another try makes sense.

The codes are what is stored and counted. An unknown code is no error: other versions of this
package and later answers of Iterable may bring one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_HOUR_S = 3_600.0
_DAY_S = 24 * _HOUR_S


class Owner(StrEnum):
    """Who can make the rejection go away."""

    WAREHOUSE = "warehouse"  # the data
    MAPPING = "mapping"  # the model SQL and the field declarations
    ITERABLE = "Iterable"  # the project's settings or what it already holds


@dataclass(frozen=True, slots=True)
class Reason:
    """
    What a code means.

    Args:
        retry_after_s: seconds after which the same value is tried again; None waits until the
            value changes.
    """

    words: str
    owner: Owner
    retry_after_s: float | None = None


_DATA, _MAPPING, _ITERABLE = Owner.WAREHOUSE, Owner.MAPPING, Owner.ITERABLE

REASONS: dict[str, Reason] = {
    # Refused by mapping, before anything was sent.
    "missing_key": Reason("a key column is NULL", _DATA),
    "missing_identifier": Reason("the row has neither e-mail nor userId", _DATA),
    "missing_event_name": Reason("the event has no name", _DATA),
    "missing_audience": Reason("the audience has no name with a letter or digit in it", _DATA),
    "missing_subscribed": Reason("whether the person is subscribed is NULL", _DATA),
    "bad_group": Reason(
        "the group is no emailList, messageType or messageChannel, or its id no positive integer",
        _DATA,
    ),
    "opted_out": Reason(
        "another row of the same person says no to the same group, and a no counts", _DATA
    ),
    "invalid_ids": Reason("an array of ids is no JSON list of positive integers", _DATA),
    "missing_created_at": Reason("the event, order or request has no time", _DATA),
    "missing_total": Reason("the order has no total", _DATA),
    "missing_items": Reason("the order has no list of items, not even an empty one", _DATA),
    "invalid_items": Reason(
        "an item lacks its id, name, price or quantity, or has one that Iterable does not take; "
        "the log says where",
        _DATA,
    ),
    "bad_action": Reason("the request is not to delete, forget or unforget", _DATA),
    "missing_required": Reason("a field that `required` names is NULL", _DATA),
    "expired": Reason("the row waited for longer than the sync lets it, and is given up", _DATA),
    "duplicate_identity": Reason("several rows have the same e-mail or userId", _DATA),
    "not_an_address": Reason("the old or the new e-mail of the change is no address", _DATA),
    "ambiguous_change": Reason(
        "several changes of one moment are from the same address, or to the same one", _DATA
    ),
    "same_person": Reason("source and destination of the merge are the same person", _DATA),
    "email_cycle": Reason(
        "people change places with their addresses: one of them would need an address that is "
        "nobody's; change one of them in Iterable by hand",
        _DATA,
    ),
    "not_finite": Reason("the number is NaN or infinite", _DATA),
    "out_of_range_int": Reason("the integer does not fit 32 bits", _DATA),
    "out_of_range_long": Reason("the integer does not fit 64 bits", _DATA),
    "out_of_range_double": Reason("the number does not fit a double", _DATA),
    "invalid_number": Reason("the value is no number", _DATA),
    "invalid_boolean": Reason("the value is neither true nor false", _DATA),
    "invalid_date": Reason("the value is no date of the years 0001 to 9999", _DATA),
    "invalid_datetime": Reason("the value is no time of the years 0001 to 9999", _DATA),
    "invalid_json": Reason("the value is no valid JSON", _DATA),
    "invalid_phone": Reason("the value is no phone number that can be dialled", _DATA),
    # Of two columns that make one, the other may be right by then.
    "invalid_geo_location": Reason(
        "the value is not a latitude and a longitude, as {lat, lon}", _DATA, _DAY_S
    ),
    "not_text": Reason("the text is not valid Unicode", _DATA),
    "nul_character": Reason("the text holds a NUL character", _DATA),
    "too_long": Reason("the text is longer than Iterable takes", _DATA),
    "period_in_name": Reason(
        "a key inside the JSON has a period, which catalogs do not take in names of fields", _DATA
    ),
    "bad_item_id": Reason(
        "the key of the item is longer than an id may be, once it is written as one", _DATA
    ),
    "item_too_large": Reason("the item is larger than 30,000 bytes of JSON", _DATA),
    "too_large": Reason("the row alone is larger than a request may be", _DATA),
    # Refused by either side.
    "wrong_type": Reason("Iterable holds this field with another type, for ever", _MAPPING),
    "invalid_email": Reason("an e-mail address of the row is malformed", _DATA),
    "invalid_user_id": Reason("a userId of the row is malformed", _DATA),
    # Refused by Iterable.
    "invalid_data": Reason("a value of the row is not what Iterable expects", _DATA),
    "malformed": Reason(
        "a part of the row has a JSON type that the endpoint does not take", _MAPPING
    ),
    "not_found": Reason("Iterable does not know this user", _ITERABLE, _DAY_S),
    "conflict": Reason("another user already has this e-mail or userId", _ITERABLE, _DAY_S),
    "target_exists": Reason(
        "somebody has the new address already; merge the two, or say on_target_exists",
        _ITERABLE,
        _DAY_S,
    ),
    "forgotten": Reason(
        "the user was forgotten (GDPR); Iterable takes no data about them", _ITERABLE
    ),
    "disallowed_event_name": Reason(
        "the project takes no events of this name; allow it, or leave the rows out of the model",
        _ITERABLE,
        _DAY_S,
    ),
    "field_not_created": Reason(
        "Iterable does not know the field and may not create it; allow new fields or create it",
        _ITERABLE,
        _HOUR_S,
    ),
    "unknown_group": Reason(
        "Iterable has no such list, message type or channel; create it, or correct the id",
        _ITERABLE,
        _DAY_S,
    ),
    "internal_error": Reason("Iterable had an error of its own with this row", _ITERABLE, _HOUR_S),
    "field_limit": Reason("the project has reached its number of fields", _ITERABLE, _DAY_S),
    "refused": Reason(
        "Iterable refused the row and gave no reason that we know", _ITERABLE, _DAY_S
    ),
}

FOUND = {
    "already_done": "Iterable has it so already; nothing was sent",
    "both_stay": "somebody has the new address already, and both profiles stay as they are",
    "merged": "somebody had the new address already; the old profile was merged into that one",
    "nobody_there": "Iterable does not know the person by any of the identifiers; nothing was sent",
    "renamed": "there was no destination, so that the source has its identifier now",
}
"""What a look at Iterable found of accepted rows whose request was not sent, or was another one."""

_UNKNOWN = Reason("rejected for a reason that this version does not know", _ITERABLE, _DAY_S)

# Source: https://support.iterable.com/hc/en-us/articles/39629320560148, documented; Conflict and
# error.users.noUserWithIdExists are seen in fixtures only.
_OF_CODE = {
    "BadJsonBody": "malformed",
    "BatchTooLarge": "too_large",
    "Conflict": "conflict",
    "EmailAlreadyExists": "conflict",
    "ExternalKeyConflict": "conflict",
    "ForgottenUserError": "forgotten",
    "InvalidEmailAddressError": "invalid_email",
    "InvalidUserIdError": "invalid_user_id",
    "RequestFieldsTypesMismatched": "wrong_type",
    "UniqueFieldsLimitExceeded": "field_limit",
    "UnknownEmailError": "not_found",
    "UnknownUserIdError": "not_found",
    "UserIdAlreadyExists": "conflict",
    "error.users.noUserWithIdExists": "not_found",
}


def reason_of(code: str) -> Reason:
    """Give what a reason code means; never fails."""
    return REASONS.get(code, _UNKNOWN)


def reason_for_refusal(iterable_code: str | None) -> str:
    """Give our reason code for a row whose request, with it alone, was refused."""
    return _OF_CODE.get(iterable_code or "", "refused")
