"""The ids of the rows of a chunk, made of their keys: see :mod:`iterable_sync.row_ids`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iterable_sync.row_ids import key_text, natural_or_uuid, row_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from iterable_sync.fields import Chunk
    from iterable_sync.sync_object import MapContext


def ids_of(
    chunk: Chunk,
    context: MapContext,
    *,
    default: Literal["uuid", "key"],
    more: Sequence[pa.Array] = (),
) -> pa.Array:
    """
    Give the id of each row: as the sync says, or else as is the *default* of its object.

    Args:
        more: what tells apart the ids of one key, as texts.
    """
    if not (context.project and context.sync):
        raise ValueError("without project and sync, rows of two syncs would have one id")
    # Not in the order in which the key is declared, which may change and means nothing.
    keys = sorted((c for c in context.columns if c.is_key), key=lambda c: c.name.lower())
    texts = [*(key_text(chunk.array(key.name), key.state) for key in keys), *more]
    make = natural_or_uuid if (context.row_id or default) == "key" else row_ids
    return make(context.project, context.sync, texts)
