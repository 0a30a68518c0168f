"""What a step over a column of texts is, and how the values that are not plain are done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa


class Reason(StrEnum):
    """Why a value cannot be sent; the words are kept with rejections and never change."""

    NOT_FINITE = "not_finite"
    OUT_OF_RANGE_LONG = "out_of_range_long"
    OUT_OF_RANGE_INT = "out_of_range_int"
    OUT_OF_RANGE_DOUBLE = "out_of_range_double"
    INVALID_NUMBER = "invalid_number"
    INVALID_BOOLEAN = "invalid_boolean"
    INVALID_DATE = "invalid_date"
    INVALID_DATETIME = "invalid_datetime"
    INVALID_JSON = "invalid_json"
    NOT_TEXT = "not_text"
    NUL_CHARACTER = "nul_character"
    TOO_LONG = "too_long"
    INVALID_PHONE = "invalid_phone"
    INVALID_GEO_LOCATION = "invalid_geo_location"
    WRONG_TYPE = "wrong_type"
    PERIOD_IN_NAME = "period_in_name"


Bad: TypeAlias = dict[int, str]


class Refused(Exception):
    """A value has no form in the type asked for."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Step:
    """
    A way from one type to another, over texts.

    Args:
        one: the definition, for one value; raises :class:`Refused`.

        plain: what the step does to a column of plain values, fast.

        is_plain: which values of a column are plain; None for all.
    """

    one: Callable[[str], str]
    plain: Callable[[pa.Array], pa.Array]
    is_plain: Callable[[pa.Array], pa.Array] | None = None


def apply(step: Step, text: pa.Array, bad: Bad) -> pa.Array:
    """Do a step; rows that it refuses become null, and go to *bad*."""
    import pyarrow.compute as pc

    done = step.plain(text)
    if step.is_plain is None:
        return done
    plain = pc.fill_null(step.is_plain(text), True)  # noqa: FBT003 - a fill value
    return mend(text, done, plain.to_numpy(zero_copy_only=False), step.one, bad)


def mend(
    text: pa.Array,
    done: pa.Array,
    plain: np.ndarray[Any, Any],
    one: Callable[[str], str],
    bad: Bad,
) -> pa.Array:
    """Replace what *done* has for values that are not *plain* by what *one* gives for them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if plain.all():
        return done
    mask = ~plain & text.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(mask)
    mended: list[str | None] = []
    for row, value in zip(rows.tolist(), text.take(pa.array(rows)).to_pylist(), strict=True):
        try:
            mended.append(one(value))
        except Refused as refused:
            bad[row] = refused.reason
            mended.append(None)
    return pc.replace_with_mask(done, pa.array(mask), pa.array(mended, done.type))


def refuse(text: pa.Array, wrong: pa.Array, reason: Reason, bad: Bad) -> pa.Array:
    """Make the rows that are *wrong* null, and give them a *reason* in *bad*."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = wrong.to_numpy(zero_copy_only=False).nonzero()[0]
    if not rows.size:
        return text
    bad.update(dict.fromkeys(rows.tolist(), reason))
    return pc.if_else(wrong, pa.scalar(None, text.type), text)


def text_bytes(text: pa.Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give the bytes of a ``large_string`` array, and the offsets of its rows; no copy."""
    import numpy as np

    if not len(text):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, places, content = text.buffers()
    offsets = np.frombuffer(places, np.int64)[text.offset : text.offset + len(text) + 1]
    data = np.frombuffer(content or b"", np.uint8)
    return data[offsets[0] : offsets[-1]], offsets
