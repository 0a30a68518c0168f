"""
Ids of catalog items out of keys of any text, and back.

A key that Iterable takes as an id is the id. Any other one is written as ``x--`` and its UTF-8
bytes, of which letters and digits stay what they are and each other one becomes a hyphen and two
hexadecimal digits. So does a key that begins with ``x--`` itself, so that no two keys have one id.

======================  ====================================
key                     id
======================  ====================================
``SKU-42``              ``SKU-42``
``SKU_42``              ``x--SKU-5f42``
``crème``               ``x--cr-c3-a8me``
``x--SKU``              ``x--x-2d-2dSKU``
======================  ====================================

Source: https://support.iterable.com/hc/en-us/articles/360033215072, documented: letters, digits and
hyphens, 1 to 255 of them, case-sensitive.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iterable_sync.names import join
from iterable_sync.values.columns import text_bytes

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CHARACTERS = 255
"""So long an id may be."""

_MARKER = "x--"
_PLAIN = re.compile(r"(?!x--)[A-Za-z0-9-]{1,255}")
_BYTE = re.compile(rb"[^A-Za-z0-9]")
_ESCAPED = re.compile(rb"-([0-9a-f]{2})")
_DIGITS = b"0123456789abcdef"
_WIDTH = 3


def item_id(key: str) -> str:
    """Give the id of the item with a key; it may be longer than :data:`MAX_CHARACTERS`."""
    if _PLAIN.fullmatch(key):
        return key
    escaped = _BYTE.sub(lambda found: b"-%02x" % found[0][0], key.encode())
    return _MARKER + escaped.decode()


def item_key(item_id: str) -> str:
    """
    Give the key of the item with an id.

    Raises:
        ValueError: it is the id of no key.
    """
    if not item_id.startswith(_MARKER):
        return item_id
    escaped = item_id.removeprefix(_MARKER).encode()
    key = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), escaped).decode()
    if _MARKER + _BYTE.sub(lambda found: b"-%02x" % found[0][0], key.encode()).decode() != item_id:
        raise ValueError("this is the id of no key")
    return key


def item_ids(keys: pa.Array) -> pa.Array:
    """Do :func:`item_id` for a column (``large_string``)."""
    import pyarrow.compute as pc

    # Not `{1,255}`, which costs the engine behind the pattern a state for each.
    fits = pc.and_(
        pc.match_substring_regex(keys, r"\A[A-Za-z0-9-]+\z"),
        pc.and_(
            pc.less_equal(pc.binary_length(keys), MAX_CHARACTERS),
            pc.invert(pc.starts_with(keys, _MARKER)),
        ),
    )
    if pc.all(fits).as_py() or not len(keys):
        return keys
    wrong = pc.invert(fits)
    return pc.replace_with_mask(keys, wrong, _escaped(keys.filter(wrong)))


def _escaped(keys: pa.Array) -> pa.Array:
    """Write keys as ids, all their bytes at once."""
    import numpy as np
    import pyarrow as pa

    data, offsets = text_bytes(keys)
    stays = np.array([chr(byte).isalnum() and byte < 0x80 for byte in range(256)])
    is_plain = stays[data]
    places = np.zeros(len(data) + 1, np.int64)
    np.cumsum(np.where(is_plain, 1, _WIDTH), out=places[1:])
    text = np.empty(places[-1], np.uint8)
    text[places[:-1]] = np.where(is_plain, data, ord("-"))
    begins, others = places[:-1][~is_plain], data[~is_plain]
    digits = np.frombuffer(_DIGITS, np.uint8)
    text[begins + 1], text[begins + 2] = digits[others >> 4], digits[others & 0x0F]
    escaped = pa.LargeStringArray.from_buffers(
        len(keys),
        pa.py_buffer(places[offsets - offsets[0]].tobytes()),
        pa.py_buffer(text.tobytes()),
    )
    return join(_MARKER, escaped)
