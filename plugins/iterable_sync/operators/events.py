"""Custom events."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableEventsOperator(IterableSyncOperator):
    """
    Send each row of a model to Iterable as a custom event, once.

    One row of the model is one event. ``email`` or ``user_id`` (or ``userId``) say whose it is,
    ``created_at`` when it happened and ``event_name`` (or ``eventName``) what it is;
    ``campaign_id`` and ``template_id`` tie it to a campaign. All other columns become its data
    fields under the names that the SQL gives them. ``key`` names what makes a row this event and no
    other: out of it comes the event's id, and a row that is sent again updates its event.

    The model may return all events that there ever were: the engine asks for the newest alone.
    A row that changes after it was accepted is not sent again, but by ``full_resync``: that sends
    what is in the window of the run, as the same events.

    Into ``options`` go ``event_name``, a name for all rows; ``created_at``, another column for the
    time; ``since``, the time of the first event to send; and ``look_back_s``, ``max_wait_s`` and
    ``retention_s``, in seconds or as a ``timedelta``, see :class:`SyncSpec`. ``sms_consent`` is for
    events that text messages follow: only people with a phone and an opt-in get them.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "events"
