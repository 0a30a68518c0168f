"""Orders."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableOrdersOperator(IterableSyncOperator):
    """
    Send each order of a model to Iterable as a purchase, and again where it changes.

    ``email`` or ``user_id`` (or ``userId``) say whose the order is, ``created_at`` when it was
    made and ``total`` what it came to; ``campaign_id`` and ``template_id`` tie it to a campaign.
    Its items are a JSON list in ``items``, or the model has a row for each of them, whose columns
    are nested under ``items`` (``items__product_id``, ``items__price``). Columns nested under
    ``user`` are written to the person's profile, all others become data fields of the purchase.
    ``key`` names the order; it becomes the id of the purchase, and an order that is sent again
    updates it.

    A request is one order. A first run of all history is held until it is told ``first_sync="all"``
    or ``since``, and says how long it takes. A purchase empties the person's cart in Iterable: let
    the task of carts follow this one.

    Into ``options`` go ``since``, the time of the first order to send; ``created_at``, another
    column for the time; ``line_key``, the columns that order items; and ``row_id``, see
    :class:`SyncSpec`.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "orders"
