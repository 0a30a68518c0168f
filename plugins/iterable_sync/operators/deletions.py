"""Deletions."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableDeletionsOperator(IterableSyncOperator):
    """
    Delete, forget or unforget the people of a table of requests, each request once.

    A row of the model is a request: ``action`` is ``delete``, ``forget`` or ``unforget``,
    ``requested_at`` when it was made, ``email`` or ``user_id`` (or ``userId``) whom it is about.
    ``key`` names the request, and is not the address itself. Requests about one person are made in
    the order of their times. None of it can be undone.

    A first run sends nothing: it is held, and says what it would do. Approve that with
    :class:`IterableReleaseOperator`, or say ``first_sync="all"`` or ``since``. A later run with
    unusually many requests is held by the guard ``max_requests``.

    ``delete`` takes the profile; the person comes back with the next run of a sync whose model has
    them. ``forget`` erases the person from the state of all syncs of the project as well, keeps
    their hash, and no sync sends anything about them from then on. Iterable takes 1,000 requests to
    forget or unforget in 24 hours: what is beyond them waits, and the task succeeds.

    Into ``options`` go ``since``, the time of the first request; ``created_at``, another column for
    the time; ``look_back_s``, how late a request may come into the warehouse; ``max_wait_s`` and
    ``retention_s``, see :class:`SyncSpec`.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "deletions"
