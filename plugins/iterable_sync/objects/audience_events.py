"""
Memberships in audiences as events of people: ``POST /api/events/trackBulk``.

A row of the model is a membership, its key is person and audience. Who enters gets the event
``Audience Entered``, who leaves gets ``Audience Exited``, and who comes back enters anew: that is
the next *episode* of the membership.

==============  ================================================================================
in the event    from
==============  ================================================================================
``email`` or    the row's identity, by the same rule as for users; never both
``userId``
``id``          UUIDv5 of project, sync, key, episode and direction: an event that is sent again
                is the same one
``createdAt``   of an entry, the column of ``SyncSpec.created_at`` where the model has it; without
                it, and of an exit, the moment whose data the run sends
``dataFields``  ``audience_name``, as in the model; ``audience_key``, that in snake_case; and, of an
                entry, all other columns
==============  ================================================================================

A row of a membership that goes on, and whose other columns change, is sent as the entry that it is:
Iterable updates the event. With ``on_remove="ignore"`` no exit is sent, and the episode is over.

Source: Swagger ``TrackRequest``, documented; the names of the events are those of Segment's
Personas.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from iterable_sync.addressees import addressees
from iterable_sync.fields import Chunk, DataFields, flags, where
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.key_ids import ids_of
from iterable_sync.memberships import audiences_of
from iterable_sync.moments import unix_seconds
from iterable_sync.rows import Rejection, Role
from iterable_sync.sync_object import Shape
from iterable_sync.tracking import TrackedInBulk, written_events

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Column
    from iterable_sync.sync_object import MapContext

ENTERED = "Audience Entered"
EXITED = "Audience Exited"


class AudienceEvents(TrackedInBulk):
    """Entries into audiences, and exits."""

    name: str = "audience_events"
    removals: tuple[str, ...] = ("exit", "ignore")
    settings: frozenset[str] = frozenset(
        {"audience", "created_at", "max_wait_s", "requires", "seed_sql"}
    )
    shape: Shape = Shape(
        "audience_events",
        shares_identity=True,
        # In the order of their times, those of a person.
        roles={Role.AUDIENCE: ("audience",), Role.PURCHASED_AT: ("created_at",)},
        required=frozenset({Role.AUDIENCE}),
    )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame, is_whole=True), context)


OBJECT = AudienceEvents()


def _map(chunk: Chunk, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {column.role: column for column in context.columns}
    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    audiences = audiences_of(chunk, columns[Role.AUDIENCE].name, refused)
    seconds = _seconds(chunk, columns.get(Role.PURCHASED_AT), context, refused)
    fields = DataFields(chunk, {})
    fields.add_string("audience_name", audiences.names)
    fields.add_string("audience_key", audiences.keys)
    for column in context.columns:
        if column.role is Role.FIELD:
            fields.add(column)
    large = pa.large_string()
    exits = pa.array(chunk.is_removed)
    names = pc.if_else(exits, pa.scalar(EXITED, large), pa.scalar(ENTERED, large))
    return written_events(
        chunk,
        context,
        who,
        by_email,
        refused,
        fields,
        names=names,
        ids=ids_of(chunk, context, default="uuid", more=[chunk.text("_episode"), names]),
        seconds=seconds,
    )


def _seconds(
    chunk: Chunk, column: Column | None, context: MapContext, refused: dict[int, str]
) -> pa.Array:
    """Give the seconds since 1970 as texts: of entries what the model says, else the run's."""
    import pyarrow as pa
    import pyarrow.compute as pc

    of_run = datetime.fromtimestamp(context.at_s, UTC).isoformat(sep=" ")
    times = pa.nulls(chunk.rows, pa.large_string())
    if column is not None:
        times = where(~chunk.is_removed, chunk.text(column.name))
    return unix_seconds(pc.fill_null(times, of_run), refused)
