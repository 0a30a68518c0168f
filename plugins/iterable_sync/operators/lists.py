"""Static lists."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableListsOperator(IterableSyncOperator):
    """
    Keep a static list in Iterable the mirror of a query.

    One row of the model is one member of the list: ``email`` or ``user_id`` (or ``userId``) say who
    it is, and there are no other columns but for the key. New rows are subscribed; whose row left
    the query is unsubscribed from the list, and not from any channel.

    Into ``options`` go ``list_name``, the list, which is created if there is none of that name
    (not so with ``create_list=False``), or ``list_id``, the id of one that is there;
    ``adopt_list=True``: on the first run who is in the list already is taken for subscribed, and
    who is not in the model leaves it, under the guards; and ``on_remove``, ``unsubscribe`` or
    ``ignore``. Many lists from one query: :class:`IterableAudiencesOperator` with ``style="list"``.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "lists"
