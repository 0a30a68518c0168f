"""Two profiles into one: which value wins, and how arrays are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .naming import bad_params
from .people import digest

if TYPE_CHECKING:
    from collections.abc import Iterable


class ArrayMerge(NamedTuple):
    """
    A field whose values are joined, not chosen between.

    Args:
        dedupe_by: the member of its objects by which duplicates are told.
    """

    field: str
    dedupe_by: str | None


def merged_fields(
    source: dict[str, Any], destination: dict[str, Any], arrays: Iterable[ArrayMerge]
) -> dict[str, Any]:
    """
    Return the fields of the profile that remains.

    Raises:
        Refused: `ArrayMerge.dedupe_by` is named for a field that holds something but objects.

    Source:
        Swagger ``MergeUsersRequest`` and ``ArrayMerge``, and article 33744314673172, documented:
        the values of the destination win, and objects are not combined. That a field of one of
        the two is taken as it is, and the order of a joined array, are assumed.
    """
    fields = {**source, **destination}
    for array in arrays:
        for profile in (source, destination):
            _refuse_dedupe(array, _as_array(profile.get(array.field, [])))
        if array.field in source and array.field in destination:
            fields[array.field] = _joined(
                _as_array(source[array.field]), _as_array(destination[array.field]), array.dedupe_by
            )
    return fields


def _refuse_dedupe(array: ArrayMerge, values: list[Any]) -> None:
    if array.dedupe_by is not None and not all(isinstance(value, dict) for value in values):
        text = f"dedupeBy is for arrays of objects, and {array.field} holds other values"
        raise bad_params(text)


def _as_array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _joined(source: list[Any], destination: list[Any], dedupe_by: str | None) -> list[Any]:
    known = {_mark(value, dedupe_by) for value in destination} - {None}
    return [*destination, *(value for value in source if _mark(value, dedupe_by) not in known)]


def _mark(value: Any, dedupe_by: str | None) -> int | None:
    """Return what two equal values share; nothing for an object without the deciding member."""
    if dedupe_by is None:
        return digest(value)
    return digest(value[dedupe_by]) if dedupe_by in value else None
