"""
Memberships in audiences, as the objects that sync them share them: whose, in which audience.

An audience has the name that the warehouse gives it, and a *key*: that name in snake_case. A name
without a letter or a digit has no key, and rejects its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.fields import flags
from iterable_sync.naming import snake_case
from iterable_sync.values import escape

if TYPE_CHECKING:
    import pyarrow as pa

    from iterable_sync.fields import Chunk

NO_AUDIENCE = "missing_audience"


@dataclass(frozen=True, slots=True)
class Audiences:
    """
    The audiences of a chunk, by row (``large_string``).

    Args:
        names: the insides of JSON strings; null where there is none to send.

        keys: the names in snake_case; empty where there is none.
    """

    names: pa.Array
    keys: pa.Array


def audiences_of(chunk: Chunk, column: str, refused: dict[int, str]) -> Audiences:
    """
    Give the audiences of a chunk.

    Args:
        column: the one with their names.

        refused: row -> why; rows without a usable name are added.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = chunk.text(column).dictionary_encode()
    bad: dict[int, str] = {}
    names = escape(chunk.text(column), bad)
    # Few names for many rows.
    of_name = pa.array(map(snake_case, encoded.dictionary.to_pylist()), pa.large_string())
    keys = pc.fill_null(of_name.take(encoded.indices), "")
    for row in np.flatnonzero(flags(pc.equal(keys, ""))).tolist():
        refused.setdefault(row, NO_AUDIENCE)
    for row, reason in bad.items():
        refused.setdefault(row, reason)
    return Audiences(names, keys)
