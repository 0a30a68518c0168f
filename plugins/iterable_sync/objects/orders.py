"""
Purchases: ``POST /api/commerce/trackPurchase``, one request for each order.

===============  ==============================================================================
``user``         whose it is, see :mod:`iterable_sync.commerce`
``id``           the key, where it has nothing but letters, digits and hyphens; else a UUIDv5 of
                 project, sync and key, see :mod:`iterable_sync.row_ids`
``items``        the column ``items``, a JSON list, or the lines of the order that are nested under
                 it, see :mod:`iterable_sync.commerce_items`; it may be empty
``total``        the column ``total``, a number
``createdAt``    the column ``created_at``, in seconds since 1970, cut off towards the past
``campaignId``,  the columns ``campaign_id`` and ``template_id``, of 32 bits
``templateId``
``dataFields``   all other columns; a NULL is left out
===============  ==============================================================================

An order that changed is sent again as a whole: Iterable updates the purchase of that id. So a
refund is a change of the row, of its total or of a column that says so. A purchase cannot be taken
back: an order that leaves the model stays in Iterable.

A row without identity, items, total or time is rejected. A bad value costs its field.

A purchase empties the person's cart in Iterable, also where it is an old one or one that is sent
again: the carts of these people are sent once more by the next run of the syncs of carts.

Source: Swagger ``TrackPurchaseRequest`` and article 8698012206612, documented. Whether Iterable
takes a purchase without any item is not known; it is sent, and what Iterable says counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.commerce import Commerce, Requests
from iterable_sync.fields import Chunk, flags
from iterable_sync.key_ids import ids_of
from iterable_sync.moments import unix_seconds
from iterable_sync.names import join
from iterable_sync.rows import Role
from iterable_sync.sync_object import Shape
from iterable_sync.values import Reason, render

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Column, Rejection
    from iterable_sync.sync_object import MapContext

_INT32_MAX = 2**31 - 1


class Orders(Commerce):
    """Orders of people, each a purchase."""

    name: str = "orders"
    path: str = "/api/commerce/trackPurchase"
    removals: tuple[str, ...] = ("ignore",)
    settings: frozenset[str] = frozenset(
        {
            "created_at",
            "line_key",
            "max_wait_s",
            "merge_nested_objects",
            "requires",
            "row_id",
            "seed_sql",
            "since",
        }
    )
    shape: Shape = Shape(
        "orders",
        shares_identity=True,
        marks=("carts",),
        has_history=True,
        roles={
            Role.PURCHASED_AT: ("created_at",),
            Role.TOTAL: ("total",),
            Role.ITEMS: ("items",),
            Role.CAMPAIGN_ID: ("campaign_id", "campaignId"),
            Role.TEMPLATE_ID: ("template_id", "templateId"),
        },
        required=frozenset({Role.PURCHASED_AT, Role.TOTAL, Role.ITEMS}),
    )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Requests(Chunk(frame, is_whole=True), context), context)


OBJECT = Orders()


def _map(requests: Requests, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    chunk = requests.chunk
    by_role = {column.role: column for column in context.columns}
    for column in requests.add_fields():
        requests.data.add(column)
    items = requests.items(by_role[Role.ITEMS])
    requests.refuse(~flags(items.is_valid()), "missing_items")
    total = _total(requests, by_role[Role.TOTAL])
    seconds = unix_seconds(chunk.text(by_role[Role.PURCHASED_AT].name), requests.refused)
    numbers = [
        join(f',"{beside.field}":', _of_32_bits(requests, beside))
        for role in (Role.CAMPAIGN_ID, Role.TEMPLATE_ID)
        if (beside := by_role.get(role)) is not None
    ]
    return requests.written(
        ',"id":"',
        ids_of(chunk, context, default="key"),
        '","items":',
        items,
        ',"total":',
        total,
        ',"createdAt":',
        seconds,
        *numbers,
        ',"dataFields":',
        *requests.data.objects().pieces,
    )


def _total(requests: Requests, column: Column) -> pa.Array:
    """Write the totals; a row without one is refused."""
    chunk = requests.chunk
    found = render(chunk.array(column.name), column.state, column.wire, column.field, {})
    for row, reason in found.bad.items():
        requests.refused.setdefault(row, str(reason))
    requests.refuse(~flags(chunk.array(column.name).is_valid()), "missing_total")
    return found.written


def _of_32_bits(requests: Requests, column: Column) -> pa.Array:
    """Write an integer, which has fewer bits here than in events; one that has more is refused."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = requests.data.top_level(column)
    numbers = texts.cast(pa.int64())
    wrong = flags(pc.or_(pc.greater(numbers, _INT32_MAX), pc.less(numbers, -_INT32_MAX - 1)))
    requests.data.refused += [
        (row, column.field, Reason.OUT_OF_RANGE_INT) for row in np.flatnonzero(wrong).tolist()
    ]
    return pc.if_else(pa.array(wrong), pa.scalar(None, texts.type), texts)
