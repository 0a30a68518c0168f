"""When something happened, as Iterable takes it beside the fields of a row: seconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.fields import flags, where
from iterable_sync.values import Reason

if TYPE_CHECKING:
    import pyarrow as pa

# How the state keeps a time.
_TIME = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?\+00:00\z"
_SECONDS = len("2024-11-25 13:37:19")


def unix_seconds(text: pa.Array, refused: dict[int, str]) -> pa.Array:
    """
    Give the seconds since 1970 as texts; a row whose time is missing or bad is refused.

    They are read from the state's form of a time, which is in UTC: neither a zone nor the worker's
    clock has a part in it. A fraction is cut off, towards the past.

    Args:
        text: times (``large_string``).

        refused: row -> why; a row that is in it already keeps its reason.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    is_given = flags(text.is_valid())
    has_form = flags(pc.match_substring_regex(text, _TIME))
    cut = pc.utf8_slice_codeunits(where(has_form, text), 0, _SECONDS)
    times = pc.strptime(cut, format="%Y-%m-%d %H:%M:%S", unit="s", error_is_null=True)
    # It takes 30 February for 1 March.
    is_real = flags(pc.equal(times.cast(pa.large_string()), cut))
    for wrong, reason in (
        (~is_given, "missing_created_at"),
        (is_given & ~is_real, Reason.INVALID_DATETIME),
    ):
        for row in np.flatnonzero(wrong).tolist():
            refused.setdefault(row, reason)
    return times.cast(pa.int64()).cast(pa.large_string())
