"""User profiles."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableUsersOperator(IterableSyncOperator):
    """
    Keep user profiles in Iterable as the rows of a model say.

    One row of the model is one person. Its columns become fields of the profile under the names
    that the SQL gives them; ``email`` and ``user_id`` (or ``userId``) identify the person, other
    names go into ``options`` as ``email`` and ``user_id``. Only changed fields are sent.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "users"
