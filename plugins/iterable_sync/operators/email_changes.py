"""Changes of e-mail addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from iterable_sync.operators.sync import IterableSyncOperator

if TYPE_CHECKING:
    from collections.abc import Mapping


class IterableEmailChangesOperator(IterableSyncOperator):
    """
    Give people in Iterable their new e-mail address.

    A row is a change: ``old_email``, ``new_email``, ``changed_at`` and a key that is no address.
    Let it have the ``user_id`` as well: then nobody is taken for somebody else who had the address
    at another time. It runs before the sync of users, whose rows it lets go that wait, held, for
    the new address.

    A change cannot be taken back, so a first run is held as a whole unless it is told
    ``first_sync`` or ``since``.

    Args:
        users_sync: instead of a table of changes, the name of a sync of users: the model is that of
            the users, with its key, and a change is where it differs from the address that Iterable
            has by the snapshot of that sync. Only in projects by e-mail.

    Into ``options`` go ``on_target_exists``: ``fail``, ``merge`` (with ``allow_merge=True``) or
    ``leave``; ``created_at``, another column for the time; ``since``, ``look_back_s`` and
    ``max_wait_s``, see :class:`SyncSpec`.

    Other arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "email_changes"

    def __init__(
        self,
        *,
        users_sync: str | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if users_sync is not None:
            options = {**(options or {}), "derive_from": users_sync}
        super().__init__(options=options, **kwargs)
        self.users_sync = users_sync
