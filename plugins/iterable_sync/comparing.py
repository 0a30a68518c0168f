"""
What was sent against what Iterable shows of it, with Iterable's own rewriting taken into account.

===================  ===============================================================================
sent                 is what is shown where
===================  ===============================================================================
null                 there is nothing, or null
an object            each key that was sent is; others may be there, for objects are merged
an array             it has as many elements, and each of them is; an empty one may not be there
a number             it is the same number: ``10.0`` is ``10``
a date or time       it is the same second: Iterable shows ``yyyy-MM-dd HH:mm:ss +00:00`` of any
other text           it is the same text
===================  ===============================================================================

Source: a date as Iterable shows it, recorded 2021; that null deletes, and an object is merged key
by key, recorded 2021 for ``users/update``. That a fraction of a second is dropped, and that a day
is shown as its midnight, is assumed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?: ?(Z|[+-]\d\d:?\d\d))?)?"
)


def compare(sent: Mapping[str, Any], shown: Mapping[str, Any]) -> set[str]:
    """
    Give the fields, dotted, that were sent and do not show so.

    Args:
        sent: data fields as they were sent, parsed.

        shown: those of Iterable; what is not in *sent* is passed over.
    """
    return set(_different(sent, shown, ""))


def _different(sent: Mapping[str, Any], shown: Mapping[str, Any], inside: str) -> Iterator[str]:
    for name, value in sent.items():
        there = shown.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            yield from _different(value, there, f"{inside}{name}.")
        elif not _is_shown(value, there):
            yield f"{inside}{name}"


def _is_shown(sent: Any, shown: Any) -> bool:
    if sent is None or shown is None:
        return _is_nothing(sent) and _is_nothing(shown)
    if isinstance(sent, dict):
        return isinstance(shown, dict) and not compare(sent, shown)
    if isinstance(sent, list):
        return (
            isinstance(shown, list)
            and len(sent) == len(shown)
            and all(_is_shown(one, there) for one, there in zip(sent, shown, strict=True))
        )
    # True is 1 in Python.
    if isinstance(sent, bool) or isinstance(shown, bool):
        return sent is shown
    if isinstance(sent, str) and isinstance(shown, str):
        return sent == shown or _second_of(sent) == _second_of(shown) is not None
    return bool(sent == shown)


def _is_nothing(value: Any) -> bool:
    """Say whether a value leaves nothing to show: an object of nulls is an empty one."""
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return value is None or value == []


def _second_of(text: str) -> datetime | None:
    """Give the second that a text is, if Iterable reads it as a date; without a zone in UTC."""
    if (parts := _DATE.fullmatch(text)) is None:
        return None
    day, clock, zone = parts.groups()
    offset = "+00:00" if zone in (None, "Z") else zone
    try:
        return datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
