"""Carts."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableCartsOperator(IterableSyncOperator):
    """
    Keep the cart of each person in Iterable as the warehouse has it.

    ``email`` or ``user_id`` (or ``userId``) say whose the cart is. What is in it is a JSON list in
    ``items``, or the model has a row for each item, whose columns are nested under ``items``
    (``items__product_id``, ``items__price``). There is one cart for a person. One that changed is
    sent as a whole, and one that left the model is emptied, or left as it is by
    ``on_remove="ignore"``.

    A request is one cart. After purchases of the same project, as far as the state of both syncs is
    in one database, the carts of these people are sent again: let this task follow that of orders.

    Into ``options`` goes ``line_key``, the columns that order items, see :class:`SyncSpec`.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "carts"
