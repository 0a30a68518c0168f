"""Memberships in audiences."""

from __future__ import annotations

from typing import Any

from iterable_sync.operators.arguments import object_of_style
from iterable_sync.operators.sync import IterableSyncOperator

_OBJECT_OF_STYLE = {"trait": "audiences", "list": "lists", "event": "audience_events"}


class IterableAudiencesOperator(IterableSyncOperator):
    """
    Keep it in Iterable who is a member of which audience.

    One row of the model is one membership: ``email`` or ``user_id`` (or ``userId``) say whose it
    is, ``audience`` names the audience, and the key is both, e.g. ``key=("user_id", "audience")``.
    A model of one audience names it in a column of its own, ``SELECT user_id, 'VIP' AS audience``.
    A first run sends the members; later ones send who came, and who left the query.

    Args:
        style: what a membership is in Iterable. ``trait``: a field of the person with the name of
            the audience in snake_case, true or false. ``list``: a place in the static list of that
            name. ``event``: ``Audience Entered`` and ``Audience Exited``.

    Into ``options`` go ``audience``, another name of that column; ``on_remove``: ``false``,
    ``clear`` or ``ignore`` for traits, ``unsubscribe`` or ``ignore`` for lists, ``exit`` or
    ``ignore`` for events; and ``seed_sql``, a query of the members that Iterable has already, see
    :class:`SyncSpec`.

    Other arguments: see :class:`IterableSyncOperator`.
    """

    def __init__(self, *, style: str = "trait", **kwargs: Any) -> None:
        chosen = object_of_style(style, _OBJECT_OF_STYLE, kwargs.get("task_id"))
        super().__init__(object=chosen, **kwargs)
        self.style = style
