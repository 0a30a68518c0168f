"""Merges of profiles."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableMergeOperator(IterableSyncOperator):
    """
    Merge profiles of Iterable into others, by a table of requests.

    A row is a merge: ``source_email`` or ``source_user_id`` names the profile that goes,
    ``destination_email`` or ``destination_user_id`` the one that stays, ``requested_at`` says when
    that was asked for, and the key is no identifier of a person. Where there is no destination,
    Iterable gives the source its identifier.

    It cannot be taken back: ``options={"allow_merge": True}`` has to be said, and a first run is
    held as a whole unless it is told ``first_sync`` or ``since``.

    Into ``options`` also go ``created_at``, another column for the time, ``since``,
    ``look_back_s`` and ``max_wait_s``, see :class:`SyncSpec`.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "merge"
