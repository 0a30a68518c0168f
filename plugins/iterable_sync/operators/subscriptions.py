"""Subscriptions of people: one group at a time, or all at once."""

from __future__ import annotations

from typing import Any

from iterable_sync.operators.arguments import object_of_style
from iterable_sync.operators.sync import IterableSyncOperator

_OBJECT_OF_STYLE = {"single": "subscriptions", "overwrite": "subscription_arrays"}


class IterableSubscriptionsOperator(IterableSyncOperator):
    """
    Tell Iterable what people have said to lists, message types and channels.

    One row of the model is what a person says to one group: ``email`` or ``user_id`` (or
    ``userId``) say who, ``subscription_group`` is ``emailList``, ``messageType`` or
    ``messageChannel``, ``group_id`` its id in Iterable, and ``subscribed`` true or false. The key
    is all but the last, e.g. ``key=("user_id", "subscription_group", "group_id")``. All other
    subscriptions stay as they are. Opt-outs go first, and no guard holds them.

    Iterable's support has to enable it for the project; until then a run ends with a
    ``ConfigError`` that says so.

    Args:
        style: ``single``, as above, or ``overwrite``: a row is a person with whole arrays,
            ``email_list_ids``, ``unsubscribed_channel_ids``, ``unsubscribed_message_type_ids`` and
            ``subscribed_message_type_ids``, of which the model has one at least. They are written
            over what people have, so ``options={"allow_overwrite": True}`` has to be said.

    Into ``options`` go ``on_remove``, ``ignore`` or, of single ones, ``unsubscribe``; ``requires``,
    the sync whose acceptance of a person their rows wait for; and ``seed_sql``, a query of what
    Iterable has already, see :class:`SyncSpec`.

    Other arguments: see :class:`IterableSyncOperator`.
    """

    def __init__(self, *, style: str = "single", **kwargs: Any) -> None:
        chosen = object_of_style(style, _OBJECT_OF_STYLE, kwargs.get("task_id"))
        super().__init__(object=chosen, **kwargs)
        self.style = style
