"""
Custom events: ``POST /api/events/trackBulk``.

A row of the model is an event. It is sent whole and once; sent again it has the same ``id``, and
Iterable updates the event that it has.

===============  ==============================================================================
in the event     from
===============  ==============================================================================
``email`` or     the row's identity, by the same rule as for users: e-mail in email-based
``userId``       projects, userId in userId-based ones, userId or else e-mail in hybrid ones;
                 never both
``eventName``    ``SyncSpec.event_name``, or the column ``event_name``, by ``event_names``
``id``           UUIDv5 of project, sync and key, or the key: see :mod:`iterable_sync.row_ids`
``createdAt``    the column of ``SyncSpec.created_at``, in seconds; a fraction is cut off towards
                 the past
``campaignId``,  the columns ``campaign_id`` and ``template_id``
``templateId``
``dataFields``   all other columns; a NULL is left out
===============  ==============================================================================

A row without identity, name or time is rejected: one ``eventName`` of null refuses the request of
all of them, and without ``createdAt`` Iterable would take the time at which it got the event. A
bad value costs its field; with ``sms_consent`` a row without phone or opt-in does not get here.

Source: Swagger ``TrackRequest``, documented; the null name is recorded (2022). That ``createdAt``
is in seconds is what Segment's and mParticle's connectors send; Swagger says "unix timestamp".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.addressees import addressees
from iterable_sync.fields import Chunk, DataFields, flags
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.key_ids import ids_of
from iterable_sync.moments import unix_seconds
from iterable_sync.names import join
from iterable_sync.rows import Rejection, Role
from iterable_sync.sync_object import Shape
from iterable_sync.tracking import TrackedInBulk, written_events
from iterable_sync.values import escape, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Column
    from iterable_sync.sync_object import MapContext

_BLANKS = " \t\r\n"


class Events(TrackedInBulk):
    """Custom events of people."""

    name: str = "events"
    removals: tuple[str, ...] = ("ignore",)
    settings: frozenset[str] = frozenset(
        {
            "created_at",
            "event_name",
            "event_names",
            "look_back_s",
            "max_wait_s",
            "requires",
            "retention_s",
            "row_id",
            "since",
            "sms_consent",
            "unmapped_events",
        }
    )
    shape: Shape = Shape(
        "events",
        is_append_only=True,
        shares_identity=True,
        roles={
            Role.CREATED_AT: ("created_at",),
            Role.EVENT_NAME: ("event_name", "eventName"),
            Role.CAMPAIGN_ID: ("campaign_id", "campaignId"),
            Role.TEMPLATE_ID: ("template_id", "templateId"),
        },
        required=frozenset({Role.CREATED_AT}),
    )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame, is_whole=True), context)


OBJECT = Events()


def _map(chunk: Chunk, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {column.role: column for column in context.columns}
    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    if context.event_name is None:
        names = _names(chunk, columns[Role.EVENT_NAME], context.event_names, refused)
    else:
        name = context.event_names.get(context.event_name, context.event_name)
        names = escape(pa.array([name], pa.large_string()), {})[0].as_py()
    seconds = unix_seconds(chunk.text(columns[Role.CREATED_AT].name), refused)
    fields = DataFields(chunk, {})
    for column in context.columns:
        if column.role is Role.FIELD:
            fields.add(column)
    numbers = [
        join(f',"{beside.field}":', fields.top_level(beside))
        for role in (Role.CAMPAIGN_ID, Role.TEMPLATE_ID)
        if (beside := columns.get(role)) is not None
    ]
    return written_events(
        chunk,
        context,
        who,
        by_email,
        refused,
        fields,
        *numbers,
        names=names,
        ids=ids_of(chunk, context, default="uuid"),
        seconds=seconds,
    )


def _names(
    chunk: Chunk, column: Column, mapped: Mapping[str, str], refused: dict[int, str]
) -> pa.Array:
    """Give the insides of JSON strings; a row whose name is missing or bad is refused."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = chunk.text(column.name)
    if mapped:
        old, new = (pa.array(names, texts.type) for names in zip(*mapped.items(), strict=True))
        texts = pc.coalesce(new.take(pc.index_in(texts, value_set=old)), texts)
    rendered = render(texts, column.state, column.wire, column.field, {})
    for row, reason in rendered.bad.items():
        refused.setdefault(row, reason)
    is_named = flags(pc.not_equal(pc.ascii_trim(chunk.text(column.name), characters=_BLANKS), ""))
    for row in np.flatnonzero(~is_named).tolist():
        refused.setdefault(row, "missing_event_name")
    return rendered.written
