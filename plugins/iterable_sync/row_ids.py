"""
Ids that Iterable keeps of a row: the same at every attempt, in every run, from any state.

An id is the UUIDv5 of project, sync and key, each with its length before it, so that no two keys
read alike; or, where that is asked for, the key itself. It is made of the values alone: a new
snapshot, a renamed key column or another type of the same number gives the same id, and what is
sent again replaces itself.

Source: https://support.iterable.com/hc/en-us/articles/206430615 and Swagger ``TrackRequest``,
documented: letters, digits and hyphens, at most 512 bytes, unique among all events of a project.
"""

from __future__ import annotations

import hashlib
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from iterable_sync.names import join
from iterable_sync.rows import StateType

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

# Any other value would give all rows ever sent new ids.
NAMESPACE = uuid.UUID("6f0d3c52-9a1b-4c0e-8e57-2b7f4d1c93aa")

_TAKEN = r"\A[A-Za-z0-9-]+\z"
_MAX_BYTES = 512
_HYPHENS = (8, 13, 18, 23)
_LENGTH = 36


def row_ids(project: str, sync: str, keys: Sequence[pa.Array]) -> pa.Array:
    """
    Give the id of each row (``large_string``).

    Args:
        project: e.g. ``12345.us``.

        keys: the key columns as :func:`key_text` gives them, always in the same order.
    """
    import numpy as np
    import pyarrow as pa

    named = join(*(piece for key in keys for piece in (_bytes_of(key), ":", key)))
    start = hashlib.sha1(
        NAMESPACE.bytes + b"".join(_prefixed(text) for text in (project, sync)),
        usedforsecurity=False,
    )
    digests = []
    for name in named.cast(pa.large_binary()).to_pylist():
        digest = start.copy()
        digest.update(name)
        digests.append(digest.digest())
    raw = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, start.digest_size)[:, :16].copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x50  # version 5
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80  # the variant of RFC 9562
    digits = np.frombuffer(raw.tobytes().hex().encode(), np.uint8).reshape(-1, 32)
    text = np.insert(digits, [place - index for index, place in enumerate(_HYPHENS)], ord("-"), 1)
    offsets = np.arange(len(raw) + 1, dtype=np.int64) * _LENGTH
    return pa.LargeStringArray.from_buffers(
        len(raw), pa.py_buffer(offsets), pa.py_buffer(text.tobytes())
    )


def natural_or_uuid(project: str, sync: str, keys: Sequence[pa.Array]) -> pa.Array:
    """
    Give the key itself as the id of each row, and :func:`row_ids` where it cannot be one.

    That is where the key has several columns, or characters that Iterable does not take, or too
    many of them. No other sync has to have the same keys: what Iterable knows by an id it updates.
    """
    import pyarrow.compute as pc

    if len(keys) != 1:
        return row_ids(project, sync, keys)
    (key,) = keys
    # Not `{1,512}`: the engine behind the pattern repeats nothing so often.
    fits = pc.and_(
        pc.match_substring_regex(key, _TAKEN), pc.less_equal(pc.binary_length(key), _MAX_BYTES)
    )
    if pc.all(fits).as_py():
        return key
    wrong = pc.invert(fits)
    return pc.replace_with_mask(key, wrong, row_ids(project, sync, [key.filter(wrong)]))


def key_text(values: pa.Array, state: StateType) -> pa.Array:
    """Give a key column as text, the same for the same value in every type that can hold it."""
    import pyarrow as pa

    text = values.cast(pa.large_string())
    if state is not StateType.DECIMAL:
        return text
    return pa.array(map(_plain, text.to_pylist()), text.type)


def _plain(number: str) -> str:
    """Give a decimal without an exponent and without zeros at its end."""
    text = format(Decimal(number), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return b"%d:%b" % (len(data), data)


def _bytes_of(text: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.binary_length(text).cast(pa.large_string())
